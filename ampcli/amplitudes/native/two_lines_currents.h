// Momenta, external states, currents and lines of two quark lines.  See two_lines.h.
#pragma once

#include "currents.h"

namespace AMPCLI_SPACE {

constexpr int MAX_TWO_LINES_GLUONS = 2;

struct TwoLinesTables {
  const int* ints;
  const double* colour;

  AMPCLI_INLINE int gluons() const { return ints[0]; }
  AMPCLI_INLINE int states() const { return ints[1]; }
  AMPCLI_INLINE int pairings() const { return ints[2]; }
  AMPCLI_INLINE int absorbing() const { return ints[3]; }
  AMPCLI_INLINE int flows() const { return ints[4]; }
  AMPCLI_INLINE int squares() const { return pairings() == 1 ? flows() / 2 : flows(); }  // flows of gluons
  AMPCLI_INLINE int scratch() const { return ints[5]; }
  AMPCLI_INLINE int amplitudes() const { return ints[6]; }
  AMPCLI_INLINE int places() const { return pairings() * flows() << gluons(); }  // of amplitudes of one kind
  AMPCLI_INLINE const int* section(int number) const { return ints + ints[7 + number]; }
};

template <class V>
struct ComplexVector { Vector<V> re, im; };

template <class V>
AMPCLI_INLINE ComplexVector<V> complex_vector(Memory<V, Contiguous> m, int i) { return {m.vector(i), m.vector(i + 4)}; }

template <class V>
AMPCLI_INLINE void put(Memory<V, Contiguous> m, int i, ComplexVector<V> v) { m.put(i, v.re), m.put(i + 4, v.im); }

// ---- momenta and external states -----------------------------------------------------------------------------------

template <class V>
AMPCLI_INLINE void sets(const int* it, const Cartesian<V>* p, const Vector<V>* momentum, const Legs& legs,
                        Memory<V, Contiguous> m) {
  int partons = legs.gluons + 2;
  V none = p[0].e * 0, pair[MAX_PARTONS][MAX_PARTONS];
  for (int i = 0; i < partons; ++i)
    for (int j = 0; j < i; ++j) {
      double sign = (legs.parton[i] < 2) == (legs.parton[j] < 2) ? 1.0 : -1.0;
      pair[i][j] = pair[j][i] = sign * invariant(p[legs.parton[i]], p[legs.parton[j]]);
    }
  for (int count = *it++; count > 0; --count) {
    int at = *it++, others = *it++, members = *it++;
    Vector<V> sum = momentum[it[0]];
    V square = none;
    for (int i = 1; i < members; ++i) {
      sum = sum + momentum[it[i]];
      for (int j = 0; j < i; ++j) square += pair[it[i]][it[j]];
    }
    m.put(at, (none + (others ? -1.0 : 1.0)) * sum);
    m[at + 4] = members > 1 ? 1 / square : none;
    it += members;
  }
}

template <class V>
AMPCLI_INLINE void external_states(const int* it, const Cartesian<V>* turned, const Legs& legs, int replaced,
                                   Memory<V, Contiguous> m) {
  ++it;
  for (int i = 0; i < 4; ++i) m.put(*it++, left_handed(light_cone(turned[legs.parton[i]])));
  for (int i = 4; i < legs.gluons + 2; ++i)
    for (int which = 0; which < 2; ++which) {
      Cartesian<V> k = turned[legs.parton[i]];
      m.put(*it++, replaced == i - 4 ? (1 / k.e) * light_cone(k) : polarisation(k, which));
    }
}

// ---- currents ------------------------------------------------------------------------------------------------------

template <class V>
AMPCLI_INLINE void two_lines_gluons(const int* it, Memory<V, Contiguous> m) {
  for (int count = *it++; count > 0; --count) {
    int at = *it++, set = *it++;
    Vector<V> sum{};
    for (int splits = *it++; splits > 0; --splits, it += 4)
      sum = sum + bracket(m.vector(it[0]), m.vector(it[2]), m.vector(it[1]), m.vector(it[3]));
    m.put(at, m[set + 4] * sum);
  }
}

// Row spinors that have absorbed gluons; the propagator has a minus sign for quarks.
template <class V>
AMPCLI_INLINE const int* absorbed(const int* it, Spinor<V>& sum, Memory<V, Contiguous> m) {
  for (int terms = *it++; terms > 0; --terms, it += 2) add_absorbed(sum, m.spinor(it[0]), m.vector(it[1]));
  return it;
}

template <class V>
AMPCLI_INLINE Spinor<V> propagated_by(Spinor<V> sum, int set, int antiquark, Memory<V, Contiguous> m) {
  V inverse = m[set + 4];
  return propagated(sum, m.vector(set), antiquark ? inverse : -inverse);
}

template <class V>
AMPCLI_INLINE void two_lines_spinors(const int* it, Memory<V, Contiguous> m) {
  for (int count = *it++; count > 0; --count) {
    int at = *it++, set = *it++, antiquark = *it++;
    Spinor<V> sum{};
    it = absorbed(it, sum, m);
    m.put(at, propagated_by(sum, set, antiquark, m));
  }
}

template <class V>
AMPCLI_INLINE void vector_spinors(const int* it, int state, Memory<V, Contiguous> m) {
  for (int count = *it++; count > 0; --count) {
    int at = *it++, set = *it++, antiquark = *it++;
    Spinor<V> before = m.spinor(*it++), sum{};
    if (state == 2)
      sum.down = before.down;
    else if ((state == 0) != bool(antiquark))
      sum.down = before.up;
    else
      sum.up = before.down;
    it = absorbed(it, sum, m);
    m.put(at, propagated_by(sum, set, antiquark, m));
  }
}

// What a gluon current J gives between a quark and an antiquark, as coefficients of J's components.
template <class V>
AMPCLI_INLINE void add_line(ComplexVector<V>& sum, Spinor<V> s, Spinor<V> b) {
  Complex<V> up{}, down{}, left{}, right{};
  add_product(up, s.up, b.up), add_product(down, s.down, b.down);
  add_product(left, s.down, b.up), add_product(right, s.up, b.down);
  sum.re = sum.re + Vector<V>{up.re, down.re, left.re + right.re, right.im - left.im};
  sum.im = sum.im + Vector<V>{up.im, down.im, left.im + right.im, left.re - right.re};
}

template <class V>
AMPCLI_INLINE void two_lines_lines(const int* it, int parts, Memory<V, Contiguous> m) {
  for (int count = *it++; count > 0; --count) {
    int at = *it++;
    ComplexVector<V> sum{};
    for (int i = 0; i < parts; ++i, it += 2) add_line(sum, m.spinor(it[0]), m.spinor(it[1]));
    put(m, at, sum);
  }
}

template <class V>
AMPCLI_INLINE Vector<V> source(Vector<V> line) {  // T^a T^a gives 1/2
  return {line.minus, line.plus, -half<V> * line.x, -half<V> * line.y};
}

// The four-gluon vertex of an ordered triple: 2 J2 (J1.J3) - J1 (J2.J3) - J3 (J1.J2).
template <class V>
AMPCLI_INLINE Vector<V> quartic(Vector<V> a, Vector<V> b, Vector<V> c) {
  V outer = twice_dot(a, c), last = half<V> * twice_dot(b, c), first = half<V> * twice_dot(a, b);
  return outer * b - last * a - first * c;
}

template <class V>
AMPCLI_INLINE void line_currents(const int* it, Memory<V, Contiguous> m) {
  for (int count = *it++; count > 0; --count) {
    int at = *it++, set = *it++;
    ComplexVector<V> sum{};
    for (int lines = *it++; lines > 0; --lines) {
      ComplexVector<V> line = complex_vector(m, *it++);
      sum = {sum.re + source(line.re), sum.im + source(line.im)};
    }
    for (int before = *it++; before > 0; --before, it += 4) {
      Vector<V> j1 = m.vector(it[0]), p1 = m.vector(it[1]), p2 = m.vector(it[3]);
      ComplexVector<V> j2 = complex_vector(m, it[2]);
      sum = {sum.re + bracket(j1, p1, j2.re, p2), sum.im + bracket(j1, p1, j2.im, p2)};
    }
    for (int after = *it++; after > 0; --after, it += 4) {
      ComplexVector<V> j1 = complex_vector(m, it[0]);
      Vector<V> p1 = m.vector(it[1]), j2 = m.vector(it[2]), p2 = m.vector(it[3]);
      sum = {sum.re + bracket(j1.re, p1, j2, p2), sum.im + bracket(j1.im, p1, j2, p2)};
    }
    for (int triples = *it++; triples > 0; --triples, it += 4) {
      Vector<V> re[3], im[3];
      for (int i = 0; i < 3; ++i) re[i] = m.vector(it[1 + i]), im[i] = i == it[0] ? m.vector(it[1 + i] + 4) : re[i];
      sum = {sum.re + quartic(re[0], re[1], re[2]), sum.im + quartic(im[0], im[1], im[2])};
    }
    V inverse = m[set + 4];
    put(m, at, ComplexVector<V>{inverse * sum.re, inverse * sum.im});
  }
}

}  // namespace AMPCLI_SPACE
