"""Thresholds that keep a tolerance for unseen events, at 95 % confidence (docs/lhc.md has the argument).

Thresholds are chosen on some points up to one scale, and the scale is chosen on others, which nothing else depends on.
As the scale grows, an event that has once been decided wrongly counts as wrong from there on: what is counted grows
with the scale, so the largest scale that passes the test of one fixed scale keeps the level of that test (a tolerance
limit: S.S. Wilks, Ann. Math. Stat. 12 (1941) 91; a fixed sequence: A. Angelopoulos et al., 2110.01052).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ampcli.evaluation.metrics import Floats
from ampcli.speedup.stages import Stage

LEVEL = 0.05  # 1 - confidence
_ONE_SIDED = 1.645  # sigma of a Gaussian, at that confidence

_EQUAL = 1e-9  # relative differences of weights that are rounding
_CAPS, _STANDING_FOR_ALL = 60, 1000
_BETS = 2.0 ** -np.arange(8)


def most_wrong(n: int, tolerance: float) -> int | None:
    """The largest number of wrong decisions among n events that rules out, at 95 %, more than `tolerance` in general.

    The exact binomial limit (C.J. Clopper, E.S. Pearson, Biometrika 26 (1934) 404); None: not even 0 does.
    """
    k = np.arange(1, min(int(n * tolerance) + 2, n + 1))
    ratios = np.log((n - k + 1) / k) + math.log(tolerance / (1 - tolerance))
    logs = n * math.log1p(-tolerance) + np.concatenate([[0.0], np.cumsum(ratios)])
    passed = int(np.count_nonzero(np.logaddexp.accumulate(logs) <= math.log(LEVEL)))
    return passed - 1 if passed else None


@dataclass(frozen=True)
class Weights:
    """How to count events, from the weights of other events than those that certify.

    Attributes:
        needed: so many events can certify the tolerance if none is wrong; None: no number of events can.
        equal: all weights are the same.
        cap: weights count up to this.
        left: the tolerance for capped weights: the share of the sum of weights above the cap (95 % limit) is taken to
            be wrong; 0: nothing is left.
        bet: see `allowed`.
    """

    needed: int | None
    equal: bool = True
    cap: float = 1.0
    left: float = 0.0
    bet: float = 1.0

    def allowed(self, weights: Floats, tolerance: float) -> int | None:
        """How many of the first events, in the order of `weights` (n,), may be wrong; None: not even none.

        Equal weights: the exact binomial limit.  Others: with v = min(w, cap)/cap, the product over events of
        1 - bet v (wrong - left) has an expectation of at most 1 if a share of `left` or more of the v is wrong, and
        therefore exceeds 1/0.05 in at most 5 % of such samples (A.A. Markov; such bets: I. Waudby-Smith, A. Ramdas,
        2010.09686).
        """
        if self.equal:
            return most_wrong(len(weights), tolerance)
        if self.left <= 0:
            return None
        v = np.minimum(weights, self.cap) / self.cap
        right, wrong = (np.log1p(-self.bet * v * (is_wrong - self.left)) for is_wrong in (0.0, 1.0))
        won = right.sum() + np.concatenate([[0.0], np.cumsum(wrong - right)])
        passed = int(np.count_nonzero(won >= -math.log(LEVEL)))
        return passed - 1 if passed else None


@dataclass(frozen=True)
class WeightSpread:
    """How weights spread, from other events than those that certify.

    Attributes:
        equal: all weights are the same (then nothing else is known).
        some: quantiles that stand for all weights, (1000,).
        caps: weights that may serve as a cap, (n_caps,).
        beyond: share of the sum of weights above each cap, its 95 % limit, (n_caps,).
    """

    equal: bool
    some: Floats
    caps: Floats
    beyond: Floats

    @classmethod
    def of(cls, weights: Floats) -> WeightSpread:
        """Of weights (n_others,)."""
        if np.ptp(weights) <= _EQUAL * weights.mean():
            return cls(True, *(np.empty(0) for _ in range(3)))
        places = (np.arange(_STANDING_FOR_ALL) + 0.5) / _STANDING_FOR_ALL
        caps = np.unique(np.quantile(weights, 1 - np.geomspace(1, 1 / len(weights), _CAPS)))
        caps = caps[caps > 0]
        return cls(False, np.quantile(weights, places), caps, np.array([_beyond(weights, cap) for cap in caps]))

    def counting(self, n: int, tolerance: float) -> Weights:
        """The cap and the bet that let most wrong decisions pass among n events of such weights."""
        if self.equal:
            return Weights(math.ceil(math.log(LEVEL) / math.log1p(-tolerance)))
        best, passing, needed = Weights(None, False), -math.inf, math.inf
        for cap, beyond in zip(map(float, self.caps), map(float, self.beyond), strict=True):
            if beyond >= tolerance:
                continue
            left = (tolerance - beyond) / (1 - beyond)
            v = np.minimum(self.some, cap) / cap
            needed = min(needed, -math.log(LEVEL) / float(np.log1p(v * left).mean()))
            for bet in map(float, _BETS):
                gain, loss = (-float(np.log1p(-bet * v * (wrong - left)).mean()) for wrong in (0.0, 1.0))
                if (passes := (-n * gain + math.log(LEVEL)) / loss) > passing:
                    passing, best = passes, Weights(None, False, cap, left, bet)
        return replace(best, needed=math.ceil(needed) if math.isfinite(needed) else None)


def _beyond(weights: Floats, cap: float) -> float:
    """The share of the sum of weights (n,) that lies above a cap, and 1.645 errors more."""
    over, total = np.maximum(weights - cap, 0.0), weights.sum()
    share = over.sum() / total
    return float(share + _ONE_SIDED * math.sqrt(float(((over - share * weights) ** 2).sum())) / total)


def critical_scales(stages: Sequence[Stage], thresholds: Sequence[float], accuracy: float) -> Floats:
    """The scale of the thresholds from which on each event has been decided wrongly, (n,); inf: at none.

    An event is asked of a stage at the scales at which no earlier one decides it.
    """
    first = np.full(len(stages[0].delta), np.inf)
    asked_below = first.copy()
    with np.errstate(divide="ignore"):
        for stage, threshold in zip(stages, thresholds, strict=True):
            scale = stage.relative / threshold
            wrong = (np.abs(stage.delta) > accuracy) & (scale < asked_below)
            first = np.where(wrong, np.minimum(first, scale), first)
            asked_below = np.minimum(asked_below, scale)
    return first


def first_wrong(critical: Floats) -> NDArray[np.intp]:
    """The events that are decided wrongly at any scale, in the order of their `critical_scales` (n,): (n_wrong,)."""
    wrong = np.flatnonzero(np.isfinite(critical))
    return wrong[np.argsort(critical[wrong], kind="stable")]


def certified_scale(critical: Floats, weights: Floats, known: Weights, tolerance: float) -> float | None:
    """The largest scale at which, at 95 % confidence, no more than `tolerance` of unseen events are decided wrongly.

    Args:
        critical: `critical_scales` of events that nothing was chosen by, (n,); weights: theirs, (n,).

    Returns:
        inf where any scale will do, None where none does.
    """
    order = np.concatenate([first_wrong(critical), np.flatnonzero(~np.isfinite(critical))])
    allowed = known.allowed(weights[order], tolerance)
    if allowed is None:
        return None
    return float(critical[order[allowed]]) if allowed < len(order) else math.inf
