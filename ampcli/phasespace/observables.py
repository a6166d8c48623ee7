"""Distributions of events, and how far other weights move them."""

from __future__ import annotations

import numpy as np
from pydantic import FiniteFloat

from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.records.base import Frozen

_BINS = 30
_LEAST_EVENTS = 50  # of a bin whose bias is quoted


class Bias(Frozen):
    """Relative change of a histogram's bins: the largest, the mean square, both also in statistical errors.

    Attributes:
        bins: how many have events.
        largest: largest relative change of a bin.
        rms: root mean square of the relative changes.
        largest_in_errors: largest change in units of the bin's statistical error.
        rms_in_errors: root mean square of the changes in units of the statistical errors.
    """

    bins: int
    largest: FiniteFloat
    rms: FiniteFloat
    largest_in_errors: FiniteFloat
    rms_in_errors: FiniteFloat


def observables(final: FloatArray, process: Process) -> dict[str, FloatArray]:
    """pT of the hardest jet, H_T, mass of the two hardest jets, pT of a Z: (n,) each, in GeV; final (n, n_final, 4)."""
    jets = [leg - 2 for leg in process.jet_legs]
    transverse = np.hypot(final[..., 1], final[..., 2])
    masses = np.array(process.final_masses)
    order = np.argsort(-transverse[:, jets], axis=1)
    rows = np.arange(len(final))
    hardest = final[:, jets][rows[:, None], order]
    found = {"h_t": np.sqrt(transverse**2 + masses**2).sum(axis=1)}
    if jets:
        found["pt_jet1"] = np.take_along_axis(transverse[:, jets], order[:, :1], axis=1)[:, 0]
    if len(jets) > 1:
        pair = hardest[:, 0] + hardest[:, 1]
        found["m_jj"] = np.sqrt(np.maximum(pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=1), 0.0))
    if "z" in (names := [leg.name for leg in process.outgoing]):
        found["pt_z"] = transverse[:, names.index("z")]
    return found


def bias(values: FloatArray, exact: FloatArray, mixed: FloatArray) -> Bias:
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
