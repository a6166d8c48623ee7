// Events that are strongly boosted along the beams, brought to rest with all their digits (ampcli/amplitudes/precision.py
// says why).
#pragma once

#include "evaluate.h"

namespace AMPCLI_SPACE {

constexpr double LARGEST_BOOST = 1000;  // precision.LARGEST_BOOST

// The physical event p (legs, 4) in its centre-of-mass frame; false, with `rest` unchanged, where it moves little or
// its beams do not lie along z.
inline bool at_rest(const double* p, const Job& job, double* rest) {
  const double energy = p[0] + p[4], along = std::fabs(p[3] + p[7]);
  if (!(energy - along <= energy / (2 * LARGEST_BOOST * LARGEST_BOOST))) return false;
  for (int leg = 0; leg < 2; ++leg)
    for (int axis = 1; axis < 3; ++axis)
      if (std::fabs(p[4 * leg + axis]) > job.parameters.tolerance * energy) return false;
  if (!(p[3] * p[7] < 0)) return false;
  double plus[MAX_LEGS], minus[MAX_LEGS], all_plus = 0, all_minus = 0;
  for (int leg = 2; leg < job.legs.external; ++leg) {
    const double x = p[4 * leg + 1], y = p[4 * leg + 2], z = p[4 * leg + 3];
    const double mass = leg == job.legs.vector && job.legs.other_lepton < 0 ? job.parameters.mass : 0.0;
    const double transverse2 = x * x + y * y + mass * mass;
    const double large = sqrt(transverse2 + z * z) + std::fabs(z), small = transverse2 / large;
    plus[leg] = z > 0 ? large : small, minus[leg] = z > 0 ? small : large;
    all_plus += plus[leg], all_minus += minus[leg];
  }
  const double stretch = sqrt(all_minus / all_plus), beam = all_plus * stretch / 2, sign = p[3] > 0 ? 1 : -1;
  const double beams[8] = {beam, 0, 0, sign * beam, beam, 0, 0, -sign * beam};
  for (int i = 0; i < 8; ++i) rest[i] = beams[i];
  for (int leg = 2; leg < job.legs.external; ++leg) {
    const double up = plus[leg] * stretch, down = minus[leg] / stretch;
    double* q = rest + 4 * leg;
    q[0] = (up + down) / 2, q[1] = p[4 * leg + 1], q[2] = p[4 * leg + 2], q[3] = (up - down) / 2;
  }
  return true;
}

}  // namespace AMPCLI_SPACE
