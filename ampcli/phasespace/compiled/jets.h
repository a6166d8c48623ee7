// Phase space of jets and massive particles in proton collisions.  Jets stand in the order of their rapidities, as they do
// along the colour flow of an event of high energy.  All legs but one have transverse momentum, rapidity and azimuth as
// coordinates (jets: ln pT, the rapidity as a share of the one above, the azimuth from the jet above); one leg balances
// their transverse momenta:
//   dx1 dx2 dPhi = (2 pi)^4 2/S prod(dy / (16 pi^3)) prod(all but one: pT dpT dphi).
// Were it always the same one, two hard legs could not recoil against each other but by chance: each does it as often as
// it is hard.  The last slot may hold a pair of leptons (pair.h), which has three more coordinates.
#pragma once

#include "guide.h"

namespace ampcli::phasespace {

constexpr int BINS = 64;

// Of a jet to balance, where there is a heavy leg: more make other events rarer, fewer leave larger weights (measured for
// a Z and four jets).
constexpr double RECOIL = 0.3;

struct Jets {  // a process and its cuts
  int jets = 0, heavy = 0;      // massless and other outgoing legs; slots are those, in this order
  double mass[MAX_FINAL] = {};  // of slots, GeV
  double energy = 0, pt_min = 0, eta_max = 0, delta_r = 0;
  bool shared = false;  // any slot may balance, not the last one alone
  Pair pair;

  int slots() const { return jets + heavy; }
  int legs() const { return slots() + pair.exists; }
  int axes() const { return 2 * (slots() - 1) + slots() + 3 * pair.exists; }
};

struct Slots {
  Momentum p[MAX_FINAL], lepton[2];
  Real x1, x2, weight, scale;
  Whole exist;
};

// Coordinates of some events in order, each through the grid of its axis (edges, BINS + 1 of each), with the Jacobian.
struct Coordinates {
  const double *u[LANES], *edges;
  int axis = 0;
  Real jacobian = real(1.0);

