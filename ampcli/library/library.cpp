// The functions of ampcli.h: errors as codes, handles for many threads, and the engine for this processor.
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "ampcli.h"
#include "bundle.h"
#include "engine.h"
#include "engines.h"
#include "instructions.h"

using namespace AMPCLI_SPACE;

namespace {

constexpr long BLOCK = 1024;  // events of `ampcli_evaluate_or_exact` at a time

thread_local Error last_error;

// A model of an engine, with the memory of the calls that are over for those that come.
class Opened {
 public:
  Opened(const ampcli_engine& engine, void* model) : engine_(&engine), model_(model) {}
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    free_.clear();
    engine_->close(model_);
  }

  void evaluate(long n, const double* momenta, double* amplitude, double* uncertainty, std::uint32_t* flags) {
    Scratch scratch = borrow();
    engine_->evaluate(model_, n, momenta, amplitude, uncertainty, flags, scratch.get());
    std::lock_guard<std::mutex> held(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  using Scratch = std::unique_ptr<void, void (*)(void*)>;

  Scratch borrow() {
    {
      std::lock_guard<std::mutex> held(mutex_);
      if (!free_.empty()) {
        Scratch scratch = std::move(free_.back());
        free_.pop_back();
        return scratch;
      }
    }
    Scratch scratch(engine_->make_scratch(model_), engine_->free_scratch);
    if (!scratch) throw std::bad_alloc();
    return scratch;
  }

  const ampcli_engine* engine_;
  void* model_;
  std::mutex mutex_;
  std::vector<Scratch> free_;
};

}  // namespace

struct ampcli_model {
  Storage storage;
  Bundle bundle;
  ampcli_model_info info{};
  std::unique_ptr<Opened> main, exact;  // `exact` beside a surrogate only

  Opened* exact_one() const { return exact ? exact.get() : info.has_exact ? main.get() : nullptr; }
};

namespace {

template <class... Arguments>
int failed(int code, const char* format, Arguments... arguments) {
  last_error.is(format, arguments...);
  return code;
}

// No exception crosses the boundary to C.
template <class Function>
int guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return failed(AMPCLI_NO_MEMORY, "%s", "out of memory");
  } catch (...) {
    return failed(AMPCLI_NO_MEMORY, "%s", "the system refuses memory or locks");
  }
}

bool open_engine(const ampcli_model& model, const char* kind, const char* prefix, Instructions& set,
                 std::unique_ptr<Opened>& opened, Error& error) {
  const ampcli_engine* engine = engine_of(kind, set);
  if (!engine) return error.is("models of the kind %.100s are none of this library's", kind);
  void* made = engine->open(model.storage.data(), model.storage.size(), prefix, error.text);
  if (!made) return false;
  if (engine->legs(made) != model.info.legs) {
    error.is("an amplitude of %d legs instead of %d", engine->legs(made), int(model.info.legs));
    engine->close(made);
    return false;
  }
  try {
    opened.reset(new Opened(*engine, made));
  } catch (...) {
    engine->close(made);
    throw;
  }
  return true;
}

bool read_info(const Folder& folder, ampcli_model_info& info, Error& error) {
  std::int64_t legs[1];
  if (!folder.text("name", &info.name, error) || !folder.text("process", &info.process, error) ||
      !folder.text("kind", &info.kind, error) || !folder.text("digest", &info.digest, error) ||
      !folder.array("pdg", &info.pdg, {-1}, error, legs))
    return false;
  if (legs[0] < 3 || legs[0] > 32) return error.is("%lld legs", static_cast<long long>(legs[0]));
  info.legs = std::int32_t(legs[0]);
  if (!folder.array("masses", &info.masses, {legs[0]}, error) || !folder.number("sqrt_s", info.sqrt_s, error) ||
      !folder.number("alpha_s", info.alpha_s, error) || !folder.number("alpha_s_power", info.alpha_s_power, error))
    return false;
  for (int i = 0; i < info.legs; ++i)
    if (!(std::isfinite(info.masses[i]) && info.masses[i] >= 0)) return error.is("the mass of a leg is none");
  if (!(std::isfinite(info.sqrt_s) && info.sqrt_s >= 0)) return error.is("sqrt_s is none");
  if (!(std::isfinite(info.alpha_s) && info.alpha_s > 0)) return error.is("alpha_s is none");
  return (info.alpha_s_power >= 0 && info.alpha_s_power < 32) || error.is("the power of alpha_s is none");
}

