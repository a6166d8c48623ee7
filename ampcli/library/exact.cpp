// Exact native amplitudes as an engine of the library.  Compiled once for each instruction set: AMPCLI_SET is its name,
// AMPCLI_SPACE the namespace, AMPCLI_LANES the events in a SIMD vector.
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "../amplitudes/native/at_rest.h"
#include "../amplitudes/native/bundled.h"
#include "ampcli.h"
#include "engine.h"

namespace AMPCLI_SPACE {
namespace {

constexpr long BLOCK = 256;  // events whose faults are kept at a time

void* open(const void* data, std::size_t size, const char* prefix, char* text) {
  Error error;
  Bundle bundle;
  Job job;
  Job* model = nullptr;
  if (bundle.open(data, size, error) && job_of(Folder(bundle, prefix), job, error)) {
    model = new (std::nothrow) Job(job);
    if (!model) error.is("out of memory");
  }
  if (!model) std::memcpy(text, error.text, sizeof error.text);
  return model;
}

void close(void* model) { delete static_cast<Job*>(model); }

int legs(const void* model) { return static_cast<const Job*>(model)->legs.external; }

void* make_scratch(const void* model) { return std::aligned_alloc(64, scratch_bytes(*static_cast<const Job*>(model))); }

void free_scratch(void* scratch) { std::free(scratch); }

void evaluate_events(const void* model, long events, const double* momenta, double* amplitudes, double* uncertainties,
                     std::uint32_t* flags, void* memory) {
  const Job& job = *static_cast<const Job*>(model);
  const double infinite = std::numeric_limits<double>::infinity(), none = std::numeric_limits<double>::quiet_NaN();
  const int numbers = 4 * job.legs.external;
  unsigned char bad[BLOCK];
  for (long first = 0; first < events; first += BLOCK) {
    const double* p = momenta + first * numbers;
    long size = events - first < BLOCK ? events - first : BLOCK;
    run(job, p, 0, size, amplitudes + first, bad, memory);
    for (long i = 0; i < size; ++i) {
      double& value = amplitudes[first + i];
      double rest[4 * MAX_LEGS];
      unsigned char ignored;
      if (!bad[i] && at_rest(p + i * numbers, job, rest)) run(job, rest, 0, 1, &value, &ignored, memory);
      if (value != value) value = infinite;  // 0/0 of a vanishing invariant
      if (bad[i]) value = none;
      uncertainties[first + i] = bad[i] ? none : 0.0;
      flags[first + i] = bad[i] ? AMPCLI_NOT_PHYSICAL : AMPCLI_EXACT;
    }
  }
}

}  // namespace
}  // namespace AMPCLI_SPACE

#define AMPCLI_JOINED(A, B) A##B
#define AMPCLI_NAMED(A, B) AMPCLI_JOINED(A, B)

extern "C" {
extern const ampcli_engine AMPCLI_NAMED(ampcli_exact_, AMPCLI_SET);
const ampcli_engine AMPCLI_NAMED(ampcli_exact_, AMPCLI_SET) = {AMPCLI_SPACE::open, AMPCLI_SPACE::close,
                                                               AMPCLI_SPACE::legs, AMPCLI_SPACE::make_scratch,
                                                               AMPCLI_SPACE::free_scratch,
                                                               AMPCLI_SPACE::evaluate_events};
}
