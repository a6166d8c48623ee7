// A pair of massless leptons from a photon, Z or W in the place of a heavy particle: its mass, its decay, cuts on both, and
// what |M|^2 is like.
//   dPhi_(n+1) = dPhi_n(mass) ds / (2 pi) dcos dphi / (32 pi^2),  s = mass^2
#pragma once

#include "rambo.h"

namespace ampcli::phasespace {

struct Pair {
  bool exists = false, charged[2] = {};
  int leg[2] = {};                        // lepton and antilepton, outgoing legs from 0
  double mass = 0, width = 0;             // of the resonance, GeV
  double least = 0, most = 0, offset = 0; // s lies between; beside the resonance it is drawn like 1 / (s + offset); GeV^2
  double pt_min = 0, eta_max = 0, delta_r_ll = 0, delta_r_jl = 0, m_min = 0;
  double photon = 0, same[2] = {}, flip[2] = {};  // couplings of leptons x quarks (engine_parameters of couplings.py)
};

// The squared mass for a coordinate: half of them along the resonance, half along the photon's pole.  `weight` is ds / (2 pi).
AMPCLI_INLINE Real pair_mass2(const Pair& of, Real u, Real& weight) {
  const double m2 = of.mass * of.mass, mw = of.mass * of.width;
  const double first = __builtin_atan((of.least - m2) / mw), angles = __builtin_atan((of.most - m2) / mw) - first;
  const double low = of.least + of.offset, reach = __builtin_log((of.most + of.offset) / low);
  Whole resonant = u < real(0.5);
  Real share = 2.0 * u - where(resonant, real(0.0), real(1.0)), c, s;
  circle((first + share * angles) * (1.0 / TWO_PI), c, s);
  Real at = where(resonant, m2 + mw * s / larger(c, real(1e-12)), low * exponential(share * reach) - of.offset);
  at = smaller(larger(at, real(of.least)), real(of.most));
  Real off = at - m2, density = 0.5 * mw / ((off * off + mw * mw) * angles) + 0.5 / ((at + of.offset) * reach);
  weight = 1.0 / (TWO_PI * density);
  return at;
}

// Both leptons of a pair p with transverse momentum and mass.  The cosine is that to the beams in the pair's rest frame, the
// turns begin at its transverse momentum (Collins and Soper's frame).
AMPCLI_INLINE void decay(const Momentum& p, Real mass2, Real cosine, Real turns, Momentum* lepton) {
  Real pt2 = p.x * p.x + p.y * p.y, pt = root(pt2), transverse = root(pt2 + mass2), mass = root(mass2), c, s;
  circle(turns, c, s);
  Real k = 0.5 * mass, across = k * root(larger(1.0 - cosine * cosine, real(0.0)));
  Whole moves = pt > real(0.0);
  Real size = where(moves, pt, real(1.0));
  Real nx = where(moves, p.x / size, real(1.0)), ny = where(moves, p.y / size, real(0.0));
  Real up = where(p.z > real(0.0), (p.e + p.z) / transverse, transverse / (p.e - p.z));
  for (int i = 0; i < 2; ++i) {
    const double sign = i == 0 ? 1.0 : -1.0;
    Real kx = sign * across * c, ky = sign * across * s, kz = sign * k * cosine;
    Real energy = (transverse * k + pt * kx) / mass, along = (transverse * kx + pt * k) / mass;
    Real x = nx * along - ny * ky, y = ny * along + nx * ky, z = 0.5 * ((energy + kz) * up - (energy - kz) / up);
    lepton[i] = {root(x * x + y * y + z * z), x, y, z};
  }
}

AMPCLI_INLINE Real transverse_momentum(const Momentum& p) { return root(p.x * p.x + p.y * p.y); }

AMPCLI_INLINE Real rapidity_of(const Momentum& p) {  // of a massless particle with transverse momentum
  Real size = logarithm((p.e + magnitude(p.z)) / transverse_momentum(p));
  return where(p.z > real(0.0), size, -size);
}

// The squared propagators times couplings: of leptons and quarks of the same, and of opposite chirality.
AMPCLI_INLINE void propagators(const Pair& of, Real s, Real& same, Real& flip) {
  Real off = s - of.mass * of.mass, mw = real(of.mass * of.width), resonance = 1.0 / (off * off + mw * mw);
  same = Real{}, flip = Real{};
  for (int i = 0; i < 2; ++i) {
    Real one = of.photon / s + of.same[i] * off * resonance, two = of.photon / s + of.flip[i] * off * resonance;
    Real im_one = of.same[i] * mw * resonance, im_two = of.flip[i] * mw * resonance;
    same += one * one + im_one * im_one, flip += two * two + im_two * im_two;
  }
}

}  // namespace ampcli::phasespace
