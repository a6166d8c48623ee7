// The inputs of networks, and all features of one event.
#pragma once

#include "radiation.h"

namespace AMPCLI_SPACE::radiation {

struct Space { double x, y, z; };

AMPCLI_INLINE double dot(const Space& a, const Space& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

AMPCLI_INLINE Space unit(const Space& v) {
  double size = larger(sqrt(dot(v, v)), TINY);
  return {v.x / size, v.y / size, v.z / size};
}

// Unit vector of the part of `v` at right angles to an axis.
AMPCLI_INLINE Space across(const Space& v, const Space& axis) {
  double along = dot(v, axis);
  return unit({v.x - along * axis.x, v.y - along * axis.y, v.z - along * axis.z});
}

// Exchangeable legs in the order of a key, and the beams exchanged where that is a symmetry: the emitting one, or the
// one nearest to the emitting pair, is first.
AMPCLI_INLINE void arrange(const Task& task, const double* key, const Products& products, const Emission& emission,
                           int* legs) {
  for (int leg = 0; leg < task.step[0].legs; ++leg) legs[leg] = leg;
  sort_within(task.exchangeable, key, legs);
  if (!task.choices.orient) return;
  const double *i = products[emission.i], *j = products[emission.j];
  bool swap = task.choices.initial ? emission.i == 1 : i[1] + j[1] < i[0] + j[0];
  legs[0] = swap, legs[1] = !swap;
}

AMPCLI_INLINE double* log_invariants(const Products& products, const int* order, int legs, double* to) {
  double* begin = to;
  for (int a = 0; a < legs; ++a)
    for (int b = a + 1; b < legs; ++b) *to++ = products[order[a]][order[b]];
  take_logs(begin, int(to - begin));
  return to;
}

// Emitter and emitted gluon: as they are, or turned about the beams and reflected into one orientation.  There, the
// transverse momentum of the emitter (of the gluon where a beam emits) points along x, which makes the emitter's p_y 0;
// the gluon of an outgoing pair has p_y >= 0; the emitting beam, or the pair, moves along +z if beams may be exchanged.
AMPCLI_INLINE double* pair_momenta(const Task& task, const Momentum& emitter, const Momentum& gluon, double* to) {
  if (!task.choices.canonical) {
    *to++ = emitter.e, *to++ = emitter.x, *to++ = emitter.y, *to++ = emitter.z;
    *to++ = gluon.e, *to++ = gluon.x, *to++ = gluon.y, *to++ = gluon.z;
    return to;
  }
  bool initial = task.choices.initial;
  const Momentum& along = initial ? gluon : emitter;
  double size = larger(pt(along), TINY), x = along.x / size, y = along.y / size;
  double direction = initial ? emitter.z : emitter.z + gluon.z;
  double sign = task.choices.orient && direction < 0 ? -1 : 1;
  *to++ = emitter.e, *to++ = emitter.x * x + emitter.y * y, *to++ = sign * emitter.z;
  *to++ = gluon.e, *to++ = gluon.x * x + gluon.y * y, *to++ = fabs(gluon.y * x - gluon.x * y), *to++ = sign * gluon.z;
  return to;
}

// AS, Table 3: log-invariants with emitters and emitted legs in the order of singularity, momenta, variables.
AMPCLI_INLINE void paper_inputs(const Task& task, const Event& p, const Products& products, const Emission& emission,
                                const int* order, const double* variables, double* to) {
  const Step& step = task.step[0];
  double seen[MAX_LEGS];
  for (int leg = 0; leg < step.legs; ++leg) seen[leg] = 1e6;
  for (int place = step.candidates - 1; place >= 0; --place) {
    int c = order[place];
    seen[step.emitted[c]] = 2 * place + 1, seen[step.emitter[c]] = 2 * place;
  }
  seen[emission.i] = -2, seen[emission.j] = -1;
  int legs[MAX_LEGS];
  arrange(task, seen, products, emission, legs);
  to = log_invariants(products, legs, step.legs, to);
  to = pair_momenta(task, p[emission.i], p[emission.j], to);
  for (int v = 0; v < 2 * task.steps; ++v) *to++ = variables[v];
}

// cos phi and cos 2 phi of the splitting plane against beam and spectator, at rest.
AMPCLI_INLINE double* splitting_azimuths(const Event& p, const Emission& emission, int beam, double* to) {
  double beta = (p[0].z + p[1].z) / (p[0].e + p[1].e), gamma = 1 / sqrt(1 - beta * beta);
  auto at_rest = [&](const Momentum& q) { return Space{q.x, q.y, gamma * (q.z - beta * q.e)}; };
  Space emitter = at_rest(p[emission.i]), emitted = at_rest(p[emission.j]);
  Space axis = unit({emitter.x + emitted.x, emitter.y + emitted.y, emitter.z + emitted.z});
  Space one = unit(emitter), other = unit(emitted);
  Space plane = across({one.x - other.x, one.y - other.y, one.z - other.z}, axis);
  double to_beam = dot(plane, across(unit(at_rest(p[beam])), axis));
  double to_spectator = dot(plane, across(unit(at_rest(p[emission.k])), axis));
  *to++ = to_beam, *to++ = to_spectator;
  *to++ = 2 * to_beam * to_beam - 1, *to++ = 2 * to_spectator * to_spectator - 1;
  return to;
}

// Invariant under boosts along the beams: log-invariants in the order emitter, emitted gluon, spectator, others by pT;
// angles; logarithms of variables and F, and of colour flows.
AMPCLI_INLINE void extended_inputs(const Task& task, const Event& p, const Products& products,
                                   const Emission& emission, const double* variables, double kernel, double flows,
                                   double* to) {
  int n = task.step[0].legs;
  double key[MAX_LEGS], size[MAX_LEGS];
  for (int leg = 0; leg < n; ++leg) size[leg] = pt(p[leg]), key[leg] = -size[leg];
  key[emission.k] = -1e9, key[emission.j] = -2e9, key[emission.i] = -3e9;
  int legs[MAX_LEGS];
  arrange(task, key, products, emission, legs);
  to = log_invariants(products, legs, n, to);
  double x[MAX_LEGS], y[MAX_LEGS];
  for (int place = 2; place < n; ++place) {
    int leg = legs[place];
    double length = larger(size[leg], TINY);
    x[place] = p[leg].x / length, y[place] = p[leg].y / length;
  }
  for (int a = 2; a < n; ++a)
    for (int b = a + 1; b < n; ++b) *to++ = x[a] * x[b] + y[a] * y[b];
  bool initial = task.choices.initial;
  if (!initial) to = splitting_azimuths(p, emission, legs[0], to);
  double* logs = to;
  for (int s = 0; s < task.steps; ++s) {
    double first = variables[2 * s];
    *to++ = initial ? larger(1 - first, 1e-12) : larger(first, 1e-30);
  }
  for (int s = 0; s < task.steps; ++s) {
    double second = variables[2 * s + 1];
    *to++ = initial ? larger(second, 1e-12) : larger(second * (1 - second), 1e-30);
  }
  *to++ = kernel;
  if (flows > 0) {
    *to++ = flows / kernel, *to = emission.strings;
    for (int power = 0; power < task.step[0].numerator; ++power) *to *= products[0][1];
    ++to;
  }
  take_logs(logs, int(to - logs));
}

struct Rows {  // where the features of an event go
  double *legs, *variables, *kernel, *reduced, *inputs;
};

AMPCLI_INLINE Rows rows_of(const Task& task, long long event, const Rows& all) {
  int left = task.step[0].legs - task.steps;
  return {all.legs + event * 3 * task.steps, all.variables + event * 2 * task.steps, all.kernel + event,
          all.reduced + event * left * 4, all.inputs + event * task.columns};
}

AMPCLI_INLINE void write_emission(const Emission& emission, int step, const Rows& to) {
  to.legs[3 * step] = emission.i, to.legs[3 * step + 1] = emission.j, to.legs[3 * step + 2] = emission.k;
  to.variables[2 * step] = emission.first, to.variables[2 * step + 1] = emission.second;
}

// All features of an event of outgoing momenta (E, px, py, pz in GeV, leg by leg).
AMPCLI_INLINE void features(const Task& task, const double* final, const Rows& to) {
  const Choices& choices = task.choices;
  Event p, reduced;
  Products products;
  int place[MAX_LEGS], order[MAX_CANDIDATES];
  double distance[MAX_CANDIDATES];
  read_event(task, final, p, place);
  fill_products(p, task.step[0], products);
  fill_distances(p, products, task.step[0], choices, distance);
  rank(distance, task.step[0].candidates, order);
  for (int leg = 0; leg < task.step[0].legs; ++leg) reduced[leg] = p[leg];
  Emission first = undo(reduced, products, task.step[0], choices, order[task.step[0].rank]);
  write_emission(first, 0, to);
  double kernel = first.kernel, flows = first.flows;
  if (task.steps == 2) {  // the second emission shares the reduced particle of the first
    Products again;
    fill_products(reduced, task.step[1], again);
    fill_distances(reduced, again, task.step[1], choices, distance);
    int next = nearest_with(first.merged, distance, task.step[1]);
    Emission second = undo(reduced, again, task.step[1], choices, next);
    write_emission(second, 1, to);
    kernel *= second.kernel, flows *= second.flows;
  }
  *to.kernel = flows > 0 ? flows : kernel;
  for (int leg = 0; leg < task.step[0].legs - task.steps; ++leg) {
    double* row = to.reduced + 4 * leg;
    row[0] = reduced[leg].e, row[1] = reduced[leg].x, row[2] = reduced[leg].y, row[3] = reduced[leg].z;
  }
  if (choices.extended)
    extended_inputs(task, p, products, first, to.variables, kernel, flows, to.inputs);
  else
    paper_inputs(task, p, products, first, order, to.variables, to.inputs);
  if (choices.either) to.inputs[task.columns - 1] = task.step[0].gluon[first.i] ? 1 : 0;
  for (int side = 0; side < 3; ++side) to.legs[side] = place[int(to.legs[side])];  // of the event as it was given
}

}  // namespace AMPCLI_SPACE::radiation