  AMPCLI_INLINE Real next() {
    const double* at = edges + axis * (BINS + 1);
    Real value, width;
    for (int lane = 0; lane < LANES; ++lane) {
      double scaled = u[lane][axis] * BINS;
      int bin = int(scaled) < BINS ? int(scaled) : BINS - 1;
      width[lane] = at[bin + 1] - at[bin];
      value[lane] = at[bin] + (scaled - bin) * width[lane];
    }
    jacobian *= width * double(BINS);
    ++axis;
    return value;
  }
};

// Two jets are apart: the cosine of the azimuth between them is below that of what Delta R leaves to it.
AMPCLI_INLINE Whole apart(Real dy, Real cosine, double delta_r) {
  Real left = delta_r * delta_r - dy * dy;
  Whole far = left < real(0.0);
  Real angle = root(larger(left, real(0.0))), least, unused;
  circle(angle * (1.0 / TWO_PI), least, unused);
  return far | ((cosine < least) & (angle < real(0.5 * TWO_PI)));
}

// The last slot's pair of leptons, within its cuts.
AMPCLI_INLINE void add_pair(const Jets& of, Coordinates& coordinates, Real mass2, const Real* rapidity, Slots& event) {
  const Pair& pair = of.pair;
  Real cosine = 2.0 * coordinates.next() - 1.0;
  decay(event.p[of.slots() - 1], mass2, cosine, coordinates.next(), event.lepton);
  const double steepest = __builtin_sinh(pair.eta_max);
  Real pt[2], y[2];
  for (int i = 0; i < 2; ++i) {
    const Momentum& l = event.lepton[i];
    pt[i] = transverse_momentum(l), event.scale += 0.5 * pt[i];
    event.exist &= pt[i] > real(pair.charged[i] ? pair.pt_min : 0.0);
    y[i] = rapidity_of(l);
    if (!pair.charged[i]) continue;
    event.exist &= magnitude(l.z) < steepest * pt[i];
    for (int j = 0; j < of.jets; ++j) {
      const Momentum& jet = event.p[j];
      Real across = (l.x * jet.x + l.y * jet.y) / (pt[i] * transverse_momentum(jet));
      event.exist &= apart(y[i] - rapidity[j], across, pair.delta_r_jl);
    }
  }
  if (pair.charged[0] && pair.charged[1]) {
    event.exist &= mass2 >= real(pair.m_min * pair.m_min);
    const Momentum &a = event.lepton[0], &b = event.lepton[1];
    event.exist &= apart(y[0] - y[1], (a.x * b.x + a.y * b.y) / (pt[0] * pt[1]), pair.delta_r_ll);
  }
}

// The events of some coordinates.  balance: the slot that balances.
AMPCLI_INLINE Slots slots_of(const Jets& of, Coordinates& coordinates, Whole balance) {
  const int slots = of.slots(), last = slots - 1;
  const double constant = TWO_PI * TWO_PI * TWO_PI * TWO_PI * 2 / (of.energy * of.energy);
  Slots event;
  Real weight = real(constant), x[MAX_FINAL], y[MAX_FINAL], pt[MAX_FINAL], rapidity[MAX_FINAL], turns{};
  Real mass[MAX_FINAL], low[MAX_FINAL], reach[MAX_FINAL];  // of slots; transverse masses begin at `low`
  for (int slot = 0; slot < slots; ++slot) {
    const double least = of.mass[slot] > 0 ? of.mass[slot] : of.pt_min;
    mass[slot] = real(of.mass[slot]), low[slot] = real(least), reach[slot] = real(__builtin_log(0.5 * of.energy / least));
  }
  if (of.pair.exists) {
    coordinates.axis = of.axes() - 3;
    Real pole, mass2 = pair_mass2(of.pair, coordinates.next(), pole);
    mass[last] = low[last] = root(mass2), reach[last] = logarithm(of.energy / low[last]);  // it may have all of the energy
    weight *= pole * (0.25 / TWO_PI);  // dcos dphi / (32 pi^2)
    coordinates.axis = 0;
  }
  for (int slot = 0; slot < slots; ++slot) weight *= 0.5 / (TWO_PI * TWO_PI * TWO_PI);  // 1 / (16 pi^3)
  Real sum_x{}, sum_y{};
  for (int i = 0; i < last; ++i) {  // slot i, or from the balancing one on slot i + 1
    const Whole up = balance < whole(i + 1);
    Real rest = where(up, mass[i + 1], mass[i]), far = where(up, reach[i + 1], reach[i]);
    Real transverse = where(up, low[i + 1], low[i]) * exponential(coordinates.next() * far);
    Real azimuth = coordinates.next(), c, s;
    const Whole heavy = rest > real(0.0);
    weight *= transverse * transverse * (far * TWO_PI);
    turns = where(heavy, azimuth, turns + azimuth);
    circle(turns, c, s);
    pt[i] = where(heavy, root(larger(transverse * transverse - rest * rest, real(0.0))), transverse);
    x[i] = pt[i] * c, y[i] = pt[i] * s;
    sum_x += x[i], sum_y += y[i];
  }
  x[last] = -sum_x, y[last] = -sum_y, pt[last] = root(sum_x * sum_x + sum_y * sum_y);
  event.exist = whole(-1);
  if (of.shared) {  // the slots from that of the balancing leg on move up
    Real bx = x[last], by = y[last], bp = pt[last], rest{};
    for (int slot = last; slot >= 0; --slot) {
      Whole here = balance == whole(slot), above = balance < whole(slot);
      if (slot > 0) {
        x[slot] = where(above, x[slot - 1], x[slot]);
        y[slot] = where(above, y[slot - 1], y[slot]), pt[slot] = where(above, pt[slot - 1], pt[slot]);
      }
      x[slot] = where(here, bx, x[slot]), y[slot] = where(here, by, y[slot]), pt[slot] = where(here, bp, pt[slot]);
      rest = where(here, mass[slot], rest);
    }
    const double jet = of.heavy ? RECOIL : 1.0;
    Real all{};  // squares of transverse masses, as the coordinates have them: the density of all channels
    for (int slot = 0; slot < slots; ++slot) {
      Real square = pt[slot] * pt[slot] + mass[slot] * mass[slot];
      all += slot < of.jets ? jet * square : square;
    }
    weight *= where(rest > real(0.0), bp * bp + rest * rest, jet * (bp * bp)) / all * double(slots);
    event.exist = (bp > real(of.pt_min)) | (rest > real(0.0));
  }
  Real plus{}, minus{}, half_ht{}, top = real(1.0);
  const auto place = [&](int slot) {
    Real mass2 = mass[slot] * mass[slot], transverse = root(pt[slot] * pt[slot] + mass2);
    Real up = exponential(rapidity[slot]), down = 1.0 / up, z = 0.5 * transverse * (up - down);
    plus += transverse * up, minus += transverse * down;
    if (!of.pair.exists || slot != last) half_ht += 0.5 * transverse;
    event.p[slot] = {root(pt[slot] * pt[slot] + mass2 + z * z), x[slot], y[slot], z};
  };
  for (int slot = 0; slot < of.jets; ++slot) {
    weight *= top * (2 * of.eta_max * (slot + 1));
    top *= coordinates.next();
    rapidity[slot] = of.eta_max * (2.0 * top - 1.0);
    place(slot);
  }
  for (int slot = of.jets; slot < slots; ++slot) {
    Real low, high;
    if (slot < last) {
      high = real(__builtin_log(of.energy / of.mass[slot])), low = -high;
    } else {  // what the momentum fractions of the others leave
      Real transverse = root(pt[slot] * pt[slot] + mass[slot] * mass[slot]);
      Real up = of.energy - plus, down = of.energy - minus;
      event.exist &= (up > real(0.0)) & (down > real(0.0));
      high = logarithm(larger(up, real(1e-9)) / transverse), low = -logarithm(larger(down, real(1e-9)) / transverse);
      event.exist &= high > low;
      high = larger(high, low);
    }
    weight *= high - low;
    rapidity[slot] = smaller(larger(low + coordinates.next() * (high - low), real(-30.0)), real(30.0));
    place(slot);
  }
  event.x1 = plus / of.energy, event.x2 = minus / of.energy;
  event.exist &= (event.x1 < real(1.0)) & (event.x2 < real(1.0));
  for (int i = 0; i < of.jets; ++i)
    for (int j = i + 1; j < of.jets; ++j)
      event.exist &= apart(rapidity[i] - rapidity[j], (x[i] * x[j] + y[i] * y[j]) / (pt[i] * pt[j]), of.delta_r);
  event.scale = half_ht;
  if (of.pair.exists) {
    coordinates.axis = of.axes() - 2;
    add_pair(of, coordinates, mass[last] * mass[last], rapidity, event);
  }
  event.weight = weight * coordinates.jacobian;
  return event;
}

}  // namespace ampcli::phasespace
