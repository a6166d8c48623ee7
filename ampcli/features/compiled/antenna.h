// Antennae of colour strings and spin-correlation terms of e+e- -> q q~ + gluons, of the representative of an event.
//
// ampcli/features/antenna.py says what they are and ampcli/factorisation what they come from: antennas.py, azimuth.py,
// representative.py.  One event at a time, no memory but the stack and the room that is given.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "inputs.h"

namespace AMPCLI_SPACE::antenna {

using radiation::Event, radiation::Momentum, radiation::Space;

constexpr int MAX_LEGS = radiation::MAX_LEGS;
constexpr int NONE = -1;

// What there is to compute, for one process.  Legs are outgoing ones, from 0; rows of tables lie one after the other.
struct Task {
  int legs, quark, antiquark, gluons, chains, terms, azimuths;
  const std::int32_t* gluon;
  const std::int32_t* chain;  // (chains, 3): the chain without the last gluon or NONE, then two legs of 1 / s_ij
  const std::int32_t* term;   // (terms, gluons): chains, closed, whose product is an antenna; NONE after the last
  const std::int32_t* splitting;  // (azimuths, legs_of_splitting()): a gluon pair and, but for old models, its neighbours
  const std::uint8_t* neighbours;  // (azimuths, terms): the antenna has the splitting
  bool old;                        // version 1 of the features

  int inputs() const { return 4 * legs + legs * (legs - 1) / 2; }
  int legs_of_splitting() const { return old ? 2 : 4; }
  int all_terms() const { return terms + 2 * azimuths; }

