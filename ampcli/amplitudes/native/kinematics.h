// From an event's momenta to what the amplitude needs: checked, put exactly on shell, turned to the z axis.
#pragma once

#include "algebra.h"

namespace AMPCLI_SPACE {

constexpr int MAX_GLUONS = 5;
constexpr int MAX_LEGS = MAX_GLUONS + 4;
constexpr int MAX_PARTONS = MAX_GLUONS + 2;

// Which leg is what; incoming legs are 0 and 1.
struct Legs {
  int external;
  int vector, other_lepton;  // the Z or W and -1; both leptons, first the one that lies along z; or -1 and -1
  int gluons;
  int parton[MAX_PARTONS];  // quark (outgoing quark or incoming antiquark), antiquark, gluons
};

// Polarisations of the vector that the amplitude sees: 3 of a massive one, 2 of leptons, 1 (none) of partons alone.
AMPCLI_INLINE int polarisations_of(const Legs& legs) { return legs.other_lepton >= 0 ? 2 : legs.vector >= 0 ? 3 : 1; }

// As `QuarkLine.engine_legs` writes them.
AMPCLI_INLINE Legs legs_of(const int* roles, int gluons) {
  Legs legs{roles[0], roles[1], roles[2], gluons, {}};
  for (int i = 0; i < gluons + 2; ++i) legs.parton[i] = roles[3 + i];
  return legs;
}

template <class W>
AMPCLI_INLINE W length(Cartesian<W> p) { return Lanes<W>::root(p.x * p.x + p.y * p.y + p.z * p.z); }

// Largest relative distance from the mass shell and from momentum conservation (ampcli.kinematics.TOLERANCE).
template <class W>
AMPCLI_INLINE W faults(const Cartesian<W>* p, const Legs& legs, double mass, double tolerance) {
  W none = p[0].e * 0, bad = none, energy = none;
  W one = none + 1;
  Cartesian<W> flow{none, none, none, none};
  for (int i = 0; i < legs.external; ++i) {
    double m2 = i == legs.vector && legs.other_lepton < 0 ? mass * mass : 0.0;
    W squares = p[i].x * p[i].x + p[i].y * p[i].y + p[i].z * p[i].z, e2 = p[i].e * p[i].e;
    bad = select(absolute(e2 - squares - m2) <= tolerance * e2, bad, one);  // also where something is NaN
    bad = select(p[i].e > 0, bad, one);
    bad = select(e2 - e2 == none, bad, one);  // infinite
    double sign = i < 2 ? -1.0 : 1.0;
    flow.e += sign * p[i].e, flow.x += sign * p[i].x, flow.y += sign * p[i].y, flow.z += sign * p[i].z;
    energy += p[i].e;
  }
  W imbalance = larger(larger(absolute(flow.e), absolute(flow.x)), larger(absolute(flow.y), absolute(flow.z)));
  return select(imbalance <= tolerance * energy, bad, one);
}

// Energies from three-momenta.  Where the beams lie along z, the transverse imbalance goes to the most energetic
// outgoing leg and the beams' energies follow from the final state: what rounding of the stored energies would cost
// near singular corners (5e-14 / angle^2) is gone.
template <class W>
AMPCLI_INLINE void put_on_shell(Cartesian<W>* p, const Legs& legs, double mass) {
  W none = p[0].e * 0, x = none, y = none, highest = none;
  for (int i = 2; i < legs.external; ++i) {
    x += p[i].x, y += p[i].y;
    highest = larger(highest, p[i].e);
  }
  auto along_z = absolute(p[0].x) + absolute(p[0].y) + absolute(p[1].x) + absolute(p[1].y) == none;
  x = select(along_z, x, none), y = select(along_z, y, none);
  W e = none, z = none;
  for (int i = 2; i < legs.external; ++i) {
    auto hardest = p[i].e == highest;
    p[i].x -= select(hardest, x, none), p[i].y -= select(hardest, y, none);
    x = select(hardest, none, x), y = select(hardest, none, y);
    W m2 = none + (i == legs.vector ? mass * mass : 0.0);
    p[i].e = Lanes<W>::root(p[i].x * p[i].x + p[i].y * p[i].y + p[i].z * p[i].z + m2);
    e += p[i].e, z += p[i].z;
  }
  for (int i = 0; i < 2; ++i) {
    W direction = select(p[i].z > 0, none + 1, none - 1);
    W energy = (e + direction * z) * 0.5;
    p[i].e = select(along_z, energy, length(p[i]));
    p[i].z = select(along_z, direction * energy, p[i].z);
  }
}

template <class W>
AMPCLI_INLINE W invariant(Cartesian<W> p, Cartesian<W> q);

// To the centre-of-mass frame of the leptons.
template <class W>
AMPCLI_INLINE void boost_to_rest(Cartesian<W>* p, const Legs& legs) {
  const bool beams = legs.vector < 2;
  Cartesian<W> a = p[beams ? 0 : legs.vector], b = p[beams ? 1 : legs.other_lepton];
  W e = a.e + b.e, x = a.x + b.x, y = a.y + b.y, z = a.z + b.z;
  // (E1 + E2)^2 - P^2 of massless momenta, without cancellation: beams are back to back, or nearly so
  W mass2 = beams ? 2 * (a.e * b.e - a.x * b.x - a.y * b.y - a.z * b.z) : invariant(a, b);
  W mass = Lanes<W>::root(mass2);
  for (int i = 0; i < legs.external; ++i) {
    W along = (p[i].x * x + p[i].y * y + p[i].z * z) / (e + mass);
    W factor = (along - p[i].e) / mass;
    p[i].x += factor * x, p[i].y += factor * y, p[i].z += factor * z;
    p[i].e = length(p[i]);
  }
}

// Reflections that take the direction of one leg to +z: |M|^2, summed over both chiralities, is even under parity.
template <class W>
AMPCLI_INLINE void turn_to_z(Cartesian<W>* p, const Legs& legs) {
  Cartesian<W> k = p[legs.vector];
  W none = k.e * 0, size = length(k);
  auto at_rest = size == none;
  W scale = 1 / select(at_rest, none + 1, size);
  W x = k.x * scale, y = k.y * scale, z = select(at_rest, none + 1, k.z * scale);
  W sign = select(z < 0, none - 1, none + 1);
  W vz = z + sign;  // v = k / |k| + sign * z; v^2 = 2 (1 + |z|)
  W inverse = 1 / (1 + absolute(z));
  for (int i = 0; i < legs.external; ++i) {
    W product = (p[i].x * x + p[i].y * y + p[i].z * vz) * inverse;
    p[i].x -= product * x, p[i].y -= product * y;
    p[i].z = sign * (product * vz - p[i].z);
  }
}

// 2 p.q of massless momenta; from the cross product where they are less than 90 degrees apart.
template <class W>
AMPCLI_INLINE W invariant(Cartesian<W> p, Cartesian<W> q) {
  W x = p.y * q.z - p.z * q.y, y = p.z * q.x - p.x * q.z, z = p.x * q.y - p.y * q.x;
  W cosine = p.x * q.x + p.y * q.y + p.z * q.z, energies = p.e * q.e;
  W collinear = 2 * (x * x + y * y + z * z) / (energies + absolute(cosine));
  return select(cosine > 0, collinear, 2 * (energies - cosine));
}

template <class W>
AMPCLI_INLINE W pair_invariant(const Cartesian<W>* p, const Legs& legs) {  // squared mass of the leptons
  return legs.vector < 2 ? invariant(p[0], p[1]) : invariant(p[legs.vector], p[legs.other_lepton]);
}

template <class W>
AMPCLI_INLINE Vector<W> light_cone(Cartesian<W> p) {  // of a massless momentum: the smaller component from the larger
  W big = p.e + absolute(p.z), small = (p.x * p.x + p.y * p.y) / big;
  return {select(p.z > 0, big, small), select(p.z > 0, small, big), p.x, p.y};
}

// Left-handed row spinor u^dagger(p) with u u^dagger = sigma.p, for either end of the quark line.
template <class W>
AMPCLI_INLINE Spinor<W> left_handed(Vector<W> p) {
  W none = p.x * 0;
  auto forward = p.plus > p.minus;
  W root = Lanes<W>::root(larger(p.plus, p.minus)), inverse = 1 / root;
  return {{select(forward, -p.x * inverse, root), select(forward, -p.y * inverse, none)},
          {select(forward, root, -p.x * inverse), select(forward, none, p.y * inverse)}};
}

// Linear polarisations: the images of the x and y axes under the reflection that takes z to the gluon's direction.
template <class W>
AMPCLI_INLINE Vector<W> polarisation(Cartesian<W> p, int which) {
  W inverse = 1 / p.e, none = p.e * 0;
  W x = p.x * inverse, y = p.y * inverse, z = p.z * inverse;
  W c = 1 / (1 + absolute(z));
  W mixed = -x * y * c;
  W along = which == 0 ? x : y;
  along = select(z > 0, -along, along);
  return {along, -along, which == 0 ? 1 - x * x * c : mixed, which == 0 ? mixed : 1 - y * y * c + none};
}

}  // namespace AMPCLI_SPACE
