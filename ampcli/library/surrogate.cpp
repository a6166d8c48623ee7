// Trained models as an engine of the library.  Compiled once for each instruction set: AMPCLI_SET is its name,
// AMPCLI_SPACE the namespace, AMPCLI_LANES the doubles in a SIMD vector.
#include <cstring>
#include <new>

#include "../inference/compiled/region.h"
#include "../inference/compiled/surrogate.h"
#include "ampcli.h"
#include "engine.h"

namespace AMPCLI_SPACE::surrogate {
namespace {

constexpr long BLOCK = 960;  // events at a time: whole tiles

template <class Products>
struct Model {
  Bundle bundle;
  Surrogate<Products> surrogate;
  Events events;
  Region region;

  bool open(const void* data, std::size_t size, const char* prefix, Error& error) {
    if (!bundle.open(data, size, error)) return false;
    const Folder folder(bundle, prefix);
    return surrogate.open(folder, error) && events.open(folder, surrogate.legs(), error) &&
           region.open(folder.folder("region/"), surrogate.legs(), error);
  }

  int outgoing() const { return 4 * (surrogate.legs() - 2); }
};

template <class Products>
struct Scratch {
  typename Surrogate<Products>::Scratch networks;
  Buffer<double> final;  // outgoing momenta of a block

  explicit Scratch(const Model<Products>& model)
      : networks(model.surrogate.scratch(BLOCK)), final(BLOCK * model.outgoing()) {}
};

template <class Products>
void close(void* model) {
  delete static_cast<Model<Products>*>(model);
}

template <class Products>
void* open(const void* data, std::size_t size, const char* prefix, char* text) {
  Error error;
  auto* model = new (std::nothrow) Model<Products>;
  try {
    if (model && model->open(data, size, prefix, error)) return model;
    if (!model) error.is("out of memory");
  } catch (const std::bad_alloc&) {
    error.is("out of memory");
  }
  close<Products>(model);
  std::memcpy(text, error.text, sizeof error.text);
  return nullptr;
}

template <class Products>
int legs(const void* model) {
  return static_cast<const Model<Products>*>(model)->surrogate.legs();
}

template <class Products>
void* make_scratch(const void* model) {
  try {
    return new Scratch<Products>(*static_cast<const Model<Products>*>(model));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

template <class Products>
void free_scratch(void* scratch) {
  delete static_cast<Scratch<Products>*>(scratch);
}

template <class Products>
void evaluate_events(const void* memory, long events, const double* momenta, double* amplitudes, double* uncertainties,
                     std::uint32_t* flags, void* room) {
  const auto& model = *static_cast<const Model<Products>*>(memory);
  auto& scratch = *static_cast<Scratch<Products>*>(room);
  const int outgoing = model.outgoing(), numbers = outgoing + 8;
  double* final = scratch.final.get();
  for (long first = 0; first < events; first += BLOCK) {
    const long size = events - first < BLOCK ? events - first : BLOCK;
    const double* p = momenta + first * numbers;
    double *values = amplitudes + first, *errors = uncertainties + first;
    for (long i = 0; i < size; ++i)
      std::memcpy(final + i * outgoing, p + i * numbers + 8, std::size_t(outgoing) * sizeof(double));
    model.surrogate.predict(final, size, values, errors, scratch.networks);
    for (long i = 0; i < size; ++i) {
      const double* event = p + i * numbers;
      const bool physical = model.events.physical(event), known = values[i] == values[i];
      if (!physical) values[i] = NAN;
      if (!physical || !known) errors[i] = NAN;
      if (!physical)
        flags[first + i] = AMPCLI_NOT_PHYSICAL;
      else  // legs so soft or collinear that there is no number lie outside of any training
        flags[first + i] = !known || model.region.outside(event, errors[i]) ? AMPCLI_OUTSIDE : 0;
    }
  }
}

template <class Products>
constexpr ampcli_engine engine() {
  return {open<Products>,         close<Products>,        legs<Products>,
          make_scratch<Products>, free_scratch<Products>, evaluate_events<Products>};
}

}  // namespace
}  // namespace AMPCLI_SPACE::surrogate

#define AMPCLI_JOINED(A, B) A##B
#define AMPCLI_NAMED(A, B) AMPCLI_JOINED(A, B)

extern "C" {
extern const ampcli_engine AMPCLI_NAMED(ampcli_surrogate_, AMPCLI_SET);
const ampcli_engine AMPCLI_NAMED(ampcli_surrogate_, AMPCLI_SET) =
    AMPCLI_SPACE::surrogate::engine<AMPCLI_SPACE::surrogate::SingleProducts>();
#ifdef AMPCLI_SPLIT_PRODUCTS
extern const ampcli_engine ampcli_surrogate_amx;
const ampcli_engine ampcli_surrogate_amx = AMPCLI_SPACE::surrogate::engine<AMPCLI_SPACE::surrogate::SplitProducts>();
#endif
}
