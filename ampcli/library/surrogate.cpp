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

struct Model {
  Bundle bundle;
  Surrogate<SingleProducts> surrogate;
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

void close(void* model) { delete static_cast<Model*>(model); }

void* open(const void* data, std::size_t size, const char* prefix, char* text) {
  Error error;
  Model* model = new (std::nothrow) Model;
  try {
    if (model && model->open(data, size, prefix, error)) return model;
    if (!model) error.is("out of memory");
  } catch (const std::bad_alloc&) {
    error.is("out of memory");
  }
  close(model);
  std::memcpy(text, error.text, sizeof error.text);
  return nullptr;
}

int legs(const void* model) { return static_cast<const Model*>(model)->surrogate.legs(); }

std::size_t scratch(const void* memory) {
  const Model& model = *static_cast<const Model*>(memory);
  return sizeof(double) * std::size_t(BLOCK) * std::size_t(model.outgoing() + 2 * model.surrogate.members());
}

void evaluate_events(const void* memory, long events, const double* momenta, double* amplitudes, double* uncertainties,
                     std::uint32_t* flags, void* scratch) {
  const Model& model = *static_cast<const Model*>(memory);
  const int outgoing = model.outgoing(), numbers = outgoing + 8;
  double *final = static_cast<double*>(scratch), *work = final + BLOCK * outgoing;
  for (long first = 0; first < events; first += BLOCK) {
    const long size = events - first < BLOCK ? events - first : BLOCK;
    const double* p = momenta + first * numbers;
    double *values = amplitudes + first, *errors = uncertainties + first;
    for (long i = 0; i < size; ++i)
      std::memcpy(final + i * outgoing, p + i * numbers + 8, std::size_t(outgoing) * sizeof(double));
    model.surrogate.predict(final, size, values, errors, work);
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

}  // namespace
}  // namespace AMPCLI_SPACE::surrogate

#define AMPCLI_JOINED(A, B) A##B
#define AMPCLI_NAMED(A, B) AMPCLI_JOINED(A, B)

extern "C" {
extern const ampcli_engine AMPCLI_NAMED(ampcli_surrogate_, AMPCLI_SET);
const ampcli_engine AMPCLI_NAMED(ampcli_surrogate_, AMPCLI_SET) = {
    AMPCLI_SPACE::surrogate::open, AMPCLI_SPACE::surrogate::close, AMPCLI_SPACE::surrogate::legs,
    AMPCLI_SPACE::surrogate::scratch, AMPCLI_SPACE::surrogate::evaluate_events};
}