bool prepare(ampcli_model& model, Instructions set, Error& error) {
  if (!model.bundle.open(model.storage.data(), model.storage.size(), error)) return false;
  const Folder folder(model.bundle, "");
  if (!read_info(folder, model.info, error)) return false;
  const bool is_exact = !std::strcmp(model.info.kind, "exact");
  model.info.has_exact = is_exact || folder.has("exact/ints");
  if (!open_engine(model, model.info.kind, is_exact ? "exact/" : "", set, model.main, error)) return false;
  model.info.instructions = name_of(set);
  return is_exact || !model.info.has_exact || open_engine(model, "exact", "exact/", set, model.exact, error);
}

template <class Load>
int open_with(const char* instructions, ampcli_model** result, Load load) {
  if (!result) return failed(AMPCLI_BAD_ARGUMENT, "%s", "the place for the model is a null pointer");
  *result = nullptr;
  Instructions set = best_instructions();
  if (instructions && *instructions) {
    Instructions asked;
    if (!instructions_of(instructions, asked))
      return failed(AMPCLI_BAD_ARGUMENT, "unknown instructions \"%.50s\": baseline, avx2, avx512, amx", instructions);
    if (asked > set) return failed(AMPCLI_BAD_ARGUMENT, "this processor has no %s", name_of(asked));
    set = asked;
  }
  return guarded([&] {
    std::unique_ptr<ampcli_model> model(new ampcli_model);
    Error error;
    if (!load(model->storage, error) || !prepare(*model, set, error)) return failed(AMPCLI_BAD_FILE, "%s", error.text);
    *result = model.release();
    return int(AMPCLI_OK);
  });
}

int check_batch(const ampcli_model* model, std::int64_t n, const double* momenta, const double* amplitude) {
  if (!model) return failed(AMPCLI_BAD_ARGUMENT, "%s", "the model is a null pointer");
  if (n < 0) return failed(AMPCLI_BAD_ARGUMENT, "%lld events", static_cast<long long>(n));
  if (n > INT64_MAX / 1024) return failed(AMPCLI_BAD_ARGUMENT, "%lld events are too many", static_cast<long long>(n));
  if (n > 0 && (!momenta || !amplitude))
    return failed(AMPCLI_BAD_ARGUMENT, "%s", "momenta or amplitudes are a null pointer");
  return AMPCLI_OK;
}

// From the model's strong coupling to those of the events; where one is none the event is not physical.
void rescale(const ampcli_model_info& info, long n, const double* alpha_s, double* amplitude, double* uncertainty,
             std::uint32_t* flags) {
  for (long i = 0; alpha_s && i < n; ++i) {
    if (std::isfinite(alpha_s[i]) && alpha_s[i] > 0) {
      amplitude[i] *= std::pow(alpha_s[i] / info.alpha_s, info.alpha_s_power);
    } else {
      amplitude[i] = uncertainty[i] = NAN;
      flags[i] |= AMPCLI_NOT_PHYSICAL;
    }
  }
}

// Block by block, so that uncertainties and flags that nobody wants need no more memory than that.
int evaluate(const ampcli_model& model, Opened& engine, Opened* better, double threshold, std::int64_t n,
             const double* momenta, const double* alpha_s, double* amplitude, double* uncertainty,
             std::uint32_t* flags) {
  const int numbers = 4 * model.info.legs;
  const std::size_t room = std::size_t(n < BLOCK ? n : BLOCK), twice = better ? room : 0;
  std::vector<double> own_uncertainty(uncertainty ? 0 : room), again, exact(twice), none(twice);
  std::vector<std::uint32_t> own_flags(flags ? 0 : room), exact_flags(twice);
  std::vector<long> chosen;
  for (std::int64_t first = 0; first < n; first += BLOCK) {
    const long size = long(n - first < BLOCK ? n - first : BLOCK);
    const double* p = momenta + first * numbers;
    double* values = amplitude + first;
    double* errors = uncertainty ? uncertainty + first : own_uncertainty.data();
    std::uint32_t* marks = flags ? flags + first : own_flags.data();
    engine.evaluate(size, p, values, errors, marks);
    if (better) {
      chosen.clear(), again.clear();
      for (long i = 0; i < size; ++i)
        if (!(marks[i] & AMPCLI_NOT_PHYSICAL) && (!(errors[i] <= threshold) || (marks[i] & AMPCLI_OUTSIDE))) {
          chosen.push_back(i);
          again.insert(again.end(), p + i * numbers, p + (i + 1) * numbers);
        }
      if (!chosen.empty())
        better->evaluate(long(chosen.size()), again.data(), exact.data(), none.data(), exact_flags.data());
      for (std::size_t k = 0; k < chosen.size(); ++k) {
        values[chosen[k]] = exact[k], errors[chosen[k]] = none[k];
        marks[chosen[k]] |= exact_flags[k];
      }
    }
    rescale(model.info, size, alpha_s ? alpha_s + first : nullptr, values, errors, marks);
  }
  return AMPCLI_OK;
}

}  // namespace

