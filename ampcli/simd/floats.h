// Single-precision SIMD vectors, twice AMPCLI_LANES numbers each, for every compiled module of networks.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 warns of its own header
#endif
#include <immintrin.h>
#endif

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

#define AMPCLI_INLINE inline __attribute__((always_inline))

namespace AMPCLI_SPACE::simd {

constexpr int FLOATS = 2 * AMPCLI_LANES;

typedef float Floats __attribute__((vector_size(8 * AMPCLI_LANES)));
typedef std::int32_t Integers __attribute__((vector_size(8 * AMPCLI_LANES)));

AMPCLI_INLINE Floats load(const float* from) {
  Floats x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

AMPCLI_INLINE void store(float* to, Floats x) { std::memcpy(to, &x, sizeof x); }
AMPCLI_INLINE Floats all(float x) { return Floats{} + x; }
AMPCLI_INLINE Floats absolute(Floats x) { return Floats(Integers(x) & 0x7fffffff); }
AMPCLI_INLINE Floats smaller(Floats x, float limit) { return x > limit ? all(limit) : x; }  // NaN stays

AMPCLI_INLINE Floats clamped(Floats x, float low, float high) {
  x = x < low ? all(low) : x;
  return smaller(x, high);
}

AMPCLI_INLINE Floats reciprocal(Floats x) {  // of positive numbers that are not tiny
#if defined(__AVX512F__)
  Floats guess = Floats(_mm512_rcp14_ps(__m512(x)));
  return guess * (2.0f - x * guess);
#elif defined(__AVX2__)
  Floats guess = Floats(_mm256_rcp_ps(__m256(x)));
  return guess * (2.0f - x * guess);
#else
  return 1.0f / x;
#endif
}

// exp(x) - 1 for -87 <= x <= 0, split as 2^n (1 + fraction) - 1.
struct Exponential { Floats power, fraction; };

AMPCLI_INLINE Exponential split_exponential(Floats x) {
  constexpr float MAGIC = 12582912.0f;  // 1.5 2^23: adding it rounds to an integer
  Floats shifted = x * 1.44269504f + MAGIC, n = shifted - MAGIC;
  Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats p = all(1.9875691e-4f);  // S. Moshier, Cephes, expf
  p = p * r + 1.3981999e-3f;
  p = p * r + 8.3334519e-3f;
  p = p * r + 4.1665796e-2f;
  p = p * r + 1.6666665e-1f;
  p = p * r + 0.5f;
  Floats power = Floats((Integers(shifted) << 23) + 0x3f800000);
  return {power, p * r * r + r};
}

}  // namespace AMPCLI_SPACE::simd
