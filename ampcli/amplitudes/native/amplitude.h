// Exact tree |M|^2 of one massless quark line, n gluons and a colour-singlet vector: an on-shell Z, or photon + Z from
// massless leptons.
//
// Colour-ordered Berends-Giele currents (Nucl. Phys. B306 (1988) 759), shared between all orderings: a "word" is an
// ordered set of gluons; each word of fewer than n gluons has a gluon current, and a current of the quark and of the
// antiquark that absorbed it.  An ordered amplitude joins a quark's and an antiquark's current at the vector's vertex.
// Linear polarisations keep gluon currents real; the quark line is left-handed (parity gives the right-handed one);
// with the vector, or the leptons, along z each of the vector's polarisations sees one entry of the 2 x 2 matrix
// (quark spinor) x (antiquark spinor).
//
// The same text is compiled for CPUs (V = W: a SIMD vector of events) and for CUDA (one event a thread).  V is the type
// of the currents, W of the kinematics.  What depends on n alone comes as tables; tables.py makes and documents them.
#pragma once

#include "kinematics.h"

namespace ampcli {

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

// The squared sum over colours: signed sums of amplitudes make the colour matrix block-diagonal.
template <class V, class Stride>
AMPCLI_INLINE V colour_sum(Tables t, Memory<V, Stride> re, Memory<V, Stride> im, V none) {
  using T = typename Lanes<V>::Scalar;
  const int* it = t.section(4);
  for (int butterflies = *it++; butterflies > 0; --butterflies, it += 2) {
    V a = re[it[0]], b = re[it[1]], c = im[it[0]], d = im[it[1]];
    re[it[0]] = a + b, re[it[1]] = a - b, im[it[0]] = c + d, im[it[1]] = c - d;
  }
  const double* colour = t.colour;
  V sum = none;
  for (int i = 0; i < t.orderings(); ++i) {
    V x = none, y = none;
    for (int entries = *it++; entries > 0; --entries, ++it, ++colour) {
      T c = T(*colour);
      x += c * re[*it], y += c * im[*it];
    }
    sum += x * re[i] + y * im[i];
  }
  return sum;
}

// |M|^2 of physical, on-shell momenta: the sum over colours, or (SQUARES) every ordering's square in scratch.square.
template <int POLARISATIONS, bool SQUARES, class V, class W, class Stride>
AMPCLI_INLINE V squared(const Cartesian<W>* p, const Cartesian<W>* turned, Tables t, const Legs& legs,
                        const Parameters& parameters, const Scratch<V, Stride>& s) {
  int n = t.gluons(), all = (1 << n) - 1;
  external_states(p, turned, legs, parameters, s);
  V none = s.momentum[0];
  Vector<V> ends[2];
  for (int i = 0; i < 2; ++i) {
    W sign = W{} + (legs.parton[i] < 2 ? -1.0 : 1.0);
    ends[i] = converted<V>(sign * light_cone(turned[legs.parton[i]]));
  }
  gluon_currents(t, s);
  quark_currents(t, s, ends[0], ends[1]);

  // Weights of the vector's polarisations.
  W weight[3];
  if constexpr (POLARISATIONS == 3) {
    Cartesian<W> k = turned[legs.vector];
    W gauge = parameters.mass / (k.e + absolute(k.z));  // epsilon_L - k/M = M/(E + |k|) (-1, 0, 0, 1)
    weight[0] = weight[1] = W{} + 2.0;
    weight[2] = 4 * gauge * gauge;
  } else {
    W invariant_mass = invariant(p[0], p[1]);
    W off = invariant_mass - parameters.mass * parameters.mass;
    W propagator = 1 / (off * off + parameters.mass_width * parameters.mass_width);
    for (int c = 0; c < 2; ++c) {
      const double* z = c == 0 ? parameters.flip : parameters.same;
      weight[c] = W{};
      for (int i = 0; i < 2; ++i) {
        W re = parameters.photon / invariant_mass + z[i] * off * propagator;
        W im = z[i] * parameters.mass_width * propagator;
        weight[c] += 4 * invariant_mass * (re * re + im * im);
      }
    }
  }
  V norm[3];
  for (int c = 0; c < POLARISATIONS; ++c) norm[c] = Lanes<V>::from(parameters.norm * weight[c]);

  Spinor<V> quark = s.quark.spinor(0), antiquark = s.antiquark.spinor(0);
  Vector<V> full = s.momentum.vector(4 * all), pq = full + ends[0], pa = full + ends[1];
  V q_inverse = n ? s.quark_propagator[all] : none, a_inverse = n ? s.antiquark_propagator[all] : none;

  // The longest gluon currents, absorbed by an external quark or antiquark: their coefficients, for light-cone axes.
  Complex<V> axes[4][3];
  for (int axis = 0; axis < 4; ++axis) {
    V one = none + 1;
    Vector<V> unit{axis == 0 ? one : none, axis == 1 ? one : none, axis == 2 ? one : none, axis == 3 ? one : none};
    Spinor<V> q{{none, none}, {none, none}}, a{{none, none}, {none, none}};
    add_absorbed(q, quark, unit), add_absorbed(a, antiquark, unit);
    for (int c = 0; c < POLARISATIONS; ++c) axes[axis][c] = {none, none};
    add_joined<V, POLARISATIONS>(axes[axis], propagated(q, pq, q_inverse), antiquark);
    add_joined<V, POLARISATIONS>(axes[axis], quark, propagated(a, pa, a_inverse));
  }

  int orderings = t.orderings();
  V sum = none;
  for (int i = 0; SQUARES && i < orderings; ++i) s.square[i] = none;
  for (int h = 0; h < 1 << n; ++h) {
    const int* top = t.section(3);
    V gluon_inverse = n > 1 ? s.gluon_propagator[all] : none;
    for (int b = 0; b < t.basis(); ++b, top += 1 + 4 * (n - 1)) {
      const int* positions = t.section(2) + top[0] * (2 * (n + 1) + (1 << n)) + 2 * (n + 1);
      Vector<V> j = gluon_inverse * gluon_sum(top + 1, n, positions[h], s, static_cast<Tensor<V>*>(nullptr));
      if (n == 1) {
        j = converted<V>(polarisation(turned[legs.parton[2]], h));
        if (parameters.replaced == 0)
          j = converted<V>((1 / turned[legs.parton[2]].e) * light_cone(turned[legs.parton[2]]));
      }
      for (int c = 0; c < POLARISATIONS; ++c) {
        Complex<V>* x[4] = {&axes[0][c], &axes[1][c], &axes[2][c], &axes[3][c]};
        s.longest[6 * b + 2 * c] = j.plus * x[0]->re + j.minus * x[1]->re + j.x * x[2]->re + j.y * x[3]->re;
        s.longest[6 * b + 2 * c + 1] = j.plus * x[0]->im + j.minus * x[1]->im + j.x * x[2]->im + j.y * x[3]->im;
      }
    }
    const int* it = t.section(2);
    const int* relation = t.section(5);
    for (int i = 0; i < orderings; ++i, it += 2 * (n + 1) + (1 << n)) {
      int positions = it[2 * (n + 1) + h];
      Complex<V> a[3] = {{none, none}, {none, none}, {none, none}};
      int negative = *relation++;
      for (int sources = *relation++; sources > 0; --sources, ++relation)
        for (int c = 0; c < POLARISATIONS; ++c) {
          a[c].re += s.longest[6 * *relation + 2 * c];
          a[c].im += s.longest[6 * *relation + 2 * c + 1];
        }
      if (negative)
        for (int c = 0; c < POLARISATIONS; ++c) a[c] = {-a[c].re, -a[c].im};
      for (int j = 1; j < n; ++j)
        add_joined<V, POLARISATIONS>(a, s.quark.spinor(4 * (it[2 * j] + (positions & ((1 << j) - 1)))),
                                     s.antiquark.spinor(4 * (it[2 * j + 1] + (positions >> j))));
      if (n == 0) add_joined<V, POLARISATIONS>(a, quark, antiquark);
      if (n > 1) {
        Spinor<V> q = quark_sum(it, n, 1, positions, s), b = antiquark_sum(it, n - 1, positions, s);
        add_joined<V, POLARISATIONS>(a, propagated(q, pq, q_inverse), antiquark);
        add_joined<V, POLARISATIONS>(a, quark, propagated(b, pa, a_inverse));
      }
      for (int c = 0; c < POLARISATIONS; ++c) {
        if (SQUARES) {
          s.square[i] += norm[c] * (a[c].re * a[c].re + a[c].im * a[c].im);
        } else {
          s.amplitude[2 * c * orderings + i] = a[c].re;
          s.amplitude[(2 * c + 1) * orderings + i] = a[c].im;
        }
      }
    }
    for (int c = 0; !SQUARES && c < POLARISATIONS; ++c) {
      Memory<V, Stride> re{&s.amplitude[2 * c * orderings], s.amplitude.stride};
      Memory<V, Stride> im{&s.amplitude[(2 * c + 1) * orderings], s.amplitude.stride};
      sum += norm[c] * colour_sum(t, re, im, none);
    }
  }
  return sum;
}

// One event, or SIMD vector of events: checks `p`, changes it, returns |M|^2; `bad` is 1 where p is no event.
template <int POLARISATIONS, bool SQUARES, class V, class W, class Stride>
AMPCLI_INLINE V evaluate(Cartesian<W>* p, Tables t, const Legs& legs, const Parameters& parameters,
                         const Scratch<V, Stride>& s, W& bad) {
  bad = faults(p, legs, parameters.mass, parameters.tolerance);
  put_on_shell(p, legs, POLARISATIONS == 3 ? parameters.mass : 0.0);
  Cartesian<W> turned[MAX_LEGS];
  for (int i = 0; i < legs.external; ++i) turned[i] = p[i];
  if (POLARISATIONS == 2) boost_to_rest(turned, legs);
  turn_to_z(turned, legs);
  return squared<POLARISATIONS, SQUARES>(p, turned, t, legs, parameters, s);
}

}  // namespace ampcli