extern "C" {

int ampcli_open(const char* path, ampcli_model** model) { return ampcli_open_on(path, nullptr, model); }

int ampcli_open_on(const char* path, const char* instructions, ampcli_model** model) {
  if (!path) return failed(AMPCLI_BAD_ARGUMENT, "%s", "the path is a null pointer");
  return open_with(instructions, model, [&](Storage& storage, Error& error) { return storage.read(path, error); });
}

int ampcli_open_memory(const void* bundle, uint64_t size, const char* instructions, ampcli_model** model) {
  if (!bundle) return failed(AMPCLI_BAD_ARGUMENT, "%s", "the bundle is a null pointer");
  if (size > SIZE_MAX / 2) return failed(AMPCLI_BAD_ARGUMENT, "%s", "more bytes than there can be");
  return open_with(instructions, model,
                   [&](Storage& storage, Error& error) { return storage.copy(bundle, std::size_t(size), error); });
}

int ampcli_info(const ampcli_model* model, ampcli_model_info* info) {
  if (!model || !info) return failed(AMPCLI_BAD_ARGUMENT, "%s", "the model or its information is a null pointer");
  *info = model->info;
  return AMPCLI_OK;
}

int ampcli_parameter(const ampcli_model* model, const char* name, double* value) {
  if (!model || !name || !value) return failed(AMPCLI_BAD_ARGUMENT, "%s", "a null pointer");
  Error error;
  if (!Folder(model->bundle, "parameters/").number(name, *value, error))
    return failed(AMPCLI_BAD_ARGUMENT, "%s", error.text);
  return AMPCLI_OK;
}

int ampcli_evaluate(ampcli_model* model, int64_t n, const double* momenta, const double* alpha_s, double* amplitude,
                    double* uncertainty, uint32_t* flags) {
  if (int code = check_batch(model, n, momenta, amplitude)) return code;
  return guarded(
      [&] { return evaluate(*model, *model->main, nullptr, 0, n, momenta, alpha_s, amplitude, uncertainty, flags); });
}

int ampcli_exact(ampcli_model* model, int64_t n, const double* momenta, const double* alpha_s, double* amplitude,
                 uint32_t* flags) {
  if (int code = check_batch(model, n, momenta, amplitude)) return code;
  Opened* exact = model->exact_one();
  if (!exact) return failed(AMPCLI_NO_EXACT, "%.100s holds no exact amplitude", model->info.name);
  return guarded(
      [&] { return evaluate(*model, *exact, nullptr, 0, n, momenta, alpha_s, amplitude, nullptr, flags); });
}

int ampcli_evaluate_or_exact(ampcli_model* model, double threshold, int64_t n, const double* momenta,
                             const double* alpha_s, double* amplitude, double* uncertainty, uint32_t* flags) {
  if (int code = check_batch(model, n, momenta, amplitude)) return code;
  if (!(threshold >= 0)) return failed(AMPCLI_BAD_ARGUMENT, "a threshold of %g: it must not be negative", threshold);
  Opened* exact = model->exact_one();
  if (!exact) return failed(AMPCLI_NO_EXACT, "%.100s holds no exact amplitude", model->info.name);
  Opened* better = exact == model->main.get() ? nullptr : exact;
  return guarded([&] {
    return evaluate(*model, *model->main, better, threshold, n, momenta, alpha_s, amplitude, uncertainty, flags);
  });
}

void ampcli_close(ampcli_model* model) { delete model; }

const char* ampcli_last_error(void) { return last_error.text; }

const char* ampcli_version(void) { return AMPCLI_PACKAGE_VERSION; }

}
