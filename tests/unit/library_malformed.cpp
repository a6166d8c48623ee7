// Throws malformed files and batches at the library: every call has to return a code.  Built with sanitizers.
//
//   library_malformed FILES EVENTS BUNDLE...
//
// FILES malformed files are made of each bundle; what is opened all the same evaluates EVENTS wild events.  Models of
// BLHA2 are those in the program's folder.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "ampcli.h"
#include "bundle.h"

extern "C" {
void OLP_Order(const char* order, const char* contract, int* error);
void OLP_Start(const char* contract, int* error);
void OLP_EvalSubProcess2(const int* label, const double* momenta, const double* scale, double* amplitude,
                         double* accuracy);
}

namespace {

using Bytes = std::vector<unsigned char>;
std::mt19937_64 generator(13);

std::size_t below(std::size_t n) { return n ? std::size_t(generator() % n) : 0; }

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

void require(bool good, const char* what) {
  if (!good) fail(what);
}

Bytes read(const char* path) {
  ampcli::Storage storage;
  ampcli::Error error;
  if (!storage.read(path, error)) fail(error.text);
  return Bytes(storage.data(), storage.data() + storage.size());
}

void correct_checksum(Bytes& bytes) {
  if (bytes.size() < 64) return;
  std::uint64_t size = bytes.size();
  if (below(4)) std::memcpy(&bytes[16], &size, 8);
  std::uint32_t sum = ampcli::checksum(&bytes[16], bytes.size() - 16);
  std::memcpy(&bytes[12], &sum, 4);
}

double wild() {
  static const double values[] = {0, -0.0, 1, -1, 1e-300, -1e300, 1e308, std::numeric_limits<double>::infinity(),
                                  std::numeric_limits<double>::quiet_NaN(), 91.188, 1e-320, 500};
  return below(3) ? values[below(sizeof values / sizeof *values)]
                  : std::normal_distribution<double>(0, 100)(generator);
}

template <class T>
void put(Bytes& bytes, std::size_t at, T value) {
  if (at + sizeof value <= bytes.size()) std::memcpy(&bytes[at], &value, sizeof value);
}

// Somewhere in the directory half of the time, so that shapes, types and offsets have their share.
std::size_t place(const Bytes& bytes) { return below(2) ? below(std::min(bytes.size(), std::size_t(1500))) : below(bytes.size()); }

void spoil(Bytes& bytes) {
  static const long long integers[] = {0, 1, -1, 2, 5, 6, 7, 63, 64, 65, 127, 128, 255, 1 << 16, INT32_MAX, INT32_MIN,
                                       1LL << 32, INT64_MAX, INT64_MIN, 1LL << 61};
  const long long integer = integers[below(sizeof integers / sizeof *integers)];
  const std::size_t at = place(bytes);
  switch (below(8)) {
    case 0: bytes.resize(below(bytes.size())); break;
    case 1: bytes.resize(bytes.size() / 64 * 64 - 64 * below(bytes.size() / 64)); break;
    case 2: bytes.resize(bytes.size() + below(200)); break;
    case 3: if (!bytes.empty()) bytes[at] ^= 1u << below(8); break;
    case 4: put(bytes, at / 4 * 4, std::int32_t(integer)); break;
    case 5: put(bytes, at / 8 * 8, integer); break;
    case 6: put(bytes, at / 8 * 8, wild()); break;
    case 7: {
      std::size_t from = place(bytes);
      for (std::size_t i = 0, n = below(100); i < n && from + i < bytes.size() && at + i < bytes.size(); ++i)
        bytes[at + i] = bytes[from + i];
    }
  }
}

void evaluate(ampcli_model* model, int events) {
  ampcli_model_info info;
  require(ampcli_info(model, &info) == AMPCLI_OK, "no information");
  require(info.legs >= 3 && info.name && info.process && info.pdg && info.masses, "empty information");
  std::vector<double> momenta(std::size_t(events) * info.legs * 4), amplitude(events), uncertainty(events), alpha(events);
  std::vector<std::uint32_t> flags(events);
  for (double& x : momenta) x = wild();
  for (int i = 0; i < events; ++i) alpha[i] = wild();
  require(ampcli_evaluate(model, events, momenta.data(), below(2) ? alpha.data() : nullptr, amplitude.data(),
                          uncertainty.data(), flags.data()) == AMPCLI_OK, "a batch was not evaluated");
  for (int i = 0; i < events; ++i)
    if (flags[i] & AMPCLI_NOT_PHYSICAL) require(std::isnan(amplitude[i]), "an amplitude that means nothing");
  int code = ampcli_evaluate_or_exact(model, 0.01, events, momenta.data(), nullptr, amplitude.data(), nullptr, nullptr);
  require(code == (info.has_exact ? AMPCLI_OK : AMPCLI_NO_EXACT), "exact amplitudes where there are none");
  code = ampcli_exact(model, events, momenta.data(), nullptr, amplitude.data(), nullptr);
  require(code == (info.has_exact ? AMPCLI_OK : AMPCLI_NO_EXACT), "exact amplitudes where there are none");
}

void refused(int code, int expected) {
  require(code == expected, "a wrong code");
  require(*ampcli_last_error(), "no text");
}

void bad_calls(const char* path, const Bytes& bundle) {
  ampcli_model* model = nullptr;
  double x[4] = {};
  ampcli_model_info info;
  refused(ampcli_open(nullptr, &model), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_open(path, nullptr), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_open("/nowhere/model.bundle", &model), AMPCLI_BAD_FILE);
  refused(ampcli_open("/", &model), AMPCLI_BAD_FILE);
  refused(ampcli_open("", &model), AMPCLI_BAD_FILE);
  refused(ampcli_open_on(path, "sse9", &model), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_open_memory(nullptr, 5, nullptr, &model), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_open_memory(bundle.data(), UINT64_MAX, nullptr, &model), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_open_memory(bundle.data(), 0, nullptr, &model), AMPCLI_BAD_FILE);
  require(!model, "a model without a file");
  require(ampcli_open(path, &model) == AMPCLI_OK, "a good file");
  refused(ampcli_info(model, nullptr), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_info(nullptr, &info), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_evaluate(nullptr, 1, x, x, x, x, nullptr), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_evaluate(model, 1, nullptr, x, x, x, nullptr), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_evaluate(model, 1, x, x, nullptr, x, nullptr), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_exact(model, -1, x, x, x, nullptr), AMPCLI_BAD_ARGUMENT);
  refused(ampcli_exact(model, 1, nullptr, x, x, nullptr), AMPCLI_BAD_ARGUMENT);
  for (std::int64_t n : {INT64_MIN, std::int64_t(-1), INT64_MAX})
    refused(ampcli_evaluate(model, n, x, x, x, x, nullptr), AMPCLI_BAD_ARGUMENT);
  for (double threshold : {-1.0, std::numeric_limits<double>::quiet_NaN()})
    refused(ampcli_evaluate_or_exact(model, threshold, 0, x, x, x, x, nullptr), AMPCLI_BAD_ARGUMENT);
  require(ampcli_evaluate(model, 0, nullptr, nullptr, nullptr, nullptr, nullptr) == AMPCLI_OK, "no events");
  for (int i = 0; i < 200; ++i) evaluate(model, 1 + int(below(40)));
  ampcli_close(model);
  ampcli_close(nullptr);
}

// Orders and contracts of BLHA2 with words that are repeated, cut, exchanged or garbage.
void bad_orders(int files) {
  static const char* const words[] = {"InterfaceVersion", "BLHA2", "AmplitudeType", "Tree", "Loop", "Model", "SMdiag", "->",
                                      "1", "-1", "23", "21", "21", "|", "OK", "Error:", "#", "\n", "\n", "\n", "\f", "\0x",
                                      "CouplingPower", "QCD", "2", "99999999999999999999", "-", "MassiveParticles", "Extra",
                                      "AmpcliModel", "/", "1 -1 -> 23 21 21\n", "1 -1 -> 23 21 21 | 1 1\n",
                                      "AmplitudeType Tree | OK\n", "\xff\xfe", ""};
  const std::string order = "malformed_order.lh", contract = "malformed_contract.lh";
  double momenta[5 * 32], amplitude, accuracy, scale = 1;
  for (int i = 0; i < files; ++i) {
    std::ofstream file(order);
    for (std::size_t n = below(60); n > 0; --n) file << words[below(sizeof words / sizeof *words)] << (below(9) ? " " : "");
    file.close();
    int code = 77;
    OLP_Order(order.c_str(), contract.c_str(), &code);
    require(code == 0 || code == 1, "a wrong code of OLP_Order");
    OLP_Start(below(2) ? order.c_str() : contract.c_str(), &code);
    require(code == 0 || code == 1, "a wrong code of OLP_Start");
    for (double& x : momenta) x = wild();
    const int label = int(below(4)) - 1;
    OLP_EvalSubProcess2(&label, momenta, &scale, &amplitude, &accuracy);
    require(std::isnan(amplitude) == (accuracy == -1), "an amplitude without an accuracy");
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int files = std::atoi(arguments[1]), events = std::atoi(arguments[2]);
  long opened = 0, refusals = 0;
  for (int k = 3; k < count; ++k) {
    const Bytes good = read(arguments[k]);
    bad_calls(arguments[k], good);
    for (int i = 0; i < files; ++i) {
      Bytes bytes = good;
      for (std::size_t times = 1 + below(3); times > 0; --times) spoil(bytes);
      if (below(5)) correct_checksum(bytes);
      if (bytes == good) continue;
      ampcli_model* model = nullptr;
      const int code = ampcli_open_memory(bytes.data() ? bytes.data() : good.data(), bytes.size(),
                                          below(2) ? "baseline" : nullptr, &model);
      require(code == AMPCLI_OK ? model != nullptr : code == AMPCLI_BAD_FILE && !model, "a wrong code");
      if (model) {
        evaluate(model, events);
        ampcli_close(model);
      } else {
        require(*ampcli_last_error(), "no text");
      }
      ++(code == AMPCLI_OK ? opened : refusals);
    }
  }
  bad_orders(files / 4);
  std::printf("%ld %ld\n", opened, refusals);
}
