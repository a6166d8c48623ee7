// Exact tree |M|^2 of one massless quark line, n gluons and a colour-singlet vector: an on-shell Z, or photon + Z or W
// to or from massless leptons; or of a quark line and gluons alone.
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

#include "currents.h"

namespace AMPCLI_SPACE {

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

// Weights of the vector's polarisations in |M|^2.
template <int POLARISATIONS, class W>
AMPCLI_INLINE void vector_weights(const Cartesian<W>* p, Cartesian<W> vector, const Legs& legs,
                                  const Parameters& parameters, W* weight) {
  if constexpr (POLARISATIONS == 1) {
    weight[0] = W{} + 2.0;  // both chiralities of the quark line
  } else if constexpr (POLARISATIONS == 3) {
    W gauge = parameters.mass / (vector.e + absolute(vector.z));  // epsilon_L - k/M = M/(E + |k|) (-1, 0, 0, 1)
    weight[0] = weight[1] = W{} + 2.0;
    weight[2] = 4 * gauge * gauge;
  } else {
    W invariant_mass = pair_invariant(p, legs);
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
}

// The quark line and all gluons: what the amplitudes of all orderings share at the vector's vertex.
template <class V>
struct Line {
  Spinor<V> quark, antiquark;        // external
  Vector<V> pq, pa;                  // momentum of the quark, of the antiquark with all gluons
  V q_inverse, a_inverse;            // their propagators
  V gluon_inverse;                   // of all gluons
};

template <class V, class Stride>
AMPCLI_INLINE Line<V> line_of(int n, const Scratch<V, Stride>& s, const Vector<V>* ends) {
  int all = (1 << n) - 1;
  V none = s.momentum[0];
  Vector<V> full = s.momentum.vector(4 * all);
  return {s.quark.spinor(0),
          s.antiquark.spinor(0),
          full + ends[0],
          full + ends[1],
          n ? s.quark_propagator[all] : none,
          n ? s.antiquark_propagator[all] : none,
          n > 1 ? s.gluon_propagator[all] : none};
}

// What a longest gluon current gives that an external quark or antiquark absorbs, for light-cone axes.
template <int POLARISATIONS, class V>
AMPCLI_INLINE void absorbed_axes(const Line<V>& line, V none, Complex<V> (*axes)[3]) {
  for (int axis = 0; axis < 4; ++axis) {
    V one = none + 1;
    Vector<V> unit{axis == 0 ? one : none, axis == 1 ? one : none, axis == 2 ? one : none, axis == 3 ? one : none};
    Spinor<V> q{{none, none}, {none, none}}, a{{none, none}, {none, none}};
    add_absorbed(q, line.quark, unit), add_absorbed(a, line.antiquark, unit);
    for (int c = 0; c < POLARISATIONS; ++c) axes[axis][c] = {none, none};
    if constexpr (POLARISATIONS == 1) {
      add_contracted(axes[axis][0], q, line.antiquark);
      continue;
    }
    add_joined<V, POLARISATIONS>(axes[axis], propagated(q, line.pq, line.q_inverse), line.antiquark);
    add_joined<V, POLARISATIONS>(axes[axis], line.quark, propagated(a, line.pa, line.a_inverse));
  }
}

// The longest gluon currents of polarisations h that begin with the first gluon, absorbed: into s.longest.
template <int POLARISATIONS, class V, class W, class Stride>
AMPCLI_INLINE void longest_currents(int h, Tables t, const Cartesian<W>* turned, const Legs& legs,
                                    const Parameters& parameters, const Scratch<V, Stride>& s, V gluon_inverse,
                                    Complex<V> (*axes)[3]) {
  int n = t.gluons();
  const int* top = t.section(3);
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
}

// |M|^2 of physical, on-shell momenta: the sum over colours, or (SQUARES) every ordering's square in scratch.square.
template <int POLARISATIONS, bool SQUARES, class V, class W, class Stride>
AMPCLI_INLINE V squared(const Cartesian<W>* p, const Cartesian<W>* turned, Tables t, const Legs& legs,
                        const Parameters& parameters, const Scratch<V, Stride>& s) {
  int n = t.gluons();
  external_states(p, turned, legs, parameters, s);
  V none = s.momentum[0];
  Vector<V> ends[2];
  for (int i = 0; i < 2; ++i) {
    W sign = W{} + (legs.parton[i] < 2 ? -1.0 : 1.0);
    ends[i] = converted<V>(sign * light_cone(turned[legs.parton[i]]));
  }
  gluon_currents(t, s);
  quark_currents(t, s, ends[0], ends[1]);

  W weight[3];
  vector_weights<POLARISATIONS>(p, turned[POLARISATIONS == 1 ? 0 : legs.vector], legs, parameters, weight);
  V norm[3];
  for (int c = 0; c < POLARISATIONS; ++c) norm[c] = Lanes<V>::from(parameters.norm * weight[c]);

  Line<V> line = line_of(n, s, ends);
  Complex<V> axes[4][3];
  absorbed_axes<POLARISATIONS>(line, none, axes);

  int orderings = t.orderings();
  V sum = none;
  for (int i = 0; SQUARES && i < orderings; ++i) s.square[i] = none;
  for (int h = 0; h < 1 << n; ++h) {
    longest_currents<POLARISATIONS>(h, t, turned, legs, parameters, s, line.gluon_inverse, axes);
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
      for (int j = 1; POLARISATIONS > 1 && j < n; ++j)
        add_joined<V, POLARISATIONS>(a, s.quark.spinor(4 * (it[2 * j] + (positions & ((1 << j) - 1)))),
                                     s.antiquark.spinor(4 * (it[2 * j + 1] + (positions >> j))));
      if (POLARISATIONS > 1 && n == 0) add_joined<V, POLARISATIONS>(a, line.quark, line.antiquark);
      if (POLARISATIONS == 1 && n > 1) add_contracted(a[0], quark_sum(it, n, 1, positions, s), line.antiquark);
      if (POLARISATIONS > 1 && n > 1) {
        Spinor<V> q = quark_sum(it, n, 1, positions, s), b = antiquark_sum(it, n - 1, positions, s);
        add_joined<V, POLARISATIONS>(a, propagated(q, line.pq, line.q_inverse), line.antiquark);
        add_joined<V, POLARISATIONS>(a, line.quark, propagated(b, line.pa, line.a_inverse));
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
  if (POLARISATIONS > 1) turn_to_z(turned, legs);
  return squared<POLARISATIONS, SQUARES>(p, turned, t, legs, parameters, s);
}

}  // namespace AMPCLI_SPACE
