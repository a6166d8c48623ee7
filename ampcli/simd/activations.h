// The activations of networks, where they are trained and where they are used.
#pragma once

#include "floats.h"

namespace AMPCLI_SPACE::simd {

enum class Activation { tanh, gelu };

struct Activated { Floats value, slope; };

constexpr float EDGE = 5.3f;  // beyond it, the Gaussian distribution function is 0 or 1 to 6e-8

// That function, Phi.  (Phi - 1/2) / x is a polynomial (minimax, 1.9e-8) in 2 x^2 / EDGE^2 - 1.
AMPCLI_INLINE Floats distribution(Floats x) {
  constexpr float TERMS[] = {1.333925626e-01f,  -6.651850582e-02f, 4.926416301e-02f,  -3.958893133e-02f,
                             3.207952258e-02f,  -2.529829764e-02f, 1.892582121e-02f,  -1.318548638e-02f,
                             8.828215231e-03f,  -5.849527619e-03f, 3.134858468e-03f,  -1.095967632e-03f,
                             7.321344460e-04f,  -7.645591429e-04f, 2.836133273e-04f};
  Floats inside = clamped(x, -EDGE, EDGE);
  Floats t = inside * inside * (2 / (EDGE * EDGE)) - 1.0f;
  Floats sum = all(TERMS[14]);
  for (int term = 13; term >= 0; --term) sum = sum * t + TERMS[term];
  return inside * sum + 0.5f;
}

// x Phi(x).
AMPCLI_INLINE Floats gelu(Floats x) { return x * distribution(x); }

// The same bits and the derivative, Phi(x) + x phi(x), to 2e-7.  Below -EDGE, Phi counts as 0, so that units which are off by
// any number get no slope.
AMPCLI_INLINE Activated gelu_with_slope(Floats x) {
  Floats phi = x < -EDGE ? all(0.0f) : distribution(x), size = smaller(absolute(x), 13.0f);  // phi(13) = 8e-38
  Exponential e = split_exponential(size * size * -0.5f);
  Floats gauss = e.power * e.fraction + e.power;
  return {x * phi, phi + x * (0.398942280f * gauss)};
}

AMPCLI_INLINE Floats tanh(Floats x) {
  Exponential e = split_exponential(smaller(absolute(x), 40.0f) * -2.0f);
  Floats less = e.power * e.fraction + (e.power - 1.0f);  // exp(-2 |x|) - 1
  Floats size = -less * reciprocal(less + 2.0f);
  return x < 0.0f ? -size : size;
}

AMPCLI_INLINE Activated tanh_with_slope(Floats x) {
  Floats value = tanh(x);
  return {value, 1.0f - value * value};
}

AMPCLI_INLINE Floats activated(Floats x, Activation activation) {
  return activation == Activation::gelu ? gelu(x) : tanh(x);
}

template <Activation KIND>
AMPCLI_INLINE Activated activated_with_slope(Floats x) {
  return KIND == Activation::gelu ? gelu_with_slope(x) : tanh_with_slope(x);
}

}  // namespace AMPCLI_SPACE::simd
