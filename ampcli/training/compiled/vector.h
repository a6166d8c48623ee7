// Vectors of floats in trainings: what only optimisers need of them.
#pragma once

#include "../../simd/activations.h"

namespace ampcli::training {

using simd::Activated, simd::Activation, simd::activated_with_slope;
using simd::absolute, simd::all, simd::load, simd::reciprocal, simd::store;

using Vector = simd::Floats;
constexpr int LANES = simd::FLOATS;

// x / (sqrt(v) + epsilon) of v >= 0; roots below 1e-15 count as smaller ones, which next to epsilon are nothing.
AMPCLI_INLINE Vector over_root(Vector x, Vector v, float epsilon) {
#if defined(__AVX2__)
  const Vector safe = v > 1e-30f ? v : all(1e-30f);
#if defined(__AVX512F__)
  Vector guess = Vector(_mm512_rsqrt14_ps(__m512(safe)));
#else
  Vector guess = Vector(_mm256_rsqrt_ps(__m256(safe)));
#endif
  guess = guess * (1.5f - 0.5f * safe * guess * guess);
  return x * reciprocal(v * guess + epsilon);
#else
  for (int lane = 0; lane < LANES; ++lane) x[lane] /= __builtin_sqrtf(v[lane]) + epsilon;
  return x;
#endif
}

// While it lives, this thread takes numbers below 1e-38 for zero: units that are far from active make many, each of
// which costs as much as a hundred others.
struct WithoutTiny {
#ifdef __SSE2__
  unsigned before = _mm_getcsr();
  WithoutTiny() { _mm_setcsr(before | 0x8040); }
  ~WithoutTiny() { _mm_setcsr(before); }
#else
  WithoutTiny() {}
#endif
  WithoutTiny(const WithoutTiny&) = delete;
};

}  // namespace ampcli::training
