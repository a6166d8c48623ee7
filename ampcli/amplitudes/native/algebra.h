// Light-cone vectors, spinors and their products, on one event or a SIMD vector of events.
#pragma once

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

#ifdef __CUDACC__
#define AMPCLI_INLINE __device__ __forceinline__
#else
#define AMPCLI_INLINE inline __attribute__((always_inline))
#endif

namespace AMPCLI_SPACE {

// ---- numbers -------------------------------------------------------------------------------------------------------

template <class V>
struct Lanes {  // what differs between a number and a SIMD vector of numbers, which specialises it
  using Scalar = V;
  template <class W>
  static AMPCLI_INLINE V from(W w) { return V(w); }
  static AMPCLI_INLINE V root(V v) { return sqrt(v); }
};

template <class V>
constexpr typename Lanes<V>::Scalar half = 0.5;

template <class M, class V>
AMPCLI_INLINE V select(M condition, V yes, V no) { return condition ? yes : no; }

template <class V>
AMPCLI_INLINE V absolute(V v) { return select(v < 0, -v, v); }

template <class V>
AMPCLI_INLINE V larger(V a, V b) { return select(a > b, a, b); }

// ---- vectors, spinors and their scratch memory ---------------------------------------------------------------------

template <class V>
struct Cartesian { V e, x, y, z; };

template <class V>
struct Vector { V plus, minus, x, y; };  // plus, minus = E +- pz

template <class V>
struct Tensor { V pm, px, py, mx, my, xy; };  // antisymmetric: components (plus, minus), (plus, x), ...

template <class V>
struct Complex { V re, im; };

template <class V>
struct Spinor { Complex<V> up, down; };

struct Contiguous {
  AMPCLI_INLINE constexpr operator long() const { return 1; }
};

// Scratch memory: element i of this event (or of these SIMD lanes) lies at i * stride.
template <class V, class Stride>
struct Memory {
  V* data;
  Stride stride;

