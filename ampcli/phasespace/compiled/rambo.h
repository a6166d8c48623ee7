// Flat massless phase space (RAMBO, Comput. Phys. Commun. 40 (1986) 359) and the selection of e+e- collisions.
#pragma once

#include "vector.h"

namespace ampcli::phasespace {

constexpr int MAX_FINAL = 10;

struct Momentum { Real e, x, y, z; };

AMPCLI_INLINE Real product(const Momentum& a, const Momentum& b) {
  return a.e * b.e - a.x * b.x - a.y * b.y - a.z * b.z;
}

AMPCLI_INLINE Momentum operator+(const Momentum& a, const Momentum& b) {
  return {a.e + b.e, a.x + b.x, a.y + b.y, a.z + b.z};
}

// Points of the unit cube, `stride` apart, to momenta at rest together.  u: 4 coordinates of all legs, coordinate first.
AMPCLI_INLINE void rambo(const double* u, long stride, int legs, double sqrt_s, Momentum* p) {
  Momentum total{};
  for (int leg = 0; leg < legs; ++leg) {
    auto at = [&](int coordinate) { return load(u + (coordinate * legs + leg) * stride); };
    Real cosine = 2.0 * at(0) - 1.0, c, s;
    circle(at(1), c, s);
    // numbers are multiples of 2^-53 that may be 0
    Real energy = -logarithm(larger(at(2) * at(3), real(1e-300)));
    Real across = root(1.0 - cosine * cosine) * energy;
    p[leg] = {energy, across * c, across * s, cosine * energy};
    total = total + p[leg];
  }
  Real mass = root(product(total, total)), scale = sqrt_s / mass;
  Momentum boost{total.e / mass, -total.x / mass, -total.y / mass, -total.z / mass};
  for (int leg = 0; leg < legs; ++leg) {
    Momentum& q = p[leg];
    Real along = (boost.x * q.x + boost.y * q.y + boost.z * q.z) * (1.0 / (1.0 + boost.e)) + q.e;
    q.x = (along * boost.x + q.x) * scale, q.y = (along * boost.y + q.y) * scale, q.z = (along * boost.z + q.z) * scale;
    q.e = root(q.x * q.x + q.y * q.y + q.z * q.z);
  }
}

AMPCLI_INLINE Real least_product(const Momentum* p, int legs) {
  Real least = real(1e300);
  for (int i = 0; i < legs; ++i)
    for (int j = i + 1; j < legs; ++j) least = smaller(least, product(p[i], p[j]));
  return least;
}

// The smallest Durham distance d_ij, and the pair that has it.
AMPCLI_INLINE Real nearest(const Momentum* p, int legs, Whole& first, Whole& second) {
  Momentum way[MAX_FINAL];
  for (int i = 0; i < legs; ++i) {
    Real size = root(p[i].x * p[i].x + p[i].y * p[i].y + p[i].z * p[i].z);
    way[i] = {p[i].e * p[i].e, p[i].x / size, p[i].y / size, p[i].z / size};
  }
  Real least = real(1e300);
  first = second = Whole{};
  for (int i = 0; i < legs; ++i)
    for (int j = i + 1; j < legs; ++j) {
      Real distance = 1.0 - way[i].x * way[j].x - way[i].y * way[j].y - way[i].z * way[j].z;
      distance *= smaller(way[i].e, way[j].e);
      Whole nearer = distance < least;
      least = where(nearer, distance, least);
      first = nearer ? whole(i) : first, second = nearer ? whole(j) : second;
    }
  return 2.0 * least;
}

// The larger one of the first two merging scales: above d_cut, there are at least legs - 1 jets.
AMPCLI_INLINE Real second_merging(const Momentum* p, int legs) {
  Whole first, second;
  Real scale = nearest(p, legs, first, second);
  Momentum merged[MAX_FINAL];  // the second leg goes into the first, and the last one into its place
  for (int leg = 0; leg < legs; ++leg) merged[leg] = p[leg];
  Momentum taken = p[0];
  const auto choose = [](Whole mask, Momentum& to, const Momentum& from) {
    to = {where(mask, from.e, to.e), where(mask, from.x, to.x), where(mask, from.y, to.y), where(mask, from.z, to.z)};
  };
  for (int leg = 1; leg < legs; ++leg) choose(second == whole(leg), taken, p[leg]);
  for (int leg = 0; leg < legs; ++leg) choose(first == whole(leg), merged[leg], p[leg] + taken);
  for (int leg = 1; leg < legs - 1; ++leg) choose(second == whole(leg), merged[leg], merged[legs - 1]);
  return larger(scale, nearest(merged, legs - 1, first, second));
}

}  // namespace ampcli::phasespace
