// UMAMI, the interface through which MadGraph7's madspace calls matrix elements (major version 1): the model is the
// "model.bundle" beside the library.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "ampcli.h"
#include "beside.h"

namespace {

// Numbers of the interface; those that are not here are not supported.
enum Status {
  SUCCESS = 0,
  FAILED = 1,
  UNSUPPORTED_INPUT = 3,
  UNSUPPORTED_OUTPUT = 4,
  UNSUPPORTED_META = 6,
  MISSING_INPUT = 7
};
enum Meta { DEVICE = 0, PARTICLE_COUNT = 1, DIAGRAM_COUNT = 2, MASSES = 5 };
enum Input { MOMENTA = 0, ALPHA_S = 1, FLAVOR = 2, RANDOM_COLOR = 3, RANDOM_HELICITY = 4, RANDOM_DIAGRAM = 5 };
enum Output { MATRIX_ELEMENT = 0, DIAGRAM_AMP2 = 1 };  // to its callers an amplitude is one diagram

constexpr int CPU = 0;
constexpr long BLOCK = 256;  // events that are copied into our order at a time

struct Close {
  void operator()(ampcli_model* model) const { ampcli_close(model); }
};
using Model = std::unique_ptr<ampcli_model, Close>;

struct Instance {
  Model model;
  ampcli_model_info info;
  double alpha_s;
};

Model open_beside() {
  static const char here = 0;
  ampcli_model* model = nullptr;
  ampcli_open((ampcli::folder_of(&here) + "/model.bundle").c_str(), &model);
  return Model(model);
}

// Whether a parameter card (SLHA) has the masses of the model's particles, where it has any.
bool agrees(const char* card, const ampcli_model_info& info) {
  std::ifstream file(card);
  if (!file) return false;
  bool masses = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string first, second;
    if (!(words >> first >> second)) continue;
    for (char& letter : first) letter = char(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
    for (char& letter : second) letter = char(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
    if (first == "block" || first == "decay") {
      masses = first == "block" && second == "mass";
      continue;
    }
    if (!masses) continue;
    const long code = std::strtol(first.c_str(), nullptr, 10);
    const double mass = std::fabs(std::strtod(second.c_str(), nullptr));
    for (int leg = 0; leg < info.legs; ++leg)
      if (std::labs(info.pdg[leg]) == code && !(std::fabs(mass - info.masses[leg]) <= 1e-6 * (1 + info.masses[leg])))
        return false;
  }
  return true;
}

int initialise(void** handle, const char* card) {
  std::unique_ptr<Instance> made(new Instance{open_beside(), {}, 0});
  if (!made->model || ampcli_info(made->model.get(), &made->info)) return FAILED;
  if (card && *card && !agrees(card, made->info)) return FAILED;
  made->alpha_s = made->info.alpha_s;
  *handle = made.release();
  return SUCCESS;
}

int get_meta(int key, void* result) {
  static const Model model = open_beside();
  ampcli_model_info info;
  if (!model || ampcli_info(model.get(), &info)) return FAILED;
  switch (key) {
    case DEVICE: return *static_cast<int*>(result) = CPU, SUCCESS;
    case PARTICLE_COUNT: return *static_cast<int*>(result) = info.legs, SUCCESS;
    case DIAGRAM_COUNT: return *static_cast<int*>(result) = 1, SUCCESS;
    case MASSES: return std::memcpy(result, info.masses, sizeof(double) * std::size_t(info.legs)), SUCCESS;
    default: return UNSUPPORTED_META;
  }
}

// Arrays are column-major with the events, of which `stride` are there, as their first and contiguous axis.
int evaluate(const Instance& instance, std::size_t count, std::size_t stride, std::size_t offset,
             const double* momenta, const double* alpha_s, double* amplitude) {
  const std::size_t legs = std::size_t(instance.info.legs);
  std::vector<double> block(BLOCK * legs * 4), couplings(BLOCK, instance.alpha_s);
  for (std::size_t first = offset; first < offset + count; first += BLOCK) {
    const std::size_t size = std::min(std::size_t(BLOCK), offset + count - first);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t leg = 0; leg < legs; ++leg)
        for (std::size_t k = 0; k < 4; ++k)
          block[(i * legs + leg) * 4 + k] = momenta[first + i + stride * (leg + legs * k)];
    if (ampcli_evaluate(instance.model.get(), std::int64_t(size), block.data(),
                        alpha_s ? alpha_s + first : couplings.data(), amplitude + first, nullptr, nullptr))
      return FAILED;
  }
  return SUCCESS;
}

template <class Function>
int guarded(Function function) {
  try {
    return function();
  } catch (...) {
    return FAILED;
  }
}

int flags_of(const bool* flags, int size, const bool** result, int* count) {
  if (!result || !count) return FAILED;
  return *result = flags, *count = size, SUCCESS;
}

}  // namespace

