// Exact tree |M|^2 of four to six gluons.  gluons.py says how; the tables are those of tables.py for all gluons but one,
// with another colour.
#pragma once

#include "amplitude.h"

namespace AMPCLI_SPACE {

struct GluonsParameters {
  double norm, tolerance;
  int replaced;  // gluon, not the last one, whose polarisations are replaced by p / E (must give 0), or -1
};

// |M|^2 of physical, on-shell momenta: the sum over colours, or (SQUARES) every ordering's square in scratch.square.
// `legs.parton` begins with the last gluon, twice: where a quark line has its ends.
template <bool SQUARES, class V, class Stride>
AMPCLI_INLINE V gluons_squared(const Cartesian<V>* p, Tables t, const Legs& legs, const GluonsParameters& parameters,
                               const Scratch<V, Stride>& s) {
  int n = t.gluons(), orderings = t.orderings();
  Parameters usual{};
  usual.replaced = parameters.replaced;
  external_states(p, p, legs, usual, s);
  gluon_currents(t, s);
  V none = s.momentum[0], sum = none;
  Vector<V> last[2];
  for (int which = 0; which < 2; ++which) last[which] = polarisation(p[legs.parton[0]], which);
  Memory<V, Stride> re = s.amplitude, im{&s.amplitude[orderings], s.amplitude.stride};
  for (int i = 0; i < orderings; ++i) re[i] = im[i] = s.square[i] = none;
  for (int h = 0; h < 1 << n; ++h) {
    const int* top = t.section(3);
    for (int b = 0; b < t.basis(); ++b, top += 1 + 4 * (n - 1)) {
      const int* positions = t.section(2) + top[0] * (2 * (n + 1) + (1 << n)) + 2 * (n + 1);
      Vector<V> j = gluon_sum(top + 1, n, positions[h], s, static_cast<Tensor<V>*>(nullptr));
      re[b] = half<V> * twice_dot(j, last[0]), im[b] = half<V> * twice_dot(j, last[1]);  // both polarisations
    }
    if constexpr (SQUARES) {
      const int* relation = t.section(5);
      for (int i = 0; i < orderings; ++i) {
        ++relation;  // the sign
        V x = none, y = none;
        for (int sources = *relation++; sources > 0; --sources, ++relation) x += re[*relation], y += im[*relation];
        s.square[i] += parameters.norm * (x * x + y * y);
      }
    } else {
      sum += colour_sum(t, re, im, none);
    }
  }
  return parameters.norm * sum;
}

template <bool SQUARES, class V, class Stride>
AMPCLI_INLINE V evaluate_gluons(Cartesian<V>* p, Tables t, const Legs& legs, const GluonsParameters& parameters,
                                const Scratch<V, Stride>& s, V& bad) {
  bad = faults(p, legs, 0.0, parameters.tolerance);
  put_on_shell(p, legs, 0.0);
  return gluons_squared<SQUARES>(p, t, legs, parameters, s);
}

}  // namespace AMPCLI_SPACE
