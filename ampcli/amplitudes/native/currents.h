// What an amplitude is made of: tables, scratch memory, external states and the currents of gluons and quarks.  See
// amplitude.h.
#pragma once

#include "kinematics.h"

namespace AMPCLI_SPACE {

struct Tables {
  const int* ints;
  const double* colour;

  AMPCLI_INLINE int gluons() const { return ints[0]; }
  AMPCLI_INLINE int slots() const { return ints[1]; }
  AMPCLI_INLINE int orderings() const { return ints[2]; }
  AMPCLI_INLINE int basis() const { return ints[3]; }
  AMPCLI_INLINE const int* section(int number) const { return ints + ints[4 + number]; }
};

struct Parameters {
  double mass, mass_width;          // of the Z: M, M Gamma in GeV
  double norm;                      // averages, identical particles, g_s^2n; for a Z also g_L^2 + g_R^2
  double photon, same[2], flip[2];  // couplings of leptons x quarks: charges; Z with LL, RR; with LR, RL
  double tolerance;
  int replaced;                     // gluon whose polarisations are replaced by p / E (must give 0), or -1
};

// As `couplings.engine_parameters` writes them.
AMPCLI_INLINE Parameters parameters_of(const double* x, int replaced) {
  return {x[0], x[1], x[2], x[3], {x[4], x[5]}, {x[6], x[7]}, x[8], replaced};
}

template <class V, class Stride>
struct Scratch {
  Memory<V, Stride> momentum, gluon_propagator, quark_propagator, antiquark_propagator;
  Memory<V, Stride> gluon, tensor, quark, antiquark, longest, amplitude, square;

  AMPCLI_INLINE Scratch(V* data, Stride stride, Tables t) {
    int sets = 1 << t.gluons(), at = 0;
    auto take = [&](int size) {
      Memory<V, Stride> taken{data + at * long(stride), stride};
      at += size;
      return taken;
    };
    momentum = take(4 * sets);
    gluon_propagator = take(sets), quark_propagator = take(sets), antiquark_propagator = take(sets);
    gluon = take(4 * t.slots()), tensor = take(6 * t.slots());
    quark = take(4 * t.slots()), antiquark = take(4 * t.slots());
    longest = take(6 * t.basis());
    amplitude = take(6 * t.orderings()), square = take(t.orderings());
  }