extern "C" {

AMPCLI_API int umami_get_meta(int key, void* result) {
  if (!result) return FAILED;
  return guarded([&] { return get_meta(key, result); });
}

AMPCLI_API int umami_supported_inputs(const bool** supported, int* count) {
  static const bool flags[] = {true, true, true, true, true, true};
  return flags_of(flags, sizeof flags, supported, count);
}

AMPCLI_API int umami_required_inputs(const bool** required, int* count) {
  static const bool flags[] = {true, false, false, false, false, false};
  return flags_of(flags, sizeof flags, required, count);
}

AMPCLI_API int umami_supported_outputs(const bool** supported, int* count) {
  static const bool flags[] = {true, true};
  return flags_of(flags, sizeof flags, supported, count);
}

AMPCLI_API int umami_initialize(void** handle, const char* card) {
  if (!handle) return FAILED;
  *handle = nullptr;
  return guarded([&] { return initialise(handle, card); });
}

AMPCLI_API int umami_set_parameter(void* handle, const char* name, double real, double) {
  if (!handle || !name || !(real > 0) || !std::isfinite(real)) return FAILED;
  if (std::strcmp(name, "alpha_s")) return FAILED;  // all else is fixed when a model is exported
  return static_cast<Instance*>(handle)->alpha_s = real, SUCCESS;
}

AMPCLI_API int umami_get_parameter(void* handle, const char* name, double* real, double* imaginary) {
  if (!handle || !name || !real) return FAILED;
  const Instance& instance = *static_cast<const Instance*>(handle);
  if (!std::strcmp(name, "alpha_s"))
    *real = instance.alpha_s;
  else if (ampcli_parameter(instance.model.get(), name, real))
    return FAILED;
  if (imaginary) *imaginary = 0;
  return SUCCESS;
}

AMPCLI_API int umami_matrix_element(void* handle, std::size_t count, std::size_t stride, std::size_t offset,
                                    std::size_t input_count, const int* input_keys, const void* const* inputs,
                                    std::size_t output_count, const int* output_keys, void* const* outputs) {
  if (!handle || (input_count && (!input_keys || !inputs)) || (output_count && (!output_keys || !outputs))) return FAILED;
  if (offset > stride || count > stride - offset) return FAILED;
  const double *momenta = nullptr, *alpha_s = nullptr;
  for (std::size_t i = 0; i < input_count; ++i) {
    const int key = input_keys[i];
    if (key < MOMENTA || key > RANDOM_DIAGRAM) return UNSUPPORTED_INPUT;
    if (key == MOMENTA) momenta = static_cast<const double*>(inputs[i]);
    if (key == ALPHA_S) alpha_s = static_cast<const double*>(inputs[i]);
    if (key == FLAVOR && inputs[i])  // there is one
      for (std::size_t k = offset; k < offset + count; ++k)
        if (static_cast<const int*>(inputs[i])[k]) return UNSUPPORTED_INPUT;
  }
  if (!momenta) return MISSING_INPUT;
  for (std::size_t i = 0; i < output_count; ++i) {
    if (output_keys[i] < MATRIX_ELEMENT || output_keys[i] > DIAGRAM_AMP2) return UNSUPPORTED_OUTPUT;
    if (!outputs[i]) return FAILED;
  }
  return guarded([&] {
    int status = SUCCESS;
    for (std::size_t i = 0; i < output_count && status == SUCCESS; ++i)
      status = evaluate(*static_cast<const Instance*>(handle), count, stride, offset, momenta, alpha_s,
                        static_cast<double*>(outputs[i]));
    return status;
  });
}

AMPCLI_API int umami_free(void* handle) {
  delete static_cast<Instance*>(handle);
  return SUCCESS;
}

}
