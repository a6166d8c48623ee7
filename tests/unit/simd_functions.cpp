// The functions of ampcli/simd on arrays, one instruction set at a time.
#include "../../ampcli/simd/activations.h"
#include "../../ampcli/simd/elementary.h"

namespace simd = AMPCLI_SPACE::simd;

namespace {

template <class Function>
void of_floats(const float* x, float* to, long n, Function function) {
  for (long i = 0; i < n; i += simd::FLOATS) simd::store(to + i, function(simd::load(x + i)));
}

}  // namespace

extern "C" {

long vector_of_floats() { return simd::FLOATS; }

void take_log(double* x, long n) { simd::each(x, int(n), simd::logarithm); }
void take_exp(double* x, long n) { simd::each(x, int(n), simd::exponential); }
void take_asinh(double* x, long n) { simd::each(x, int(n), simd::area_sine); }

void take_atan2(double* y, const double* x, long n) { simd::each(y, x, int(n), simd::angle_of); }

void gelu(const float* x, float* to, long n) { of_floats(x, to, n, simd::gelu); }
void tanh_of(const float* x, float* to, long n) { of_floats(x, to, n, simd::tanh); }
void gelu_in_training(const float* x, float* to, long n) {
  of_floats(x, to, n, [](simd::Floats v) { return simd::gelu_with_slope(v).value; });
}
void gelu_slope(const float* x, float* to, long n) {
  of_floats(x, to, n, [](simd::Floats v) { return simd::gelu_with_slope(v).slope; });
}
}