  static AMPCLI_INLINE long size(Tables t) {
    return 7L * (1 << t.gluons()) + 18L * t.slots() + 6L * t.basis() + 7L * t.orderings();
  }
};

template <class V, class W>
AMPCLI_INLINE Vector<V> converted(Vector<W> v) {
  return {Lanes<V>::from(v.plus), Lanes<V>::from(v.minus), Lanes<V>::from(v.x), Lanes<V>::from(v.y)};
}

// Momenta, propagators and one-letter currents.
template <class V, class W, class Stride>
AMPCLI_INLINE void external_states(const Cartesian<W>* p, const Cartesian<W>* turned, const Legs& legs,
                                   const Parameters& parameters, const Scratch<V, Stride>& s) {
  int n = legs.gluons;
  W none = p[0].e * 0, pair[MAX_PARTONS][MAX_PARTONS];
  Vector<W> momentum[MAX_PARTONS];
  for (int i = 0; i < n + 2; ++i) {
    int leg = legs.parton[i];
    double sign = leg < 2 ? -1.0 : 1.0;
    Vector<W> q = light_cone(turned[leg]);
    momentum[i] = {sign * q.plus, sign * q.minus, sign * q.x, sign * q.y};
    for (int j = 0; j < i; ++j) {
      double both = legs.parton[j] < 2 ? -sign : sign;
      pair[i][j] = pair[j][i] = both * invariant(p[leg], p[legs.parton[j]]);
    }
  }
  W gluons[1 << MAX_GLUONS], with_quark[1 << MAX_GLUONS], with_antiquark[1 << MAX_GLUONS];
  Vector<W> total[1 << MAX_GLUONS];
  gluons[0] = with_quark[0] = with_antiquark[0] = none;
  total[0] = {none, none, none, none};
  s.momentum.put(0, converted<V>(total[0]));
  for (int set = 1; set < 1 << n; ++set) {
    int last = 0;
    while (set >> (last + 1)) ++last;
    int rest = set - (1 << last);
    W to_quark = pair[0][last + 2], to_antiquark = pair[1][last + 2], to_rest = none;
    for (int i = 0; i < last; ++i)
      if (rest >> i & 1) to_rest += pair[i + 2][last + 2];
    gluons[set] = gluons[rest] + to_rest;
    // the quark's and antiquark's own share, without the gluons' invariant
    with_quark[set] = with_quark[rest] + to_quark;
    with_antiquark[set] = with_antiquark[rest] + to_antiquark;
    total[set] = total[rest] + momentum[last + 2];
    s.momentum.put(4 * set, converted<V>(total[set]));
    if (rest) s.gluon_propagator[set] = Lanes<V>::from(1 / gluons[set]);
    s.quark_propagator[set] = Lanes<V>::from(-1 / (gluons[set] + with_quark[set]));
    s.antiquark_propagator[set] = Lanes<V>::from(1 / (gluons[set] + with_antiquark[set]));
  }
  for (int i = 0; i < 2; ++i) {
    int leg = legs.parton[i];
    Spinor<W> spinor = left_handed(light_cone(turned[leg]));
    (i == 0 ? s.quark : s.antiquark)
        .put(0, Spinor<V>{{Lanes<V>::from(spinor.up.re), Lanes<V>::from(spinor.up.im)},
                          {Lanes<V>::from(spinor.down.re), Lanes<V>::from(spinor.down.im)}});
  }
  for (int i = 0; i < n && n > 1; ++i)
    for (int which = 0; which < 2; ++which) {
      Vector<W> state = polarisation(turned[legs.parton[i + 2]], which);
      if (i == parameters.replaced) state = (1 / turned[legs.parton[i + 2]].e) * light_cone(turned[legs.parton[i + 2]]);
      s.gluon.put(4 * (1 + 2 * i + which), converted<V>(state));
    }
}

// Sum over the ways to split a word in two, of the three- and four-gluon vertices.  `splits`: prefix, suffix, their sets.
template <class V, class Stride>
AMPCLI_INLINE Vector<V> gluon_sum(const int* splits, int letters, int h, const Scratch<V, Stride>& s, Tensor<V>* b) {
  V none = s.momentum[0];
  Vector<V> sum{none, none, none, none};
  for (int j = 1; j < letters; ++j, splits += 4) {
    int left = splits[0] + (h & ((1 << j) - 1)), right = splits[1] + (h >> j);
    Vector<V> j1 = s.gluon.vector(4 * left), j2 = s.gluon.vector(4 * right);
    sum = sum + bracket(j1, s.momentum.vector(4 * splits[2]), j2, s.momentum.vector(4 * splits[3]));
    if (j > 1) sum = sum - contract(s.tensor.tensor(6 * left), j2);
    if (letters - j > 1) sum = sum + contract(s.tensor.tensor(6 * right), j1);
    if (b) add_wedge(*b, j1, j2);
  }
  return sum;
}

// Gluon currents of all words of 2 to n - 1 gluons.  Words that do not begin with their first letter follow from those
// that do (Kleiss-Kuijf relations).
template <class V, class Stride>
AMPCLI_INLINE void gluon_currents(Tables t, const Scratch<V, Stride>& s) {
  const int* it = t.section(0);
  V none = s.momentum[0];
  for (int letters = 2; letters < t.gluons(); ++letters) {
    for (int words = *it++; words > 0; --words, it += 4 * (letters - 1)) {
      int slot = *it++, set = *it++;
      for (int h = 0; h < 1 << letters; ++h) {
        Tensor<V> b{none, none, none, none, none, none};
        V inverse = s.gluon_propagator[set];
        s.gluon.put(4 * (slot + h), inverse * gluon_sum(it, letters, h, s, &b));
        s.tensor.put(6 * (slot + h), b);
      }
    }
    for (int derived = *it++; derived > 0; --derived) {
      int slot = *it++, negative = *it++, with_tensor = *it++;
      Vector<V> sum{none, none, none, none};
      Tensor<V> b{none, none, none, none, none, none};
      for (int sources = *it++; sources > 0; --sources, ++it) {
        sum = sum + s.gluon.vector(4 * *it);
        if (with_tensor) {
          Tensor<V> add = s.tensor.tensor(6 * *it);
          b = {b.pm + add.pm, b.px + add.px, b.py + add.py, b.mx + add.mx, b.my + add.my, b.xy + add.xy};
        }
      }
      if (negative) {
        sum = {-sum.plus, -sum.minus, -sum.x, -sum.y};
        b = {-b.pm, -b.px, -b.py, -b.mx, -b.my, -b.xy};
      }
      s.gluon.put(4 * slot, sum);
      if (with_tensor) s.tensor.put(6 * slot, b);
    }
  }
}

// The quark after it absorbed a word: prefix first, then the suffix as one gluon.  `splits`: prefixes and suffixes for
// 0, 1, ... letters in the prefix; `first` skips the longest gluon currents, which are not stored.
template <class V, class Stride>
AMPCLI_INLINE Spinor<V> quark_sum(const int* splits, int letters, int first, int h, const Scratch<V, Stride>& s) {
  V none = s.momentum[0];
  Spinor<V> sum{{none, none}, {none, none}};
  for (int j = first; j < letters; ++j)
    add_absorbed(sum, s.quark.spinor(4 * (splits[2 * j] + (h & ((1 << j) - 1)))),
                 s.gluon.vector(4 * (splits[2 * j + 1] + (h >> j))));
  return sum;
}

// The antiquark (complex conjugate) after it absorbed a word: suffix first, then the prefix as one gluon.
template <class V, class Stride>
AMPCLI_INLINE Spinor<V> antiquark_sum(const int* splits, int last, int h, const Scratch<V, Stride>& s) {
  V none = s.momentum[0];
  Spinor<V> sum{{none, none}, {none, none}};
  for (int j = 1; j <= last; ++j)
    add_absorbed(sum, s.antiquark.spinor(4 * (splits[2 * j + 1] + (h >> j))),
                 s.gluon.vector(4 * (splits[2 * j] + (h & ((1 << j) - 1)))));
  return sum;
}

template <class V, class Stride>
AMPCLI_INLINE Vector<V> with_end(const Scratch<V, Stride>& s, int set, int end) {
  return s.momentum.vector(4 * set) + s.momentum.vector(4 * end);
}

template <class V, class Stride>
AMPCLI_INLINE void quark_currents(Tables t, const Scratch<V, Stride>& s, Vector<V> quark, Vector<V> antiquark) {
  const int* it = t.section(1);
  for (int words = *it++; words > 0; --words) {
    int slot = *it++, letters = *it++, set = *it++;
    Vector<V> p = s.momentum.vector(4 * set), pq = p + quark, pa = p + antiquark;
    V q_inverse = s.quark_propagator[set], a_inverse = s.antiquark_propagator[set];
    for (int h = 0; h < 1 << letters; ++h) {
      s.quark.put(4 * (slot + h), propagated(quark_sum(it, letters, 0, h, s), pq, q_inverse));
      s.antiquark.put(4 * (slot + h), propagated(antiquark_sum(it, letters, h, s), pa, a_inverse));
    }
    it += 2 * (letters + 1);
  }
}

}  // namespace AMPCLI_SPACE
