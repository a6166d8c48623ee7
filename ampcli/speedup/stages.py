"""Surrogates where they are sure of themselves, the exact amplitude elsewhere: how much faster, how often wrong.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 5 ("AS").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.phasespace.hadron_sampler import excess_threshold

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


def best_thresholds(
    first: Stage, second: Stage, accuracy: float, tolerance: float, exact_seconds: float, weights: Floats
) -> list[float]:
    """Both thresholds, on a grid of quantiles, that give the largest speed-up on these points within the tolerance."""
    size = _GRID + 2  # points that the last threshold does not decide: there are none, but for rounding
    place = first.cells * size + second.cells

    def above(values: Floats) -> Floats:
        """Of points that threshold i of the first stage leaves and threshold j of the second decides: (i, j)."""
        cells = np.bincount(place, weights=values, minlength=size * size).reshape(size, size)
        left = cells[::-1].cumsum(axis=0)[::-1] - cells  # cells of the first stage beyond i
        return np.asarray(left.cumsum(axis=1))

    wrong = (np.abs(stage.delta) > accuracy for stage in (first, second))
    by_first, by_second = (weights * mistaken for mistaken in wrong)
    spent = np.bincount(first.cells, weights=by_first, minlength=size).cumsum()[:, None] + above(by_second)
    reached, points = above(np.ones(len(weights))), len(weights)
    left = reached[:, -1:] / points
    seconds = first.seconds + left * second.seconds + (left - reached / points) * exact_seconds
    seconds[spent > tolerance * weights.sum()] = np.inf
    i, j = np.unravel_index(np.argmin(seconds[:-1, :-1]), (_GRID + 1, _GRID + 1))
    return [float(first.grid[i]), float(second.grid[j])]


class Unweighting(Frozen):
    """Two-stage unweighting with a surrogate, against unweighting with exact amplitudes alone (K. Danziger et al.,
    arXiv:2109.11964): efficiencies and the ratio of the times per unbiased event."""

    exact_efficiency: FiniteFloat
    first_efficiency: FiniteFloat
    second_efficiency: FiniteFloat
    factor: FiniteFloat


def two_stage_unweighting(
    weights: Floats, delta: Floats, surrogate_seconds: float, exact_seconds: float, excess: float = 0.003
) -> Unweighting:
    """The gain of a surrogate that proposes events, which the exact amplitude then accepts.

    Args:
        weights: integrand of weighted points within the cuts, (n,), exact; delta: of the surrogate, (n,).
        excess: share of each stage's sum that may lie above its maximum.
    """
    proposed = weights * np.maximum(1.0 + delta, 0.0)
    ratios = np.where(proposed > 0, weights / np.maximum(proposed, np.finfo(float).tiny), 0.0)
    exact = float(weights.mean()) / excess_threshold(weights, excess)
    first = float(proposed.mean()) / excess_threshold(proposed, excess)
    second = float(weights.sum() / proposed.sum()) / _weighted_threshold(ratios, proposed, excess)
    return Unweighting(
        exact_efficiency=exact,
        first_efficiency=first,
        second_efficiency=second,
        factor=(exact_seconds / exact) * second / (surrogate_seconds / first + exact_seconds),
    )


def _weighted_threshold(values: Floats, weights: Floats, share: float) -> float:
    """The value whose excess, sum of weight x max(value - threshold, 0), is this share of sum of weight x value."""
    order = np.argsort(values)[::-1]
    v, w = values[order], weights[order]
    above, counts = np.cumsum(v * w), np.cumsum(w)
    excess = above - counts * v
    rank = min(max(int(np.searchsorted(excess, share * above[-1])), 1), len(v))
    return float((above[rank - 1] - share * above[-1]) / counts[rank - 1])
