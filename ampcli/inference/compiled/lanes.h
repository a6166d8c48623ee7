// Single-precision SIMD vectors, twice AMPCLI_LANES numbers each, and the functions that networks apply to them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

namespace AMPCLI_SPACE::surrogate {

constexpr int FLOATS = 2 * AMPCLI_LANES;

typedef float Floats __attribute__((vector_size(8 * AMPCLI_LANES)));
typedef uint32_t Bits __attribute__((vector_size(8 * AMPCLI_LANES)));  // of such numbers; they may overflow

inline Floats& lanes(float* p) { return *reinterpret_cast<Floats*>(p); }
inline const Floats& lanes(const float* p) { return *reinterpret_cast<const Floats*>(p); }

inline Floats clamped(Floats v, float low, float high) {
  v = v < low ? Floats{} + low : v;
  return v > high ? Floats{} + high : v;
}

// x Phi(x) with the Gaussian distribution function Phi.  (Phi - 1/2) / x is a polynomial (minimax, 1.9e-8) in
// 2 x^2 / 5.3^2 - 1; beyond 5.3, Phi is 0 or 1 to 6e-8.
inline Floats gelu(Floats x) {
  constexpr float EDGE = 5.3f;
  constexpr float TERMS[] = {1.333925626e-01f,  -6.651850582e-02f, 4.926416301e-02f,  -3.958893133e-02f,
                             3.207952258e-02f,  -2.529829764e-02f, 1.892582121e-02f,  -1.318548638e-02f,
                             8.828215231e-03f,  -5.849527619e-03f, 3.134858468e-03f,  -1.095967632e-03f,
                             7.321344460e-04f,  -7.645591429e-04f, 2.836133273e-04f};
  Floats inside = clamped(x, -EDGE, EDGE);
  Floats t = inside * inside * (2 / (EDGE * EDGE)) - 1.0f;
  Floats sum = Floats{} + TERMS[14];
  for (int term = 13; term >= 0; --term) sum = sum * t + TERMS[term];
  return x * (inside * sum + 0.5f);
}

// exp(x) for x <= 0, 0 below -87.
inline Floats exp_negative(Floats x) {
  constexpr float ROUNDING = 12582912.0f;  // 1.5 2^23: adding it rounds to an integer
  x = x < -87.0f ? Floats{} - 87.0f : x;
  Floats shifted = x * 1.44269504f + ROUNDING, n = shifted - ROUNDING;
  Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  Floats sum = r * (1 / 5040.0f) + 1 / 720.0f;
  sum = sum * r + 1 / 120.0f, sum = sum * r + 1 / 24.0f, sum = sum * r + 1 / 6.0f, sum = sum * r + 0.5f;
  sum = sum * r * r + r + 1.0f;
  Bits exponent = (Bits(shifted) - 0x4b400000u) << 23;
  return Floats(Bits(sum) + exponent);
}

inline Floats hyperbolic_tangent(Floats x) {
  Floats size = x < 0.0f ? -x : x;
  Floats shrunk = exp_negative(-2.0f * size);
  Floats value = (1.0f - shrunk) / (1.0f + shrunk);
  return x < 0.0f ? -value : value;
}

enum class Activation { tanh, gelu };

inline Floats activated(Floats x, Activation activation) {
  return activation == Activation::gelu ? gelu(x) : hyperbolic_tangent(x);
}

// Aligned memory of one owner, set to zero.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(long size) : memory_(std::aligned_alloc(64, (size * sizeof(T) + 127) / 64 * 64)) {
    if (!memory_) throw std::bad_alloc();
    T* begin = get();
    for (long i = 0; i < size; ++i) begin[i] = T{};
  }
  T* get() const { return static_cast<T*>(memory_.get()); }
  T& operator[](long i) const { return get()[i]; }

 private:
  struct Release {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Release> memory_;
};

constexpr int padded(int size, int unit) { return (size + unit - 1) / unit * unit; }

}  // namespace AMPCLI_SPACE::surrogate
