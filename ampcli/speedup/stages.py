"""Surrogates where they are sure of themselves, the exact amplitude elsewhere: how much faster, how often wrong.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 5 ("AS").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats
from ampcli.records.base import Frozen

_GRID = 80  # values of each threshold where both are free


@dataclass(frozen=True)
class Stage:
    """A surrogate as it is asked, before the exact amplitude or the next surrogate.

    Attributes:
        delta: predicted / exact - 1, (n,).
        relative: predicted relative uncertainty, (n,).
        seconds: per event, beyond what earlier stages computed.
    """

    delta: Floats
    relative: Floats
    seconds: float

    @cached_property
    def grid(self) -> Floats:
        """Thresholds, from one that decides no point on, (`_GRID` + 1,)."""
        found = np.quantile(self.relative, np.linspace(0.0, 1.0, _GRID + 1))
        found[-1] = np.nextafter(found[-1], np.inf)
        return np.asarray(found)

    @cached_property
    def cells(self) -> np.ndarray:
        """The first threshold of the grid that decides each point, (n,)."""
        return np.searchsorted(self.grid, self.relative, side="right")


class Outcome(Frozen):
    """What a choice of thresholds gives on a set of points.

    Attributes:
        thresholds: largest relative uncertainty that each stage may have.
        used: fraction of the points that each stage decides.
        tolerance: share of the events' weight that a surrogate decides with |Delta| above the accuracy (AS, Eq. 25),
            and its statistical error.
        factor: time of the exact amplitude over the mean time, from the times of the parts (AS, Eq. 26).
        tolerance_error: statistical error of `tolerance`.
    """

    thresholds: list[FiniteFloat]
    used: list[FiniteFloat]
    tolerance: FiniteFloat
    tolerance_error: FiniteFloat
    factor: FiniteFloat


def exact_alone(stages: int) -> Outcome:
    """No surrogate is asked."""
    nothing = [0.0] * stages
    return Outcome(thresholds=nothing, used=nothing, tolerance=0.0, tolerance_error=0.0, factor=1.0)


def decide(stages: Sequence[Stage], thresholds: Sequence[float]) -> list[np.ndarray]:
    """Which points (n,) each stage decides."""
    undecided = np.ones(len(stages[0].delta), dtype=bool)
    decided = []
    for stage, threshold in zip(stages, thresholds, strict=True):
        accepted = undecided & (stage.relative < threshold)
        decided.append(accepted)
        undecided &= ~accepted
    return decided


def outcome(
    stages: Sequence[Stage], thresholds: Sequence[float], accuracy: float, exact_seconds: float, weights: Floats
) -> Outcome:
    """The tolerance and speed-up of given thresholds.

    Args:
        accuracy: |Delta| from which on a decision counts as wrong.
        exact_seconds: of the exact amplitude, per event.
        weights: of the events, (n,).
    """
    decided = decide(stages, thresholds)
    left, seconds = 1.0, 0.0
    wrong = np.zeros(len(weights), dtype=bool)
    for stage, accepted in zip(stages, decided, strict=True):
        seconds += left * stage.seconds
        left -= float(accepted.mean())
        wrong |= accepted & (np.abs(stage.delta) > accuracy)
    seconds += max(left, 0.0) * exact_seconds
    squares = max(float((weights[wrong] ** 2).sum()), float(weights.mean()) ** 2)
    return Outcome(
        thresholds=list(map(float, thresholds)),
        used=[float(accepted.mean()) for accepted in decided],
        tolerance=float(weights[wrong].sum() / weights.sum()),
        tolerance_error=squares**0.5 / float(weights.sum()),
        factor=exact_seconds / seconds,
    )


def decided_errors(stages: Sequence[Stage], thresholds: Sequence[float]) -> tuple[Floats, Floats]:
    """Relative errors and predicted relative uncertainties (n,) where surrogates decide, 0 where they do not."""
    delta, relative = np.zeros(len(stages[0].delta)), np.zeros(len(stages[0].delta))
    for stage, accepted in zip(stages, decide(stages, thresholds), strict=True):
        delta[accepted] = stage.delta[accepted]
        relative[accepted] = stage.relative[accepted]
    return delta, relative
