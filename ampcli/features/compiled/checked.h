// Whether a task that comes from a file keeps to its tables: every count and index that features() uses.
#pragma once

#include "radiation.h"

namespace AMPCLI_SPACE::radiation {

inline bool within(int index, int limit) { return index >= 0 && index < limit; }

inline bool good_groups(const Groups& groups, int first, int legs) {
  if (!within(groups.count, MAX_GROUPS + 1)) return false;
  for (int g = 0; g < groups.count; ++g) {
    if (!within(groups.size[g], legs + 1)) return false;
    for (int a = 0; a < groups.size[g]; ++a)
      if (groups.leg[g][a] < first || groups.leg[g][a] >= legs) return false;
  }
  return true;
}

inline bool is_jet(const Step& step, int leg) {
  for (int n = 0; n < step.jets; ++n)
    if (step.jet[n] == leg) return true;
  return false;
}

// Every candidate is a pair of legs with a spectator.
inline bool good_emissions(const Step& step, const Choices& choices) {
  if (!within(step.candidates, MAX_CANDIDATES + 1) || !within(step.rank, step.candidates)) return false;
  if (!within(step.last_gluon, step.legs) || !within(step.jets, MAX_LEGS + 1)) return false;
  for (int n = 0; n < step.jets; ++n)
    if (!within(step.jet[n], step.legs)) return false;
  for (int c = 0; c < step.candidates; ++c) {
    const int i = step.emitter[c], j = step.emitted[c];
    if (!within(i, step.legs) || !within(j, step.legs) || i == j) return false;
    if (choices.delta_r && !choices.initial && !(is_jet(step, i) && is_jet(step, j))) return false;
    bool spectator = false;
    for (int n = 0; n < step.jets; ++n) spectator = spectator || (step.jet[n] != i && step.jet[n] != j);
    if (!spectator) return false;
  }
  return true;
}

// Colour strings between two legs, with gluons on them before and after an emission is undone.
inline bool good_strings(const Step& step) {
  if (!step.strings) return true;
  if (!within(step.end[0], step.legs) || !within(step.end[1], step.legs) || !within(step.numerator, 5)) return false;
  int gluons = 0;
  for (int leg = 0; leg < step.legs; ++leg) gluons += step.gluon[leg] && leg != step.end[0];
  const bool ends_stay = step.last_gluon != step.end[0] && step.last_gluon != step.end[1];
  return ends_stay && step.gluon[step.last_gluon] && within(gluons - 1, MAX_STRING);
}

// Columns that features() writes.
inline int columns_of(const Task& task) {
  const Choices& choices = task.choices;
  const int legs = task.step[0].legs, outgoing = legs - 2;
  int columns = legs * (legs - 1) / 2 + 2 * task.steps + (choices.either ? 1 : 0);
  if (choices.extended)
    return columns + outgoing * (outgoing - 1) / 2 + 1 + (choices.initial ? 0 : 4) + (task.step[0].strings ? 2 : 0);
  return columns + (choices.canonical ? 7 : 8);
}

// Of emissions that are undone, or (`undone` false) of momenta as they are, whose logarithms of invariants are all.
inline bool good_task(const Task& task, bool undone) {
  const int legs = task.step[0].legs;
  if (legs < 3 || legs > MAX_LEGS || !good_groups(task.identical, 2, legs)) return false;
  if (!undone) return task.columns == legs * (legs - 1) / 2;
  if (task.steps < 1 || task.steps > 2 || legs - task.steps < 3 || task.columns != columns_of(task)) return false;
  if (!good_groups(task.exchangeable, 0, legs)) return false;
  for (int s = 0; s < task.steps; ++s)
    if (task.step[s].legs != legs - s || !good_emissions(task.step[s], task.choices) || !good_strings(task.step[s]) ||
        bool(task.step[s].strings) != bool(task.step[0].strings))
      return false;
  return true;
}

}  // namespace AMPCLI_SPACE::radiation
