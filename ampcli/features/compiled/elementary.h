// Logarithms, asinh and atan2 of some numbers of an event, in place.
//
// Features that are stored and trained on (cpu.h, threads.cu) are computed by the C library one by one, so that they do not
// depend on the instruction set.  The pass from momenta to amplitudes (AMPCLI_LANES says how wide its vectors are) goes on
// in single precision: there, they are SIMD vectors (ampcli/simd/elementary.h), which differ in the last place.
#pragma once

#ifdef AMPCLI_LANES
#include "../../simd/elementary.h"
#endif

namespace AMPCLI_SPACE::radiation {

#ifdef AMPCLI_LANES

AMPCLI_INLINE void take_logs(double* x, int n) { simd::each(x, n, simd::logarithm); }
AMPCLI_INLINE void take_asinhs(double* x, int n) { simd::each(x, n, simd::area_sine); }
AMPCLI_INLINE void take_angles(double* y, const double* x, int n) { simd::each(y, x, n, simd::angle_of); }

#else

AMPCLI_INLINE void take_logs(double* x, int n) {
  for (int i = 0; i < n; ++i) x[i] = log(x[i]);
}

AMPCLI_INLINE void take_asinhs(double* x, int n) {
  for (int i = 0; i < n; ++i) x[i] = asinh(x[i]);
}

AMPCLI_INLINE void take_angles(double* y, const double* x, int n) {  // atan2(y, x) instead of y
  for (int i = 0; i < n; ++i) y[i] = atan2(y[i], x[i]);
}

#endif

}  // namespace AMPCLI_SPACE::radiation
