// Amplitudes with currents in single precision, twice as many events in a SIMD vector: for reduced amplitudes, which a
// network corrects.  Kinematics, where digits cancel, stay in double precision.
#pragma once

#include "evaluate.h"

namespace AMPCLI_SPACE {

typedef float SimdFloat __attribute__((vector_size(8 * AMPCLI_LANES)));
typedef double WideDouble __attribute__((vector_size(16 * AMPCLI_LANES)));

struct InSingle {
  using Currents = SimdFloat;
  using Kinematics = WideDouble;
  static constexpr int EVENTS = 2 * AMPCLI_LANES;
};

template <>
struct Lanes<WideDouble> {
  using Scalar = double;
  static AMPCLI_INLINE WideDouble root(WideDouble v) {
    for (int i = 0; i < InSingle::EVENTS; ++i) v[i] = std::sqrt(v[i]);
    return v;
  }
};

template <>
struct Lanes<SimdFloat> {
  using Scalar = float;
  static AMPCLI_INLINE SimdFloat from(WideDouble v) { return __builtin_convertvector(v, SimdFloat); }
};

// Smaller values have lost digits to the range of single precision.
constexpr double LEAST_SINGLE = 1e-28;

// As `run`, for the sum over colours and with the same scratch memory.  Good to about 1e-6; values that are not above
// LEAST_SINGLE are not known.
inline void run_single(const Job& job, const double* momenta, long first, long last, double* values,
                       unsigned char* bad, void* scratch) {
  static_assert(sizeof(SimdFloat) == sizeof(SimdDouble), "they share scratch memory");
  auto chosen = run_as<InSingle, 3, false>;
  switch (polarisations_of(job.legs)) {
    case 1: chosen = run_as<InSingle, 1, false>; break;
    case 2: chosen = run_as<InSingle, 2, false>;
  }
  chosen(job, momenta, first, last, values, bad, scratch);
}

}  // namespace AMPCLI_SPACE