  AMPCLI_INLINE V& operator[](int i) const { return data[i * long(stride)]; }
  AMPCLI_INLINE Vector<V> vector(int i) const { return {(*this)[i], (*this)[i + 1], (*this)[i + 2], (*this)[i + 3]}; }
  AMPCLI_INLINE void put(int i, Vector<V> v) const {
    (*this)[i] = v.plus, (*this)[i + 1] = v.minus, (*this)[i + 2] = v.x, (*this)[i + 3] = v.y;
  }
  AMPCLI_INLINE Tensor<V> tensor(int i) const {
    return {(*this)[i], (*this)[i + 1], (*this)[i + 2], (*this)[i + 3], (*this)[i + 4], (*this)[i + 5]};
  }
  AMPCLI_INLINE void put(int i, Tensor<V> t) const {
    (*this)[i] = t.pm, (*this)[i + 1] = t.px, (*this)[i + 2] = t.py;
    (*this)[i + 3] = t.mx, (*this)[i + 4] = t.my, (*this)[i + 5] = t.xy;
  }
  AMPCLI_INLINE Spinor<V> spinor(int i) const {
    return {{(*this)[i], (*this)[i + 1]}, {(*this)[i + 2], (*this)[i + 3]}};
  }
  AMPCLI_INLINE void put(int i, Spinor<V> s) const {
    (*this)[i] = s.up.re, (*this)[i + 1] = s.up.im, (*this)[i + 2] = s.down.re, (*this)[i + 3] = s.down.im;
  }
};

// ---- algebra -------------------------------------------------------------------------------------------------------

template <class V>
AMPCLI_INLINE Vector<V> operator+(Vector<V> a, Vector<V> b) {
  return {a.plus + b.plus, a.minus + b.minus, a.x + b.x, a.y + b.y};
}

template <class V>
AMPCLI_INLINE Vector<V> operator-(Vector<V> a, Vector<V> b) {
  return {a.plus - b.plus, a.minus - b.minus, a.x - b.x, a.y - b.y};
}

template <class V>
AMPCLI_INLINE Vector<V> operator*(V c, Vector<V> a) { return {c * a.plus, c * a.minus, c * a.x, c * a.y}; }

template <class V>
AMPCLI_INLINE V twice_dot(Vector<V> a, Vector<V> b) {
  V transverse = a.x * b.x + a.y * b.y;
  return a.plus * b.minus + a.minus * b.plus - (transverse + transverse);
}

// Three-gluon vertex, [J1, J2] of Berends and Giele: 2(P2.J1) J2 - 2(P1.J2) J1 + (J1.J2)(P1 - P2).
template <class V>
AMPCLI_INLINE Vector<V> bracket(Vector<V> j1, Vector<V> p1, Vector<V> j2, Vector<V> p2) {
  V c2 = twice_dot(p2, j1), c1 = twice_dot(p1, j2), c = twice_dot(j1, j2) * half<V>;
  return {c2 * j2.plus - c1 * j1.plus + c * (p1.plus - p2.plus),
          c2 * j2.minus - c1 * j1.minus + c * (p1.minus - p2.minus),
          c2 * j2.x - c1 * j1.x + c * (p1.x - p2.x), c2 * j2.y - c1 * j1.y + c * (p1.y - p2.y)};
}

// The four-gluon vertex is two steps through an antisymmetric tensor B: {J1, J2, J3} = -(J1 ^ J2) J3 + (J2 ^ J3) J1.
template <class V>
AMPCLI_INLINE void add_wedge(Tensor<V>& b, Vector<V> j1, Vector<V> j2) {
  b.pm += j1.plus * j2.minus - j1.minus * j2.plus;
  b.px += j1.plus * j2.x - j1.x * j2.plus;
  b.py += j1.plus * j2.y - j1.y * j2.plus;
  b.mx += j1.minus * j2.x - j1.x * j2.minus;
  b.my += j1.minus * j2.y - j1.y * j2.minus;
  b.xy += j1.x * j2.y - j1.y * j2.x;
}

template <class V>
AMPCLI_INLINE Vector<V> contract(Tensor<V> b, Vector<V> j) {  // B^{mu nu} J_nu
  V plus = j.plus * half<V>, minus = j.minus * half<V>;
  return {b.pm * plus - b.px * j.x - b.py * j.y, -b.pm * minus - b.mx * j.x - b.my * j.y,
          -b.px * minus - b.mx * plus - b.xy * j.y, -b.py * minus - b.my * plus + b.xy * j.x};
}

// Row spinor times sigma-bar.J: a gluon absorbed by the quark.
template <class V>
AMPCLI_INLINE void add_absorbed(Spinor<V>& sum, Spinor<V> s, Vector<V> j) {
  sum.up.re += s.up.re * j.plus + s.down.re * j.x - s.down.im * j.y;
  sum.up.im += s.up.im * j.plus + s.down.im * j.x + s.down.re * j.y;
  sum.down.re += s.down.re * j.minus + s.up.re * j.x + s.up.im * j.y;
  sum.down.im += s.down.im * j.minus + s.up.im * j.x - s.up.re * j.y;
}

// Row spinor times sigma.P / P^2: the quark's propagator.
template <class V>
AMPCLI_INLINE Spinor<V> propagated(Spinor<V> s, Vector<V> p, V inverse) {
  p = inverse * p;
  return {{s.up.re * p.minus - s.down.re * p.x + s.down.im * p.y, s.up.im * p.minus - s.down.im * p.x - s.down.re * p.y},
          {s.down.re * p.plus - s.up.re * p.x - s.up.im * p.y, s.down.im * p.plus - s.up.im * p.x + s.up.re * p.y}};
}

template <class V>
AMPCLI_INLINE void add_product(Complex<V>& sum, Complex<V> a, Complex<V> b) {  // a conj(b)
  sum.re += a.re * b.re + a.im * b.im;
  sum.im += a.im * b.re - a.re * b.im;
}

// Where no vector is: what the quark absorbed last joins the antiquark.
template <class V>
AMPCLI_INLINE void add_contracted(Complex<V>& sum, Spinor<V> quark, Spinor<V> antiquark) {
  add_product(sum, quark.up, antiquark.up);
  add_product(sum, quark.down, antiquark.down);
}

// What the vector sees of a quark's and an antiquark's spinor: its three polarisations.
template <class V, int POLARISATIONS>
AMPCLI_INLINE void add_joined(Complex<V>* sum, Spinor<V> quark, Spinor<V> antiquark) {
  add_product(sum[0], quark.up, antiquark.down);
  if constexpr (POLARISATIONS >= 2) add_product(sum[1], quark.down, antiquark.up);
  if constexpr (POLARISATIONS == 3) add_product(sum[2], quark.down, antiquark.down);
}

}  // namespace AMPCLI_SPACE
