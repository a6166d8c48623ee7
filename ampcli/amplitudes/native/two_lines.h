// Exact tree |M|^2 of two massless quark lines, up to two gluons, and an on-shell Z or W, leptons from photon + Z
// or W, or nothing.
//
// two_lines_tables.py says how the amplitudes are built and documents the tables.  Both lines are left-handed here: gluon
// polarisations are real, so the complex conjugate is the right-handed line.  Parity gives the amplitudes whose first
// line is right-handed.  With the Z along z each of its polarisations moves one component of a spinor to another one.
#pragma once

#include "two_lines_currents.h"

namespace AMPCLI_SPACE {

// What two amplitudes, of the vector at either line, count together: weight |first + share second|^2 + rest |second|^2.
template <class V>
struct Form {
  V weight, rest;
  Complex<V> share;
};

// As `couplings.two_lines_parameters` writes them.
struct TwoLinesParameters {
  double mass, mass_width, norm, tolerance;
  Form<double> forms[2];         // of a Z, W or nothing: lines of the same, of opposite chirality
  double photon[2], z[2][2][2];  // couplings of leptons x quarks: line; line, its chirality, the leptons'
  int replaced;                  // gluon whose polarisations are replaced by p / E (must give 0), or -1
};

AMPCLI_INLINE TwoLinesParameters two_lines_parameters_of(const double* x, int replaced) {
  TwoLinesParameters p{x[0], x[1], x[2], x[3], {}, {x[10], x[11]}, {}, replaced};
  for (int i = 0; i < 2; ++i) p.forms[i] = {x[4 + 3 * i], x[6 + 3 * i], {x[5 + 3 * i], 0.0}};
  for (int i = 0; i < 8; ++i) p.z[i >> 2][i >> 1 & 1][i & 1] = x[12 + i];
  return p;
}

template <class V>
AMPCLI_INLINE V applied(Vector<V> line, Vector<V> j) {
  return line.plus * j.plus + line.minus * j.minus + line.x * j.x + line.y * j.y;
}

// Numbers of the amplitudes of one state of the vector: line that absorbs, chirality of the second line, place.
AMPCLI_INLINE int amplitude_at(TwoLinesTables t, int state, int line, int chirality, int place) {
  return t.amplitudes() + 2 * (((state * 2 + line) * 2 + chirality) * t.places() + place);
}

template <class V>
AMPCLI_INLINE void products(TwoLinesTables t, int state, Memory<V, Contiguous> m) {
  constexpr double COEFFICIENT[4] = {1.0, -1.0 / 3, -1.0, 1.0 / 3};
  // the second line absorbs: that is conjugate, and with it the vector's circular polarisation is the other one
  int conjugate = state < 2 && t.states() > 1 ? 1 - state : state;
  const int* it = t.section(8);
  for (int count = *it++; count > 0; --count) {
    int place = *it++;
    double coefficient = COEFFICIENT[*it++];
    int second = *it++;
    V rr{}, ii{}, ri{}, ir{};
    for (int terms = *it++; terms > 0; --terms, it += 2) {
      ComplexVector<V> line = complex_vector(m, it[0]), current = complex_vector(m, it[1]);
      rr += applied(line.re, current.re), ii += applied(line.im, current.im);
      ri += applied(line.re, current.im), ir += applied(line.im, current.re);
    }
    int same = amplitude_at(t, state, second, 0, place);
    int opposite = amplitude_at(t, second ? conjugate : state, second, 1, place);
    V sign = V{} + (second ? -coefficient : coefficient);
    m[same] = coefficient * (rr - ii), m[same + 1] = coefficient * (ri + ir);
    m[opposite] = coefficient * (rr + ii), m[opposite + 1] = sign * (ir - ri);
  }
}

// x C x of flows in scratch memory, which it changes.
template <class V>
AMPCLI_INLINE V colour_sum(TwoLinesTables t, Memory<V, Contiguous> re, Memory<V, Contiguous> im) {
  const int* it = t.section(9);
  for (int butterflies = *it++; butterflies > 0; --butterflies, it += 2) {
    V a = re[it[0]], b = re[it[1]], c = im[it[0]], d = im[it[1]];
    re[it[0]] = a + b, re[it[1]] = a - b, im[it[0]] = c + d, im[it[1]] = c - d;
  }
  const double* colour = t.colour;
  V sum{};
  for (int i = 0; i < t.flows(); ++i) {
    V x{}, y{};
    for (int entries = *it++; entries > 0; --entries, ++it, ++colour) x += *colour * re[*it], y += *colour * im[*it];
    sum += x * re[i] + y * im[i];
  }
  return sum;
}

// |M|^2 of one state, chirality and choice of polarisations, of pairings `from` to `to`; flows in SQUARES mode.
template <bool SQUARES, class V>
AMPCLI_INLINE V added_flows(TwoLinesTables t, Form<V> form, bool two, int state, int chirality, int h, int from, int to,
                            V* square, Memory<V, Contiguous> m) {
  int flows = t.flows(), stride = flows << t.gluons();
  Memory<V, Contiguous> re{&m[t.scratch() - 2 * flows], {}}, im{&m[t.scratch() - flows], {}};
  V sum{};
  for (int part = 0; part < (two ? 2 : 1); ++part) {
    V weight = part ? form.rest : form.weight;
    for (int i = 0; i < flows; ++i) {
      re[i] = im[i] = V{};
      for (int pairing = from; pairing < to; ++pairing) {
        int first = amplitude_at(t, state, 0, chirality, pairing * stride + h * flows + i);
        int second = amplitude_at(t, state, 1, chirality, pairing * stride + h * flows + i);
        if (part) {
          re[i] += m[second], im[i] += m[second + 1];
        } else if (t.absorbing() == 1) {
          re[i] += m[first], im[i] += m[first + 1];
        } else if (t.states() == 3) {
          re[i] += m[first] + form.share.re * m[second], im[i] += m[first + 1] + form.share.re * m[second + 1];
        } else {
          V x = m[second], y = m[second + 1];
          re[i] += m[first] + form.share.re * x - form.share.im * y;
          im[i] += m[first + 1] + form.share.re * y + form.share.im * x;
        }
      }
    }
    if constexpr (SQUARES) {  // one pairing alone has the flows of its gluon, not those of the singlet
      int begin = to - from > 1 ? 0 : from * flows / 2, end = to - from > 1 ? flows : begin + flows / 2;
      for (int i = begin; i < end; ++i) square[i] += weight * (re[i] * re[i] + im[i] * im[i]);
    } else {
      sum += weight * colour_sum(t, re, im);
    }
  }
  return sum;
}

// Whether leptons of this state couple to anything: those of a W are left-handed, and so is their quark line.
AMPCLI_INLINE bool couples(const TwoLinesParameters& parameters, TwoLinesTables t, int state) {
  bool found = t.states() != 2;
  for (int line = 0; line < 2; ++line) {
    const auto& z = parameters.z[line];
    found = found || parameters.photon[line] != 0 || z[0][1 - state] != 0 || z[1][state] != 0;
  }
  return found;
}

// Photon and Z, or W, between leptons and a quark line, of given chiralities (0: left).
template <class V>
AMPCLI_INLINE Complex<V> exchanged(const TwoLinesParameters& parameters, V mass2, int line, int quark, int lepton) {
  V off = mass2 - parameters.mass * parameters.mass;
  V z = parameters.z[line][quark][lepton] / (off * off + parameters.mass_width * parameters.mass_width);
  return {parameters.photon[line] / mass2 + z * off, -parameters.mass_width * z};
}

// The first line is left-handed, or everything is conjugate and it is right-handed.
template <class V>
AMPCLI_INLINE Form<V> lepton_form(const TwoLinesParameters& parameters, V mass2, int state, int chirality) {
  int lepton = 1 - state;  // leptons of the chirality opposite to that of the first line come first
  Complex<V> a = exchanged(parameters, mass2, 0, 0, lepton), c = exchanged(parameters, mass2, 1, chirality, lepton);
  Complex<V> b = exchanged(parameters, mass2, 0, 1, 1 - lepton);
  Complex<V> d = exchanged(parameters, mass2, 1, 1 - chirality, 1 - lepton);
  b.im = -b.im, d.im = -d.im;
  V weight = a.re * a.re + a.im * a.im + b.re * b.re + b.im * b.im;
  Complex<V> both{};  // conj(a) c + conj(b) d
  add_product(both, c, a), add_product(both, d, b);
  V re = a.re * d.re - a.im * d.im - b.re * c.re + b.im * c.im;
  V im = a.re * d.im + a.im * d.re - b.re * c.im - b.im * c.re;
  return {weight, (re * re + im * im) / weight, {both.re / weight, both.im / weight}};
}

// |M|^2 of physical, on-shell momenta: the sum over colours, or (SQUARES) every flow's square.
template <bool SQUARES, class V>
AMPCLI_INLINE V two_lines_squared(const Cartesian<V>* p, const Cartesian<V>* turned, TwoLinesTables t, const Legs& legs,
                                  const TwoLinesParameters& parameters, V* square, Memory<V, Contiguous> m) {
  Vector<V> momentum[MAX_PARTONS];
  for (int i = 0; i < legs.gluons + 2; ++i)
    momentum[i] = (V{} + (legs.parton[i] < 2 ? -1.0 : 1.0)) * light_cone(turned[legs.parton[i]]);
  sets(t.section(0), p, momentum, legs, m);
  external_states(t.section(1), turned, legs, parameters.replaced, m);
  two_lines_gluons(t.section(2), m);
  two_lines_spinors(t.section(3), m);
  two_lines_lines(t.section(4), 1, m);
  line_currents(t.section(5), m);
  for (int state = 0; state < t.states(); ++state) {
    if (!couples(parameters, t, state)) continue;
    vector_spinors(t.section(6), state, m);
    two_lines_lines(t.section(7), 2, m);
    products(t, state, m);
  }

  V weight[3] = {V{} + parameters.norm, V{}, V{}}, mass2{};
  if (t.states() == 3) {
    Cartesian<V> z = turned[legs.vector];
    V gauge = parameters.mass / (z.e + absolute(z.z));  // epsilon_L - k/M = M/(E + |k|) (-1, 0, 0, 1)
    weight[0] = weight[1] = V{} + 2 * parameters.norm, weight[2] = 4 * parameters.norm * gauge * gauge;
  } else if (t.states() == 2) {
    mass2 = pair_invariant(p, legs);
    weight[0] = weight[1] = 4 * parameters.norm * mass2;
  }
  if constexpr (SQUARES)
    for (int i = 0; i < t.squares(); ++i) square[i] = V{};
  V sum{};
  for (int state = 0; state < t.states(); ++state)
    for (int chirality = 0; couples(parameters, t, state) && chirality < 2; ++chirality) {
      Form<double> given = parameters.forms[chirality];
      Form<V> form{V{} + given.weight, V{} + given.rest, {V{} + given.share.re, V{}}};
      if (t.states() == 2) form = lepton_form(parameters, mass2, state, chirality);
      form.weight *= weight[state], form.rest *= weight[state];
      bool two = given.rest > 0;  // the lines' couplings differ
      int together = chirality == 0 ? t.pairings() : 1;  // identical quarks of equal chirality interfere
      for (int h = 0; h < 1 << t.gluons(); ++h)
        for (int from = 0; from < t.pairings(); from += together)
          sum += added_flows<SQUARES>(t, form, two, state, chirality, h, from, from + together, square, m);
    }
  return sum;
}

// One SIMD vector of events: checks `p`, changes it, returns |M|^2; `bad` is 1 where p is no event.
template <bool SQUARES, class V>
AMPCLI_INLINE V evaluate_two_lines(Cartesian<V>* p, TwoLinesTables t, const Legs& legs,
                                   const TwoLinesParameters& parameters, V* square, Memory<V, Contiguous> m, V& bad) {
  double mass = legs.other_lepton < 0 ? parameters.mass : 0.0;
  bad = faults(p, legs, mass, parameters.tolerance);
  put_on_shell(p, legs, mass);
  Cartesian<V> turned[MAX_LEGS];
  for (int i = 0; i < legs.external; ++i) turned[i] = p[i];
  if (legs.other_lepton >= 0) boost_to_rest(turned, legs);
  if (legs.vector >= 0) {
    auto reflected = turned[legs.vector].z < 0;  // parity does not leave photon and Z at two lines alone
    turn_to_z(turned, legs);
    for (int i = 0; i < legs.external; ++i) turned[i].y = select(reflected, -turned[i].y, turned[i].y);
  }
  return two_lines_squared<SQUARES>(p, turned, t, legs, parameters, square, m);
}

}  // namespace AMPCLI_SPACE
