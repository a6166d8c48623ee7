// Eight events side by side, and the functions that phase space needs of them.  They are sums, products, quotients, square
// roots and comparisons alone, never contracted: every instruction set gives the same bits.
#pragma once

#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define AMPCLI_INLINE inline __attribute__((always_inline))

namespace ampcli::phasespace {

constexpr int LANES = 8;
constexpr double TWO_PI = 6.283185307179586476925;

typedef double Real __attribute__((vector_size(8 * LANES)));
typedef long long Whole __attribute__((vector_size(8 * LANES)));  // also masks: 0 or -1

AMPCLI_INLINE Real real(double value) { return Real{} + value; }
AMPCLI_INLINE Whole whole(long long value) { return Whole{} + value; }
AMPCLI_INLINE Real where(Whole mask, Real yes, Real no) { return mask ? yes : no; }
AMPCLI_INLINE Real smaller(Real a, Real b) { return a < b ? a : b; }
AMPCLI_INLINE Real larger(Real a, Real b) { return a > b ? a : b; }
AMPCLI_INLINE Real magnitude(Real a) { return (Real)((Whole)a & whole(0x7fffffffffffffffLL)); }

AMPCLI_INLINE Real load(const double* from) {
  Real value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

AMPCLI_INLINE bool any(Whole mask) {
  long long found = 0;
  for (int lane = 0; lane < LANES; ++lane) found |= mask[lane];
  return found != 0;
}

AMPCLI_INLINE Real root(Real value) {
#if defined(__AVX512F__)
  return (Real)_mm512_maskz_sqrt_pd(0xff, (__m512d)value);
#elif defined(__AVX2__)
  __m256d half[2];
  std::memcpy(half, &value, sizeof value);
  half[0] = _mm256_sqrt_pd(half[0]), half[1] = _mm256_sqrt_pd(half[1]);
  std::memcpy(&value, half, sizeof value);
  return value;
#else
  for (int lane = 0; lane < LANES; ++lane) value[lane] = __builtin_sqrt(value[lane]);
  return value;
#endif
}

constexpr double SHIFT = 6755399441055744.0;  // 1.5 x 2^52: a number added to it is rounded to a whole one
constexpr long long SHIFT_BITS = 0x4338000000000000LL;
constexpr double LN2_HIGH = 0.69314718036912381649, LN2_LOW = 1.90821492927058770002e-10;

// Natural logarithm of normal positive numbers, to 2 ulp (beside 1: to 1e-16 absolutely).
AMPCLI_INLINE Real logarithm(Real x) {
  Whole bits = (Whole)x;
  Real mantissa = (Real)((bits & whole(0x000fffffffffffffLL)) | whole(0x3ff0000000000000LL));
  Whole large = mantissa > real(1.4142135623730951);
  mantissa = where(large, mantissa * 0.5, mantissa);
  Whole power = ((bits >> 52) & whole(0x7ff)) - 1023 - large;
  Real e = (Real)(power + SHIFT_BITS) - SHIFT;
  Real f = (mantissa - 1.0) / (mantissa + 1.0), s = f * f;
  Real sum = real(1.0 / 21);
  for (int k = 19; k >= 3; k -= 2) sum = sum * s + 1.0 / k;
  Real small = f * s * sum;
  return e * LN2_HIGH + (2.0 * f + (2.0 * small + e * LN2_LOW));
}

// The exponential function between -700 and 700, to 2 ulp.
AMPCLI_INLINE Real exponential(Real x) {
  Real shifted = x * 1.44269504088896340736 + SHIFT;
  Real n = shifted - SHIFT;
  Real r = (x - n * LN2_HIGH) - n * LN2_LOW;
  constexpr double FACTORIALS[] = {1,      1,       2,        6,         24,         120,         720,
                                   5040.0, 40320.0, 362880.0, 3628800.0, 39916800.0, 479001600.0, 6227020800.0};
  Real sum = real(1.0 / FACTORIALS[13]);
  for (int k = 12; k >= 0; --k) sum = sum * r + 1.0 / FACTORIALS[k];
  return sum * (Real)(((Whole)shifted << 52) + whole(1023LL << 52));
}

// Cosine and sine of turns (multiples of 2 pi), each to 2e-16 absolutely.
AMPCLI_INLINE void circle(Real turns, Real& cosine, Real& sine) {
  Real shifted = turns * 4.0 + SHIFT;
  Real angle = (turns - (shifted - SHIFT) * 0.25) * TWO_PI, s = angle * angle;
  Whole quarter = (Whole)shifted;
  Real c = real(1.0 / 20922789888000.0);  // 1/16!
  c = c * s - 1.0 / 87178291200.0, c = c * s + 1.0 / 479001600.0, c = c * s - 1.0 / 3628800.0;
  c = c * s + 1.0 / 40320.0, c = c * s - 1.0 / 720.0, c = c * s + 1.0 / 24.0, c = c * s - 0.5, c = c * s + 1.0;
  Real d = real(1.0 / 355687428096000.0);  // 1/17!
  d = d * s - 1.0 / 1307674368000.0, d = d * s + 1.0 / 6227020800.0, d = d * s - 1.0 / 39916800.0;
  d = d * s + 1.0 / 362880.0, d = d * s - 1.0 / 5040.0, d = d * s + 1.0 / 120.0, d = d * s - 1.0 / 6.0;
  d = d * s * angle + angle;
  Whole odd = (quarter & 1) != 0;
  Whole sign_of_sine = (quarter & 2) << 62, sign_of_cosine = ((quarter + 1) & 2) << 62;
  cosine = (Real)((Whole)where(odd, d, c) ^ sign_of_cosine);
  sine = (Real)((Whole)where(odd, c, d) ^ sign_of_sine);
}

}  // namespace ampcli::phasespace
