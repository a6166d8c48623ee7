// A step of Adam (ampcli/training/adam.py) in one pass over the parameters.
#pragma once

#include "network.h"

namespace ampcli::training {

struct Moments {
  float add1, keep2, add2, correction1, correction2, epsilon;

  // 1 - beta is rounded once: of 0.999 in single precision it would be wrong by 5e-5.
  Moments(double beta1, double beta2, double correction1, double correction2, double epsilon)
      : add1(float(1 - beta1)), keep2(float(beta2)), add2(float(1 - beta2)),
        correction1(float(correction1)), correction2(float(correction2)), epsilon(float(epsilon)) {}
};

constexpr long ADAM_SHARE = 1 << 18;  // parameters that are worth a thread

inline void adam_step(float* parameters, const float* gradient, float* first, float* second, long count, float rate,
                      const Moments& by, float decay, long threads) {
  const float kept = 1.0f - decay * rate, scale = rate / by.correction1, inverse = 1.0f / by.correction2;
  const auto update = [&](Vector& p, Vector g, Vector& m, Vector& v) {
    m += by.add1 * (g - m);
    v = by.keep2 * v + by.add2 * g * g;
    p = kept * p - scale * over_root(m, v * inverse, by.epsilon);
  };
  in_threads(count / LANES, std::min(threads, count / ADAM_SHARE), [&](long, long from, long to) {
    for (long n = from * LANES; n < to * LANES; n += LANES) {
      Vector p = load(parameters + n), m = load(first + n), v = load(second + n);
      update(p, load(gradient + n), m, v);
      store(parameters + n, p), store(first + n, m), store(second + n, v);
    }
  });
  for (long n = count / LANES * LANES; n < count; ++n) {
    Vector p = all(parameters[n]), m = all(first[n]), v = all(second[n]);
    update(p, all(gradient[n]), m, v);
    parameters[n] = p[0], first[n] = m[0], second[n] = v[0];
  }
}

}  // namespace ampcli::training
