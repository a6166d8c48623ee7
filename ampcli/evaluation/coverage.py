"""Whether intervals hold what they ought to everywhere: coverage in bins of what events look like.

Coverage of all points together can be right where some kinds of events are too optimistic and others too cautious.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.evaluation.metrics import Proportion, proportion
from ampcli.phasespace.cuts import smallest_delta_r, transverse_momenta
from ampcli.process import Process
from ampcli.records.base import Frozen
from ampcli.uncertainty.pulls import GAUSSIAN, own_errors
from ampcli.weighted import Flags, Floats

#: A bin whose 95 % intervals hold less is named.
LEAST_COVERAGE = 0.92

_LEVELS = (0.01, 0.02, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.98, 0.99)
"""Shares of the weight below the edges of bins: narrow ones at both ends, where what is rare lies."""
_LEAST_ROWS = 500  # effective ones of a bin: its 92 % is then three standard errors from 95 %


@dataclass(frozen=True)
class Variable:
    """What to call it, and its unit ("" without one)."""

    name: str
    unit: str = ""


VARIABLES = {
    "pt_hardest": Variable("pT of the hardest jet", "GeV"),
    "pt_softest": Variable("pT of the softest jet", "GeV"),
    "min_delta_r": Variable("smallest Delta R of two jets"),
    "min_sij_over_s": Variable("smallest s_ij / s"),
    "log_amplitude": Variable("ln |M|^2"),
    "relative_uncertainty": Variable("predicted uncertainty / |M|^2"),
}


class CoverageBin(Frozen):
    """Points with low < variable <= high.

    Attributes:
        share: of the weight of all points with an uncertainty.
        intervals: fractions of the points in the intervals that ought to hold "68", "95" and "99" per cent.
        short: the 95 % intervals hold less than 92 %, and the bin has points enough to say so.
        low: lower edge, in the unit of the variable.
        high: upper edge.
        points: in the bin.
        effective_points: as many points of equal weight (Kish).
    """

    low: FiniteFloat
    high: FiniteFloat
    points: int
    effective_points: FiniteFloat
    share: FiniteFloat
    intervals: dict[str, Proportion]
    short: bool


def kinematic_variables(final: Floats, process: Process) -> dict[str, Floats]:
    """What decides how hard events (n, n_final, 4) in GeV are to predict, (n,) each; `VARIABLES` says in which unit."""
    if process.incoming[0].kind == "lepton" or not process.jet_legs:
        return {}
    transverse = transverse_momenta(final, process)
    found = {"pt_hardest": transverse.max(axis=1), "pt_softest": transverse.min(axis=1)}
    return found | ({"min_delta_r": smallest_delta_r(final, process)} if len(process.jet_legs) > 1 else {})


def coverage_in_bins(
    variables: Mapping[str, Floats],
    pulls: Floats,
    intervals: Mapping[str, float] | None = None,
    weight: Floats | None = None,
    noise: Floats | None = None,
) -> dict[str, list[CoverageBin]]:
    """Coverage in bins of each of some (n,) variables that tell points apart.

    Args:
        pulls: (n,) (predicted - exact) / uncertainty; NaN or infinite where that is not known: left out.
        intervals: how many uncertainties hold "95" and "99" % of the errors, where that is known better than by Gauss.
        weight: (n,) what each point counts, >= 0; None: all alike.
        noise: (n,) statistical errors of the exact values, over the uncertainties; None: there are none.
    """
    known = np.isfinite(pulls) if weight is None else np.isfinite(pulls) & (weight > 0)
    weight = weighted.significant(weighted.part(weight, known))
    pulls, noise = pulls[known], weighted.part(noise, known)
    reach = {**GAUSSIAN, **(intervals or {})}
    held = {name: own_errors(pulls, noise, GAUSSIAN[name]) <= k for name, k in reach.items()}
    binned = {name: list(_bins(values[known], held, weight)) for name, values in variables.items()}
    return {name: bins for name, bins in binned.items() if len(bins) > 1}


def worst(bins: list[CoverageBin]) -> CoverageBin:
    """The one whose 95 % intervals hold least."""
    return min(bins, key=lambda found: found.intervals["95"].value)


def _bins(values: Floats, within: Mapping[str, Flags], weight: Floats | None) -> Iterator[CoverageBin]:
    if len(values) == 0:
        return
    total = float(len(values) if weight is None else weight.sum())
    edges = _edges(values, weight)
    place = np.searchsorted(edges, values)  # what is equal stays together
    outer = np.concatenate([[values.min()], edges, [values.max()]])
    for number in range(len(edges) + 1):
        rows = np.flatnonzero(place == number)
        if len(rows) == 0:
            continue
        own = None if weight is None else weight[rows]
        effective = weighted.effective_number(own, len(rows))
        held = {name: proportion(flags[rows], own) for name, flags in within.items()}
        yield CoverageBin(
            low=float(outer[number]),
            high=float(outer[number + 1]),
            points=len(rows),
            effective_points=effective,
            share=(len(rows) if own is None else float(own.sum())) / total,
            intervals=held,
            short=effective >= _LEAST_ROWS and held["95"].value < LEAST_COVERAGE,
        )


def _edges(values: Floats, weight: Floats | None) -> Floats:
    """Inner edges at quantiles, as many as leave every bin rows enough."""
    rows = weighted.effective_number(weight, len(values))
    kept: list[float] = []
    for level in _LEVELS:
        below, above = level - (kept[-1] if kept else 0.0), 1.0 - level
        if min(below, above) * rows >= _LEAST_ROWS * (1 - 1e-9):
            kept.append(level)
    return np.unique([weighted.quantile(values, level, weight) for level in kept])
