"""The evidence that a sample carries: exact amplitudes of some of its events beside those that it was made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import FiniteFloat

from ampcli.amplitudes.protocol import Provider
from ampcli.kinematics import with_beams
from ampcli.phasespace.observables import Bias, bias, observables
from ampcli.records.base import Frozen
from ampcli.store.plan import Plan
from ampcli.store.rows import read_rows

EVENTS = 5000  # that are computed exactly, of a store that has so many


class Closure(Frozen):
    """What exact amplitudes of events, chosen at random, say of a sample; events count by their weights.

    Attributes:
        provider: of the exact amplitudes.
        events: how many were computed.
        cross_section: exact over that of the sample, with its statistical error.
        off_by_3_percent: share of the cross section in events whose amplitude is off by more than 3 %.
        largest: largest |exact / sample - 1|.
        effective_events: as many events of equal weight are worth all events of the store once these weights are put
            right (Kish), as far as the chosen ones tell.
        distributions: how far bins are off, each also in units of the statistical error that the chosen events have.
        cross_section_error: statistical error of `cross_section`.
    """

    provider: str
    events: int
    cross_section: FiniteFloat
    cross_section_error: FiniteFloat
    off_by_3_percent: FiniteFloat
    largest: FiniteFloat
    effective_events: FiniteFloat
    distributions: dict[str, Bias]


def closure_of(path: Path, plan: Plan, exact: Provider, seed: int) -> Closure:
    """The closure test of a store whose parts are all there.

    Args:
        exact: amplitudes of the store's process.
        seed: of the choice of events.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 2)))
    chosen = np.sort(rng.choice(plan.points, min(EVENTS, plan.points), replace=False))
    final, amplitude, weight = (_rows(path, plan, name, chosen) for name in ("momenta", "amplitude", "weight"))
    process = exact.process
    truth = exact.evaluate(with_beams(final))
    ratio, share = truth / amplitude, weight * amplitude
    share /= share.sum()
    mean = float(share @ ratio)
    error = float(np.sqrt(((share * (ratio - mean)) ** 2).sum()))
    right = share * ratio / mean
    return Closure(
        provider=exact.identity().name,
        events=len(chosen),
        cross_section=mean,
        cross_section_error=error,
        off_by_3_percent=float(right[np.abs(amplitude / truth - 1) > 0.03].sum()),
        largest=float(np.abs(ratio - 1).max()),
        effective_events=float(right.sum() ** 2 / (right**2).sum()) * plan.points / len(chosen),
        distributions={name: bias(values, right, share) for name, values in observables(final, process).items()},
    )


def _rows(path: Path, plan: Plan, name: str, chosen: np.ndarray) -> np.ndarray:
    """Some rows of an array, part after part."""
    pieces = []
    for number in range(plan.parts):
        rows = plan.rows_of(number)
        inside = chosen[(chosen >= rows.start) & (chosen < rows.stop)] - rows.start
        if len(inside):
            pieces.append(read_rows(path, plan, name, rows)[inside])
    return np.concatenate(pieces)
