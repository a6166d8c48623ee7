// Vectors of floats as wide as the instruction set's, and the functions of them that networks need.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 warns of its own header
#endif
#include <immintrin.h>
#endif

#define AMPCLI_INLINE inline __attribute__((always_inline))

namespace ampcli::training {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef std::int32_t Integers __attribute__((vector_size(4 * LANES)));

AMPCLI_INLINE Vector load(const float* from) {
  Vector x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

AMPCLI_INLINE void store(float* to, Vector x) { std::memcpy(to, &x, sizeof x); }
AMPCLI_INLINE Vector all(float x) { return Vector{} + x; }
AMPCLI_INLINE Vector absolute(Vector x) { return Vector(Integers(x) & 0x7fffffff); }
AMPCLI_INLINE Vector smaller(Vector x, float limit) { return x > limit ? all(limit) : x; }  // NaN stays

AMPCLI_INLINE Vector reciprocal(Vector x) {  // of positive numbers that are not tiny
#if defined(__AVX512F__)
  Vector guess = Vector(_mm512_rcp14_ps(__m512(x)));
  return guess * (2.0f - x * guess);
#elif defined(__AVX2__)
  Vector guess = Vector(_mm256_rcp_ps(__m256(x)));
  return guess * (2.0f - x * guess);
#else
  return 1.0f / x;
#endif
}

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

// exp(x) - 1 for -87 <= x <= 0, split as 2^n (1 + fraction) - 1.
struct Exponential { Vector power, fraction; };

AMPCLI_INLINE Exponential exponential(Vector x) {
  constexpr float MAGIC = 12582912.0f;  // 1.5 2^23: adding it rounds to an integer
  Vector shifted = x * 1.44269504f + MAGIC, n = shifted - MAGIC;
  Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector p = all(1.9875691e-4f);  // S. Moshier, Cephes, expf
  p = p * r + 1.3981999e-3f;
  p = p * r + 8.3334519e-3f;
  p = p * r + 4.1665796e-2f;
  p = p * r + 1.6666665e-1f;
  p = p * r + 0.5f;
  Vector power = Vector((Integers(shifted) << 23) + 0x3f800000);
  return {power, p * r * r + r};
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

struct Activated { Vector value, slope; };

// x Phi(x) and its derivative, Phi(x) + x phi(x); errors below 2e-7.
AMPCLI_INLINE Activated gelu(Vector x) {
  Vector size = smaller(absolute(x), 13.0f);  // Phi(-13) = 6e-39
  Exponential e = exponential(size * size * -0.5f);
  Vector gauss = e.power * e.fraction + e.power;
  // Phi(-size) / gauss for 0 <= size <= 13 to 1.1e-7: a polynomial in 1 / (1 + 0.23 size), fitted to its largest error
  Vector k = reciprocal(size * 0.2316419f + 1.0f);
  Vector p = all(-0.07078380f);
  p = p * k + 0.24923459f;
  p = p * k + -0.20443283f;
  p = p * k + 0.22792609f;
  p = p * k + 0.012057282f;
  p = p * k + 0.1031342f;
  p = p * k + 0.09033628f;
  p = p * k + 0.09252824f;
  Vector tail = p * k * gauss;
  Vector phi = x < 0.0f ? tail : 1.0f - tail;
  return {x * phi, phi + x * (0.398942280f * gauss)};
}

AMPCLI_INLINE Activated tanh(Vector x) {
  Exponential e = exponential(smaller(absolute(x), 40.0f) * -2.0f);
  Vector less = e.power * e.fraction + (e.power - 1.0f);  // exp(-2 |x|) - 1
  Vector size = -less * reciprocal(less + 2.0f);
  Vector value = x < 0.0f ? -size : size;
  return {value, 1.0f - size * size};
}

}  // namespace ampcli::training
