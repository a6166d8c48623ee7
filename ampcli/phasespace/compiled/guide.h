// What |M|^2 is like, up to a constant, from the colour flows of partons: sums over the orders of gluons along a string of
// products of 1 / (p_a.p_b), times what squared helicity amplitudes have above them (S. Parke, T. Taylor, Phys. Rev. Lett. 56
// (1986) 2459; Z. Kunszt, W.J. Stirling, Phys. Rev. D37 (1988) 2439).  Exact for up to five gluons, and
// within a factor of a few for a quark line with a Z and gluons.
#pragma once

#include "pair.h"

namespace ampcli::phasespace {

constexpr int MAX_GLUONS = 8;

struct Flow {  // of all legs, incoming first
  int quarks = 0, gluons = 0, others = 0;  // quarks: the ends of one line, 0 or 2; with a pair, the quark first
  int quark[2] = {}, gluon[MAX_GLUONS + 1] = {}, other[MAX_FINAL] = {};
  Pair pair;  // what is without colour, if it is one
};

AMPCLI_INLINE Real positive(Real value) { return larger(magnitude(value), real(1e-12)); }

AMPCLI_INLINE Real fourth(Real value) { return value * value * value * value; }

// Sum over the orders of n gluons between two ends; each argument of `between` holds 1 / (p_a.p_b).
AMPCLI_INLINE Real strings(int n, const Real (*between)[MAX_GLUONS], const Real* first, const Real* second) {
  Real sum[1 << MAX_GLUONS][MAX_GLUONS];  // over the orders of a set that end with one of its gluons
  for (int set = 1; set < 1 << n; ++set)
    for (int end = 0; end < n; ++end) {
      if (!(set >> end & 1)) continue;
      int rest = set ^ (1 << end);
      Real total = rest ? Real{} : first[end];
      for (int before = 0; before < n; ++before)
        if (rest >> before & 1) total += sum[rest][before] * between[before][end];
      sum[set][end] = total;
    }
  Real total{};
  for (int end = 0; end < n; ++end) total += sum[(1 << n) - 1][end] * second[end];
  return total;
}

AMPCLI_INLINE Real guide(const Flow& of, const Momentum* p) {
  Momentum rest{};  // of legs without colour
  for (int k = 0; k < of.others; ++k) rest = rest + p[of.other[k]];
  const bool closed = of.quarks == 0;
  const int inner = closed ? of.gluons - 1 : of.gluons;
  const int* gluon = of.gluon + closed;
  const Momentum &one = p[closed ? of.gluon[0] : of.quark[0]], &two = p[closed ? of.gluon[0] : of.quark[1]];
  Real first[MAX_GLUONS], second[MAX_GLUONS], between[MAX_GLUONS][MAX_GLUONS], above{};
  for (int i = 0; i < inner; ++i) {
    Real a = positive(product(one, p[gluon[i]])), b = closed ? a : positive(product(two, p[gluon[i]]));
    first[i] = 1.0 / a, second[i] = 1.0 / b;
    above += closed ? fourth(a) : a * b * (a * a + b * b);
    for (int j = i + 1; j < inner; ++j) {
      Real c = positive(product(p[gluon[i]], p[gluon[j]]));
      if (closed) above += fourth(c);
      between[i][j] = between[j][i] = 1.0 / c;
    }
  }
  if (closed) {
    if (of.others) above += fourth(0.5 * product(rest, rest));
  } else if (of.others) {
    Real a = positive(product(one, rest)), b = positive(product(two, rest));
    if (of.pair.exists) {
      const Momentum &l = p[of.pair.leg[0] + 2], &k = p[of.pair.leg[1] + 2];
      Real la = product(one, l), ka = product(one, k), lb = product(two, l), kb = product(two, k), same, flip;
      Real s = 2.0 * positive(product(l, k));
      propagators(of.pair, s, same, flip);
      Real ends = same * (la * la + kb * kb) + flip * (ka * ka + lb * lb);
      if (inner == 0) return ends;
      // helicities of the gluons that differ; of a decay that does not know the quarks, `ends` is (same + flip) (a^2 + b^2) / 3
      above = s * (inner > 1 ? ends + (same + flip) * above / (3.0 * a * b) : ends);
    } else {
      above = a * a + b * b + above / (a * b);
    }
    if (inner == 0) return above;
  } else {
    above /= positive(product(one, two));
  }
  return above * strings(inner, between, first, second);
}

}  // namespace ampcli::phasespace
