// Logarithm, exponential, atan2 and asinh of SIMD vectors of AMPCLI_LANES doubles: to a few units in the last place over
// the whole range, with the C library's answers to 0, infinity and NaN.
#pragma once

#include <cmath>
#include <cstdint>

#include "floats.h"

namespace AMPCLI_SPACE::simd {

constexpr int DOUBLES = AMPCLI_LANES;

typedef double Doubles __attribute__((vector_size(8 * AMPCLI_LANES)));
typedef std::uint64_t Bits __attribute__((vector_size(8 * AMPCLI_LANES)));

AMPCLI_INLINE Doubles load(const double* from) {
  Doubles x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

AMPCLI_INLINE void store(double* to, Doubles x) { std::memcpy(to, &x, sizeof x); }
AMPCLI_INLINE Doubles every(double x) { return Doubles{} + x; }
AMPCLI_INLINE Bits sign_of(Doubles x) { return Bits(x) & 0x8000000000000000u; }
AMPCLI_INLINE Doubles absolute(Doubles x) { return Doubles(Bits(x) & 0x7fffffffffffffffu); }

AMPCLI_INLINE Doubles root(Doubles x) {
#if defined(__AVX512F__)
  return Doubles(_mm512_sqrt_pd(__m512d(x)));
#elif defined(__AVX2__)
  return Doubles(_mm256_sqrt_pd(__m256d(x)));
#else
  for (int lane = 0; lane < DOUBLES; ++lane) x[lane] = std::sqrt(x[lane]);
  return x;
#endif
}

// As fdlibm's e_log.c.
AMPCLI_INLINE Doubles logarithm(Doubles x) {
  constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
  constexpr std::uint64_t ONE = 0x3ff0000000000000u, ROOT_OF_HALF = 0x3fe6a09e667f3bcdu, TO_52 = 0x4330000000000000u;
  const auto tiny = x < 0x1p-1022;
  const Bits bits = Bits(tiny ? x * 0x1p54 : x);
  const Bits exponent = (bits + (ONE - ROOT_OF_HALF)) >> 52;  // of the power of 2 between sqrt(1/2) and sqrt(2), + 1023
  const Doubles k = Doubles(exponent | TO_52) - (tiny ? every(0x1p52 + 1023 + 54) : every(0x1p52 + 1023));
  const Doubles f = Doubles(bits - (exponent << 52) + ONE) - 1.0, s = f / (f + 2.0), z = s * s, w = z * z;
  const Doubles even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const Doubles odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 +
                                                           w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const Doubles half = 0.5 * f * f;
  const Doubles value = k * LN2_HIGH - ((half - (s * (half + (even + odd)) + k * LN2_LOW)) - f);
  const Doubles below = x == 0.0 ? every(-INFINITY) : every(NAN);
  return x > 0.0 ? (x == INFINITY ? x : value) : below;
}

AMPCLI_INLINE Doubles power_of_two(Doubles shifted) {  // 2^n of n + 1.5 2^52, -1023 < n < 1024
  return Doubles((Bits(shifted) << 52) + 0x3ff0000000000000u);
}

AMPCLI_INLINE Doubles exponential(Doubles x) {
  constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
  constexpr double MAGIC = 0x1.8p52;  // adding it rounds to an integer
  x = x > 710.0 ? every(710.0) : x;   // beyond both it is infinite, or 0
  x = x < -746.0 ? every(-746.0) : x;
  const Doubles n = (x * 1.44269504088896338700 + MAGIC) - MAGIC;
  const Doubles r = (x - n * LN2_HIGH) - n * LN2_LOW;
  Doubles sum = every(1 / 6227020800.0);  // the series to r^13
  sum = sum * r + 1 / 479001600.0, sum = sum * r + 1 / 39916800.0, sum = sum * r + 1 / 3628800.0;
  sum = sum * r + 1 / 362880.0, sum = sum * r + 1 / 40320.0, sum = sum * r + 1 / 5040.0;
  sum = sum * r + 1 / 720.0, sum = sum * r + 1 / 120.0, sum = sum * r + 1 / 24.0;
  sum = sum * r + 1 / 6.0, sum = sum * r + 0.5;
  const Doubles value = (sum * r * r + r) + 1.0;
  const Doubles part = n * 0.5 + MAGIC, rest = n - (part - MAGIC) + MAGIC;  // two factors: 2^n alone may be subnormal
  return value * power_of_two(part) * power_of_two(rest);
}

// As S. Moshier, Cephes, atan.c.
AMPCLI_INLINE Doubles angle_of(Doubles y, Doubles x) {
  constexpr double PI_4 = 7.85398163397448309616e-01, PI_2 = 2 * PI_4, PI = 4 * PI_4;
  constexpr double LOW = 6.123233995736765886e-17;  // of pi / 2
  const Doubles across = absolute(y), along = absolute(x);
  const auto steep = across > along;
  Doubles small = steep ? along : across, large = steep ? across : along;
  const Doubles scale = large > 0x1p1000 ? every(0x1p-100) : large < 0x1p-900 ? every(0x1p100) : every(1.0);
  large *= scale, small *= scale;
  small = large == INFINITY ? (small == INFINITY ? every(1.0) : every(0.0)) : small;
  large = large == INFINITY || large == 0.0 ? every(1.0) : large;
  const auto wide = small > 0.66 * large;  // there, the angle from 45 degrees
  const Doubles t = (wide ? small - large : small) / (wide ? small + large : large), z = t * t;
  Doubles p = every(-8.750608600031904122785e-1);
  p = p * z - 1.615753718733365076637e1, p = p * z - 7.500855792314704667340e1;
  p = p * z - 1.228866684490136173410e2, p = p * z - 6.485021904942025371773e1;
  Doubles q = z + 2.485846490142306297962e1;
  q = q * z + 1.650270098316988542046e2, q = q * z + 4.328810604912902668951e2;
  q = q * z + 4.853903996359136964868e2, q = q * z + 1.945506571482613964425e2;
  Doubles angle = t * (z * p / q) + t;
  angle = wide ? (angle + LOW / 2) + PI_4 : angle;
  angle = steep ? (PI_2 - angle) + LOW : angle;
  angle = sign_of(x) != 0 ? (PI - angle) + 2 * LOW : angle;
  angle = Doubles(Bits(angle) | sign_of(y));
  return x == x && y == y ? angle : every(NAN);
}

AMPCLI_INLINE Doubles area_sine(Doubles x) {  // asinh
  const Doubles size = absolute(x), square = size * size;
  const Doubles u = size + square / (1.0 + root(square + 1.0)), w = 1.0 + u;  // ln(1 + u), what is lost in w added
  const auto large = size > 0x1p28;
  const Doubles value =
      logarithm(large ? size : w) + (large ? every(6.93147180559945286227e-01) : (u - (w - 1.0)) / w);
  return Doubles(Bits(value) | sign_of(x));
}

// The first n numbers, 1 after them; and what of a vector is theirs.
AMPCLI_INLINE Doubles load_part(const double* from, int n) {
#if defined(__AVX512F__)
  return Doubles(_mm512_mask_loadu_pd(__m512d(every(1.0)), __mmask8((1u << n) - 1), from));
#else
  Doubles x = every(1.0);
  for (int i = 0; i < n; ++i) x[i] = from[i];
  return x;
#endif
}

AMPCLI_INLINE void store_part(double* to, Doubles x, int n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_pd(to, __mmask8((1u << n) - 1), __m512d(x));
#else
  for (int i = 0; i < n; ++i) to[i] = x[i];
#endif
}

// A function of each of n numbers, in place.
template <class Function>
AMPCLI_INLINE void each(double* x, int n, Function function) {
  for (; n >= DOUBLES; n -= DOUBLES, x += DOUBLES) store(x, function(load(x)));
  if (n > 0) store_part(x, function(load_part(x, n)), n);
}

// A function of each of n pairs, instead of the first numbers.
template <class Function>
AMPCLI_INLINE void each(double* x, const double* y, int n, Function function) {
  for (; n >= DOUBLES; n -= DOUBLES, x += DOUBLES, y += DOUBLES) store(x, function(load(x), load(y)));
  if (n > 0) store_part(x, function(load_part(x, n), load_part(y, n)), n);
}

}  // namespace AMPCLI_SPACE::simd
