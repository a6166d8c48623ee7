"""Distributions that a mixture of exact and surrogate amplitudes may bias, and bounds on the bias."""

from __future__ import annotations

import math

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.records.base import Frozen
from ampcli.speedup.certify import LEVEL

_BINS = 30
_LEAST_EVENTS = 50  # of a bin whose bias is quoted


class Bias(Frozen):
    """Relative change of a histogram's bins: the largest, the mean square, both also in statistical errors."""

    bins: int
    largest: FiniteFloat
    rms: FiniteFloat
    largest_in_errors: FiniteFloat
    rms_in_errors: FiniteFloat


class Bounds(Frozen):
    """How far any observable can be off, from the events that surrogates decide (AS, Eqs. 20 to 24).

    Attributes:
        correlated: the largest |Delta|: if all errors were as large and of one sign.
        uncorrelated: the same, if errors are independent.
        beyond: at 95 % confidence, no larger share of unseen events is decided with a larger |Delta|.
        predicted: the largest predicted relative uncertainty (1 sigma), which is no bound.
        effective_events: that the uncorrelated one stands for.
    """

    correlated: FiniteFloat
    uncorrelated: FiniteFloat
    beyond: FiniteFloat
    predicted: FiniteFloat
    effective_events: FiniteFloat


def observables(final: FloatArray, process: Process) -> dict[str, Floats]:
    """pT of the hardest jet, H_T, mass of the two hardest jets, pT of a Z: (n,) each, in GeV; final (n, n_final, 4)."""
    jets = [leg - 2 for leg in process.jet_legs]
    transverse = np.hypot(final[..., 1], final[..., 2])
    masses = np.array(process.final_masses)
    order = np.argsort(-transverse[:, jets], axis=1)
    rows = np.arange(len(final))
    hardest = final[:, jets][rows[:, None], order]
    found = {
        "pt_jet1": np.take_along_axis(transverse[:, jets], order[:, :1], axis=1)[:, 0],
        "h_t": np.sqrt(transverse**2 + masses**2).sum(axis=1),
    }
    if len(jets) > 1:
        pair = hardest[:, 0] + hardest[:, 1]
        found["m_jj"] = np.sqrt(np.maximum(pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=1), 0.0))
    if "z" in (names := [leg.name for leg in process.outgoing]):
        found["pt_z"] = transverse[:, names.index("z")]
    return found


def bias(values: Floats, exact: Floats, mixed: Floats) -> Bias:
    """Of a histogram of `values` (n,), filled with exact or mixed event weights (n,); bins hold equal numbers."""
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, _BINS + 1)))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place)
    kept = counts >= _LEAST_EVENTS
    before, after = (np.bincount(place, weights=w)[kept] for w in (exact, mixed))
    error = np.sqrt(np.bincount(place, weights=exact**2))[kept] / before
    relative = after / before - 1.0
    return Bias(
        bins=int(kept.sum()),
        largest=float(np.abs(relative).max(initial=0.0)),
        rms=float(np.sqrt(np.mean(relative**2))) if kept.any() else 0.0,
        largest_in_errors=float(np.abs(relative / error).max(initial=0.0)),
        rms_in_errors=float(np.sqrt(np.mean((relative / error) ** 2))) if kept.any() else 0.0,
    )


def bounds(weights: Floats, delta: Floats, relative: Floats) -> Bounds:
    """From event weights, relative errors and predicted uncertainties (n,), 0 where the amplitude is exact."""
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    worst = float(np.abs(delta).max(initial=0.0))
    return Bounds(
        correlated=worst,
        uncorrelated=worst / np.sqrt(effective),
        beyond=-math.expm1(math.log(LEVEL) / len(delta)),
        predicted=float(relative.max(initial=0.0)),
        effective_events=effective,
    )