  // Every number of the tables is in its range.
  bool good() const {
    const auto within = [](std::int32_t n, int least, int limit) { return n >= least && n < limit; };
    if (legs < 3 || legs > MAX_LEGS || gluons != legs - 2) return false;
    unsigned seen = 0;
    for (int part = 0; part < legs; ++part) {
      const int leg = part < gluons ? gluon[part] : part == gluons ? quark : antiquark;
      if (!within(leg, 0, legs) || seen >> leg & 1) return false;
      seen |= 1u << leg;
    }
    for (int c = 0; c < chains; ++c)
      if (!within(chain[3 * c], NONE, c) || !within(chain[3 * c + 1], 0, legs) || !within(chain[3 * c + 2], 0, legs))
        return false;
    for (long i = 0; i < long(terms) * gluons; ++i)
      if (!within(term[i], NONE, chains)) return false;
    for (long i = 0; i < long(azimuths) * legs_of_splitting(); ++i)
      if (!within(splitting[i], 0, legs)) return false;
    return true;
  }
};

// As ampcli/factorisation/representative.py: E_q >= E_q~ (by CP), gluons in falling order of energy, the quark at
// azimuth 0, the antiquark at py >= 0.
AMPCLI_INLINE void representative(const Task& task, const double* final, Event& p) {
  const auto leg = [&](int i) { return Momentum{final[4 * i], final[4 * i + 1], final[4 * i + 2], final[4 * i + 3]}; };
  p[task.quark] = leg(task.quark), p[task.antiquark] = leg(task.antiquark);
  const bool flip = p[task.quark].e < p[task.antiquark].e;
  if (flip) {
    const Momentum other = p[task.quark];
    p[task.quark] = p[task.antiquark], p[task.antiquark] = other;
  }
  for (int g = 0; g < task.gluons; ++g) p[task.gluon[g]] = leg(task.gluon[g]);  // energies that are no numbers: as given
  for (int g = 0; g < task.gluons; ++g) {
    const Momentum gluon = leg(task.gluon[g]);
    int place = 0;
    for (int other = 0; other < task.gluons; ++other) {
      const double energy = final[4 * task.gluon[other]];
      place += energy > gluon.e || (other < g && energy == gluon.e);
    }
    p[task.gluon[place]] = gluon;
  }
  const double sign = flip ? -1 : 1;
  const Momentum quark = p[task.quark];
  const double size = radiation::larger(radiation::pt(quark), radiation::TINY);
  const double x = sign * quark.x / size, y = sign * quark.y / size;
  for (int i = 0; i < task.legs; ++i) {
    const Momentum q{p[i].e, sign * p[i].x, sign * p[i].y, sign * p[i].z};
    p[i] = {q.e, x * q.x + y * q.y, x * q.y - y * q.x, q.z};
  }
  if (p[task.antiquark].y < 0)
    for (int i = 0; i < task.legs; ++i) p[i].y = -p[i].y;
}

AMPCLI_INLINE Space cross(const Space& a, const Space& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

// cos 2 phi and sin 2 phi of a splitting, as ampcli/factorisation/azimuth.py.
AMPCLI_INLINE void azimuth(const Momentum& i, const Momentum& j, double& cosine, double& sine) {
  const Space one{i.x, i.y, i.z}, other{j.x, j.y, j.z};
  const Space parent = radiation::unit({i.x + j.x, i.y + j.y, i.z + j.z});
  const Space toward_z = radiation::across({0, 0, 1}, parent);
  // keeps its precision for collinear pairs, where p_i - (p_i . n) n cancels
  const Space toward_i = radiation::unit(cross(parent, cross(one, other)));
  const double c = radiation::dot(toward_i, toward_z), s = radiation::dot(parent, cross(toward_i, toward_z));
  cosine = c * c - s * s, sine = 2 * s * c;
}

// cos 2 phi and sin 2 phi from the plane of the parent's neighbours, as azimuth_in_string of ampcli/factorisation/azimuth.py.
AMPCLI_INLINE void azimuth_in_string(const Momentum& i, const Momentum& j, const Momentum& left, const Momentum& right,
                                     double parent_left, double parent_right, double& cosine, double& sine) {
  const Space one{i.x, i.y, i.z}, other{j.x, j.y, j.z};
  const Space parent = radiation::unit({i.x + j.x, i.y + j.y, i.z + j.z});
  const Space toward_i = radiation::unit(cross(parent, cross(one, other)));
  const double l = 1 / parent_left, r = 1 / parent_right;
  const Space current{left.x * l - right.x * r, left.y * l - right.y * r, left.z * l - right.z * r};
  const double c = radiation::dot(toward_i, current), s = radiation::dot(cross(parent, toward_i), current);
  const double size = 1 / radiation::larger(c * c + s * s, radiation::TINY);
  cosine = (c * c - s * s) * size, sine = 2 * s * c * size;
}

// Inputs (task.inputs()) and terms (task.all_terms()) of outgoing momenta (E, px, py, pz in GeV, leg by leg); `room` for
// 2 task.chains numbers.
AMPCLI_INLINE void features(const Task& task, const double* final, double* inputs, double* terms, double* room) {
  Event p;
  double energy = 0, scaled[MAX_LEGS][MAX_LEGS], inverse[MAX_LEGS][MAX_LEGS];
  representative(task, final, p);
  for (int i = 0; i < task.legs; ++i) energy += final[4 * i];
  const double unit = 1 / energy;
  for (int i = 0; i < task.legs; ++i) {
    *inputs++ = p[i].e * unit, *inputs++ = p[i].x * unit, *inputs++ = p[i].y * unit, *inputs++ = p[i].z * unit;
  }
  double* logs = inputs;
  for (int i = 0; i < task.legs; ++i)
    for (int j = i + 1; j < task.legs; ++j) {
      scaled[i][j] = scaled[j][i] = 2 * radiation::massless_product(p[i], p[j]) * unit * unit;
      inverse[i][j] = inverse[j][i] = 1 / scaled[i][j];
      *inputs++ = scaled[i][j];
    }
  if (task.old)
    radiation::take_logs(logs, int(inputs - logs));
  else
    for (int i = 0; i < task.legs; ++i)
      for (int j = i + 1; j < task.legs; ++j, ++logs) {
        const bool quarks = i == std::min(task.quark, task.antiquark) && j == std::max(task.quark, task.antiquark);
        if (quarks) radiation::take_logs(logs, 1);
        else *logs = std::sqrt(*logs);
      }
  double *open = room, *closed = room + task.chains;
  for (int c = 0; c < task.chains; ++c) {
    const std::int32_t *row = task.chain + 3 * c, last = row[2];
    open[c] = (row[0] == NONE ? scaled[task.quark][task.antiquark] : open[row[0]]) * inverse[row[1]][last];
    closed[c] = open[c] * inverse[last][task.antiquark];
  }
  for (int t = 0; t < task.terms; ++t) {
    const std::int32_t* row = task.term + long(t) * task.gluons;
    double product = 1;
    for (int s = 0; s < task.gluons && row[s] != NONE; ++s) product *= closed[row[s]];
    terms[t] = product;
  }
  for (int n = 0; n < task.azimuths; ++n) {
    const std::uint8_t* near = task.neighbours + long(n) * task.terms;
    const std::int32_t* leg = task.splitting + long(n) * task.legs_of_splitting();
    const Momentum &one = p[leg[0]], &other = p[leg[1]];
    double strength = 0, cosine, sine;
    for (int t = 0; t < task.terms; ++t) strength += near[t] ? terms[t] : 0.0;
    if (task.old) {
      azimuth(one, other, cosine, sine);
    } else {
      const auto along = [&](int k) { return scaled[k][leg[0]] + scaled[k][leg[1]]; };
      azimuth_in_string(one, other, p[leg[2]], p[leg[3]], along(leg[2]), along(leg[3]), cosine, sine);
      const double z = one.e / (one.e + other.e), shared = z * (1 - z);
      strength *= shared * shared;
    }
    terms[task.terms + n] = cosine * strength, terms[task.terms + task.azimuths + n] = sine * strength;
  }
}

}  // namespace AMPCLI_SPACE::antenna
