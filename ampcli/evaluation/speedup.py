"""Surrogates where they are sure of themselves, the exact amplitude elsewhere: how much faster, how often wrong.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 5 ("AS").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.phasespace.hadron_sampler import excess_threshold

_SCAN = 80  # values of the first threshold
_CONFIDENCE = 1.645  # standard deviations: 95 % of a Gaussian lie below


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


class Outcome(Frozen):
    """What a choice of thresholds gives on a set of points.

    Attributes:
        thresholds: largest relative uncertainty that each stage may have.
        used: fraction of the points that each stage decides.
        tolerance: fraction of the points that a surrogate decides with |Delta| above the accuracy (AS, Eq. 25), and
            its binomial error.
        factor: time of the exact amplitude over the mean time (AS, Eq. 26).
    """

    thresholds: list[FiniteFloat]
    used: list[FiniteFloat]
    tolerance: FiniteFloat
    tolerance_error: FiniteFloat
    factor: FiniteFloat


def decide(stages: Sequence[Stage], thresholds: Sequence[float]) -> list[np.ndarray]:
    """Which points (n,) each stage decides."""
    undecided = np.ones(len(stages[0].delta), dtype=bool)
    decided = []
    for stage, threshold in zip(stages, thresholds, strict=True):
        accepted = undecided & (stage.relative < threshold)
        decided.append(accepted)
        undecided &= ~accepted
    return decided


def outcome(stages: Sequence[Stage], thresholds: Sequence[float], accuracy: float, exact_seconds: float) -> Outcome:
    """The tolerance and speed-up of given thresholds.

    Args:
        accuracy: |Delta| from which on a decision counts as wrong.
        exact_seconds: of the exact amplitude, per event.
    """
    decided = decide(stages, thresholds)
    n = len(stages[0].delta)
    left, seconds, wrong = 1.0, 0.0, 0
    for stage, accepted in zip(stages, decided, strict=True):
        seconds += left * stage.seconds
        left -= float(accepted.mean())
        wrong += int((np.abs(stage.delta[accepted]) > accuracy).sum())
    seconds += max(left, 0.0) * exact_seconds
    tolerance = wrong / n
    return Outcome(
        thresholds=list(map(float, thresholds)),
        used=[float(accepted.mean()) for accepted in decided],
        tolerance=tolerance,
        tolerance_error=float(np.sqrt(max(wrong, 1))) / n,
        factor=exact_seconds / seconds,
    )


def largest_threshold(stage: Stage, among: np.ndarray, accuracy: float, wrong_allowed: int) -> float:
    """The largest threshold with which at most so many points, of those in `among`, are decided wrongly."""
    rows = np.flatnonzero(among)
    order = rows[np.argsort(stage.relative[rows], kind="stable")]
    wrong = np.cumsum(np.abs(stage.delta[order]) > accuracy)
    allowed = int(np.searchsorted(wrong, wrong_allowed, side="right"))  # so many points may be decided
    if allowed == len(order):
        return float(np.nextafter(stage.relative[order[-1]], np.inf)) if len(order) else 0.0
    return float(stage.relative[order[allowed]])


def allowed_errors(n: int, tolerance: float) -> int:
    """How many wrong decisions among n points say that, at 95 % confidence, the tolerance holds for others."""
    expected = tolerance * n
    return max(int(expected - _CONFIDENCE * math.sqrt(expected)), 0)


def choose_thresholds(
    stages: Sequence[Stage], accuracy: float, tolerance: float, exact_seconds: float, ratio: float | None = None
) -> list[float]:
    """The thresholds that give the largest speed-up on these (validation) points within `allowed_errors`.

    Args:
        ratio: fixes the second threshold to this multiple of the first (AS: 1.4); None leaves both free.
    """
    n = len(stages[0].delta)
    allowed = allowed_errors(n, tolerance)
    everything = np.ones(n, dtype=bool)
    if len(stages) == 1:
        return [largest_threshold(stages[0], everything, accuracy, allowed)]
    first, second = stages
    best: tuple[float, list[float]] = (0.0, [0.0, 0.0])
    for start in np.quantile(first.relative, np.linspace(0.0, 1.0, _SCAN)):
        accepted = first.relative < start
        spent = int((np.abs(first.delta[accepted]) > accuracy).sum())
        if spent > allowed:
            break
        follow = (
            largest_threshold(second, ~accepted, accuracy, allowed - spent) if ratio is None else ratio * float(start)
        )
        found = outcome(stages, [float(start), follow], accuracy, exact_seconds)
        if found.tolerance * n <= allowed + 0.5 and found.factor > best[0]:
            best = (found.factor, found.thresholds)
    return best[1]


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
