// One or two emissions of an event undone: which ones, their kernels, and the event without them.
//
// L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 2 and App. A ("AS"); S. Catani, M.H.
// Seymour, Nucl. Phys. B485 (1997) 291 ("CS").  The kernels printed in AS lack terms; docs/physics.md says which.
//
// The same text is compiled for CPUs (cpu.h) and for CUDA (threads.cu): one event at a time, no memory but the stack.
#pragma once

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

#ifdef __CUDACC__
#define AMPCLI_INLINE __device__ __forceinline__
#else
#include <cmath>
#define AMPCLI_INLINE inline __attribute__((always_inline))
#endif

#include "elementary.h"

namespace AMPCLI_SPACE::radiation {

constexpr int MAX_LEGS = 16;
constexpr int MAX_CANDIDATES = 91;  // pairs of 14 gluons
constexpr int MAX_STRING = 8;       // gluons between the ends of a string
constexpr int MAX_GROUPS = 7;
constexpr double PI = 3.14159265358979323846;
constexpr double TINY = 1e-300;
constexpr double KERNEL_FLOOR = 1e-2;  // initial kernels may turn negative far from their singularity
constexpr double C_A = 3.0, C_F = 4.0 / 3.0;

struct Momentum { double e, x, y, z; };

using Event = Momentum[MAX_LEGS];
using Products = double[MAX_LEGS][MAX_LEGS];

// ---- what there is to do: of one process and radiation ------------------------------------------------------------

struct Groups {  // legs that may be exchanged, and such others
  int count, size[MAX_GROUPS], leg[MAX_GROUPS][MAX_LEGS];
};

struct Step {  // one emission to undo
  int legs, last_gluon, rank;  // rank from 0
  int candidates, emitter[MAX_CANDIDATES], emitted[MAX_CANDIDATES];
  int jets, jet[MAX_LEGS];
  int massive[MAX_LEGS], gluon[MAX_LEGS];
  int strings, end[2];  // whether there are colour strings, and the legs at their ends: of gluons alone, twice the first
  int numerator;        // |M|^2 is like s^numerator times their sum: an input
};

struct Choices {
  int initial, either, printed_kernel, delta_r;
  int spectator;  // 0: the most energetic jet; 1: the one with the largest s_ijk; 2: the gluon with it
  int extended;   // inputs
  int orient;     // exchange the beams, where the paper's or the extended inputs may
  int canonical;  // look at events without longitudinal momentum, identical particles by pT
  double coupling;  // 4 pi alpha_s
};

struct Task {
  Choices choices;
  int steps, columns;  // columns of the inputs
  Step step[2];
  Groups identical, exchangeable;
};

// ---- momenta ------------------------------------------------------------------------------------------------------

AMPCLI_INLINE double larger(double a, double b) { return a < b ? b : a; }
AMPCLI_INLINE double square(double x) { return x * x; }
AMPCLI_INLINE double dot3(const Momentum& a, const Momentum& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
AMPCLI_INLINE double pt(const Momentum& p) { return sqrt(p.x * p.x + p.y * p.y); }

// As `ampcli.kinematics.massless_product`.
AMPCLI_INLINE double massless_product(const Momentum& a, const Momentum& b) {
  double energies = a.e * b.e, cosine = dot3(a, b);
  if (cosine <= 0) return energies - cosine;
  double cross = square(a.y * b.z - a.z * b.y) + square(a.z * b.x - a.x * b.z) + square(a.x * b.y - a.y * b.x);
  return cross / (energies + cosine);
}

AMPCLI_INLINE void fill_products(const Event& p, const Step& step, Products& products) {
  for (int a = 0; a < step.legs; ++a) {
    products[a][a] = step.massive[a] ? p[a].e * p[a].e - dot3(p[a], p[a]) : 0.0;
    for (int b = 0; b < a; ++b)
      products[a][b] = products[b][a] = step.massive[a] || step.massive[b] ? p[a].e * p[b].e - dot3(p[a], p[b])
                                                                           : massless_product(p[a], p[b]);
  }
}

// Puts the legs of each group into the order of a key; of equal ones, the first stays first.
AMPCLI_INLINE void sort_within(const Groups& groups, const double* key, int* legs) {
  for (int g = 0; g < groups.count; ++g)
    for (int a = 0; a < groups.size[g]; ++a) {
      int leg = groups.leg[g][a], place = 0;
      for (int b = 0; b < groups.size[g]; ++b) {
        double other = key[groups.leg[g][b]];
        place += other < key[leg] || (b < a && other == key[leg]);
      }
      legs[groups.leg[g][place]] = leg;
    }
}

// Outgoing momenta with the beams that they need in front.  `place`: where in the given event each leg was.
AMPCLI_INLINE void read_event(const Task& task, const double* final, Event& p, int* place) {
  int legs = task.step[0].legs;
  double key[MAX_LEGS], energy = 0, pz = 0;
  for (int leg = 2; leg < legs; ++leg) {
    const double* q = final + 4 * (leg - 2);
    // two outgoing particles have the same pT: there, the one that is more forward is first
    key[leg] = legs > 4 ? -sqrt(q[1] * q[1] + q[2] * q[2]) : q[0] - q[3];
    energy += q[0], pz += q[3];
  }
  for (int leg = 0; leg < legs; ++leg) place[leg] = leg;
  double gamma = 1, boost = 0;
  if (task.choices.canonical) {
    sort_within(task.identical, key, place);
    double mass = sqrt((energy + pz) * (energy - pz));
    gamma = energy / mass, boost = pz / mass;
  }
  energy = pz = 0;
  for (int leg = 2; leg < legs; ++leg) {
    const double* q = final + 4 * (place[leg] - 2);
    p[leg] = {gamma * q[0] - boost * q[3], q[1], q[2], gamma * q[3] - boost * q[0]};
    energy += p[leg].e, pz += p[leg].z;
  }
  double plus = 0.5 * (energy + pz), minus = 0.5 * (energy - pz);
  p[0] = {plus, 0, 0, plus};
  p[1] = {minus, 0, 0, -minus};
}

// ---- which emission -----------------------------------------------------------------------------------------------

// How far each candidate is from its singularity: p_i.p_j, or (Delta R)^2 of outgoing pairs.
AMPCLI_INLINE void fill_distances(const Event& p, const Products& products, const Step& step, const Choices& choices,
                                  double* distance) {
  if (choices.initial || !choices.delta_r) {
    for (int c = 0; c < step.candidates; ++c) distance[c] = products[step.emitter[c]][step.emitted[c]];
    return;
  }
  double rapidity[MAX_LEGS], azimuth[MAX_LEGS], x[MAX_LEGS];
  int number[MAX_LEGS];
  for (int n = 0; n < step.jets; ++n) {
    const Momentum& q = p[step.jet[n]];
    rapidity[n] = q.z / larger(pt(q), TINY), azimuth[n] = q.y, x[n] = q.x;
    number[step.jet[n]] = n;
  }
  take_asinhs(rapidity, step.jets);
  take_angles(azimuth, x, step.jets);
  for (int c = 0; c < step.candidates; ++c) {
    int a = number[step.emitter[c]], b = number[step.emitted[c]];
    double apart = fabs(azimuth[a] - azimuth[b]);
    apart = apart > PI ? 2 * PI - apart : apart;
    distance[c] = square(rapidity[a] - rapidity[b]) + square(apart);
  }
}

// Candidates from the most to the least singular.
AMPCLI_INLINE void rank(const double* distance, int candidates, int* order) {
  for (int c = 0; c < candidates; ++c) {
    int at = c;
    for (; at > 0 && distance[order[at - 1]] > distance[c]; --at) order[at] = order[at - 1];
    order[at] = c;
  }
}

// The most singular candidate that shares a leg.
AMPCLI_INLINE int nearest_with(int leg, const double* distance, const Step& step) {
  int nearest = -1;
  for (int c = 0; c < step.candidates; ++c)
    if ((step.emitter[c] == leg || step.emitted[c] == leg) && (nearest < 0 || distance[c] < distance[nearest]))
      nearest = c;
  return nearest < 0 ? 0 : nearest;
}

// ---- kernels and maps ---------------------------------------------------------------------------------------------

// F p_i.p_j / (4 pi alpha_s) of g -> g g or q -> q g (AS, Eqs. 44, 45; CS, Eqs. 5.7, 5.9).
AMPCLI_INLINE double final_kernel(bool gluon, bool printed, double y, double z) {
  double soft_j = 1 / (1 - z * (1 - y));
  if (!gluon) return C_F * (2 * soft_j - (printed ? 1 - z : 1 + z));
  return 2 * C_A * (soft_j + 1 / (1 - (1 - z) * (1 - y)) - 2 + (printed ? 0 : z * (1 - z)));
}

// F x p_a.p_i / (4 pi alpha_s), floored (AS, Eqs. 50, 51; CS, Eqs. 5.77, 5.79).
AMPCLI_INLINE double initial_kernel(bool gluon, bool printed, double x, double u) {
  double soft = 1 / (1 - x + u);
  double kernel = gluon ? 2 * C_A * (soft + (printed ? 0 : (1 - x) / x) - 1 + x * (1 - x))
                        : (printed ? 2 : 1) * C_F * (2 * soft - (1 + x));
  return larger(kernel, KERNEL_FLOOR);
}

struct Emission {
  int i, j, k, merged;           // emitter, emitted gluon, spectator; the emitter's place in the reduced event
  double first, second, kernel;  // y, z or x, u; F in GeV^-2
  double flows, strings;         // what stands in place of F where there are colour strings, and their sum
};

// Sum over the orders of gluons between two ends of the products of what is between neighbours.
template <int GLUONS>
AMPCLI_INLINE double sum_over_orders(const double* first, const double* last,
                                     const double (&between)[MAX_STRING][MAX_STRING]) {
  double sum[1 << GLUONS][GLUONS], total = 0;  // over the orders of a set that end with one of its gluons
  constexpr int all = (1 << GLUONS) - 1;
#pragma GCC unroll 16
  for (int set = 1; set <= all; ++set)
#pragma GCC unroll 8
    for (int a = 0; a < GLUONS; ++a) {
      const int rest = set ^ 1 << a;
      if (rest > set) continue;
      double orders = rest ? 0 : first[a];
#pragma GCC unroll 8
      for (int b = 0; b < GLUONS; ++b)
        if (rest >> b & 1) orders += sum[rest][b] * between[b][a];
      sum[set][a] = orders;
    }
  for (int a = 0; a < GLUONS; ++a) total += sum[all][a] * last[a];
  return total;
}

// Of 1 / (p_a.p_b) along the string: what |M|^2 is like at leading colour (S. Parke, T. Taylor, Phys. Rev. Lett. 56 (1986)
// 2459; F.A. Berends, W.T. Giele, Nucl. Phys. B306 (1988) 759).  Of an event, or of the one that an emission left: there,
// the last gluon has no place.
template <class Product>
AMPCLI_INLINE double strings_of(const Product& product, const Step& step, bool reduced) {
  int gluon[MAX_STRING], gluons = 0, end[2];
  auto place = [&](int leg) { return reduced && leg > step.last_gluon ? leg - 1 : leg; };
  for (int side = 0; side < 2; ++side) end[side] = place(step.end[side]);
  for (int leg = 0; leg < step.legs; ++leg)
    if (step.gluon[leg] && leg != step.end[0] && !(reduced && leg == step.last_gluon)) gluon[gluons++] = place(leg);
  double first[MAX_STRING], last[MAX_STRING], between[MAX_STRING][MAX_STRING];
  for (int a = 0; a < gluons; ++a) {
    first[a] = 1 / product(end[0], gluon[a]), last[a] = 1 / product(end[1], gluon[a]);
    for (int b = 0; b < a; ++b) between[a][b] = between[b][a] = 1 / product(gluon[a], gluon[b]);
  }
  switch (gluons) {
    case 0: return 1 / product(end[0], end[1]);
    case 1: return sum_over_orders<1>(first, last, between);
    case 2: return sum_over_orders<2>(first, last, between);
    case 3: return sum_over_orders<3>(first, last, between);
    case 4: return sum_over_orders<4>(first, last, between);
    case 5: return sum_over_orders<5>(first, last, between);
    case 6: return sum_over_orders<6>(first, last, between);
    case 7: return sum_over_orders<7>(first, last, between);
    default: return sum_over_orders<8>(first, last, between);
  }
}

// What stands above the strings: of an outgoing splitting what helicities make of its soft limit, z being the emitter's
// share; of an incoming one, which leaves x of s, the power of s that |M|^2 has there (docs/physics.md).
AMPCLI_INLINE double final_numerator(bool gluon, double z) {
  return gluon ? 0.5 * (1 + square(square(z)) + square(square(1 - z))) : 0.5 * (1 + z * z);
}
AMPCLI_INLINE double initial_numerator(bool gluon, double x) { return gluon ? 1 / square(square(x)) : 1 / square(x); }

AMPCLI_INLINE int spectator_of(int i, int j, const Event& p, const Products& products, const Step& step, int choice) {
  int spectator = -1;
  double best = 0;
  for (int n = 0; n < step.jets; ++n) {
    int leg = step.jet[n];
    if (leg == i || leg == j) continue;
    double preference = choice ? products[i][leg] + products[j][leg] : p[leg].e;  // s_ij is common to all
    if (choice == 2 && !step.gluon[leg]) preference = -1 / larger(preference, TINY);  // after all gluons
    if (spectator < 0 || preference > best) best = preference, spectator = leg;
  }
  return spectator;
}

// Undoes a candidate in place: `p` becomes the reduced event (AS, Eqs. 29, 30, 37, 38).
AMPCLI_INLINE Emission undo(Event& p, const Products& products, const Step& step, const Choices& choices,
                            int candidate) {
  int i = step.emitter[candidate], j = step.emitted[candidate];
  // Of two gluons the harder one emits: kernel and map do not tell them apart, a network that sees them does.
  if (step.gluon[i] && !choices.initial && (choices.delta_r ? pt(p[j]) > pt(p[i]) : p[j].e > p[i].e)) {
    int softer = i;
    i = j, j = softer;
  }
  int k = spectator_of(i, j, p, products, step, choices.spectator);
  double pij = products[i][j], pik = products[i][k], pjk = products[j][k];
  Emission emission{i, j, k, i == step.last_gluon ? j : i, 0, 0, 0, 0, 0};
  Momentum emitter, spectator, pi = p[i], pj = p[j], pk = p[k];
  auto before = [&](int a, int b) { return larger(products[a][b], TINY); };
  auto after = [&](int a, int b) { return larger(massless_product(p[a], p[b]), TINY); };
  if (step.strings) emission.strings = strings_of(before, step, false);
  if (choices.initial) {
    double x = (pik + pij - pjk) / (pik + pij), u = pij / (pij + pik), rest = 1 - x;
    emission.first = x, emission.second = u;
    emission.kernel = initial_kernel(step.gluon[i], choices.printed_kernel, x, u) / (x * pij);
    emitter = {x * pi.e, x * pi.x, x * pi.y, x * pi.z};
    spectator = {pk.e + pj.e - rest * pi.e, pk.x + pj.x - rest * pi.x, pk.y + pj.y - rest * pi.y,
                 pk.z + pj.z - rest * pi.z};
  } else {
    double y = pij / (pij + pjk + pik), z = pik / (pik + pjk), factor = 1 / (1 - y), recoil = y * factor;
    emission.first = y, emission.second = z;
    emission.kernel = final_kernel(step.gluon[i], choices.printed_kernel, y, z) / pij;
    emitter = {pi.e + pj.e - recoil * pk.e, pi.x + pj.x - recoil * pk.x, pi.y + pj.y - recoil * pk.y,
               pi.z + pj.z - recoil * pk.z};
    spectator = {factor * pk.e, factor * pk.x, factor * pk.y, factor * pk.z};
  }
  emission.kernel *= choices.coupling;
  p[i] = emitter, p[k] = spectator;
  // The emitted gluon's place is taken by the last gluon, whose place goes.
  p[j] = p[step.last_gluon];
  for (int leg = step.last_gluon; leg + 1 < step.legs; ++leg) p[leg] = p[leg + 1];
  if (emission.merged > step.last_gluon) --emission.merged;
  if (step.strings) {
    double numerator = choices.initial ? initial_numerator(step.gluon[i], emission.first)
                                       : final_numerator(step.gluon[i], pt(pi) / larger(pt(pi) + pt(pj), TINY));
    emission.flows = choices.coupling * C_A * numerator * emission.strings / strings_of(after, step, true);
  }
  return emission;
}

}  // namespace AMPCLI_SPACE::radiation
