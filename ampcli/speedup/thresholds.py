"""The thresholds that save most time on some points, of whose weight a given share may be decided wrongly.

What neither the tolerance nor the price of an exact amplitude changes (sorted points, sums over a grid) is computed
once; `best` then only looks it up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ampcli.evaluation.metrics import Floats
from ampcli.speedup.certify import critical_scales, first_wrong
from ampcli.speedup.stages import Stage

_ROUNDING = 1e-14


class Search(Protocol):
    """Thresholds of some stages, from points that choose."""

    def best(self, tolerance: float, exact_seconds: float) -> list[float]:
        """Those that give the largest speed-up.

        Args:
            tolerance: the largest share of the points' weight that is decided wrongly.
            exact_seconds: of the exact amplitude, per event.
        """


@dataclass(frozen=True)
class TiedThresholds:
    """Multiples of one direction: a larger scale decides more, takes less time, and is wrong more often.

    Attributes:
        direction: the thresholds at scale 1, one for each stage.
        critical: scales from which on points are decided wrongly, ascending, (n_wrong,).
        spent: weight of the points that are decided wrongly just above each of these scales, (n_wrong,).
        total: weight of all points.
    """

    stages: Sequence[Stage]
    direction: Sequence[float]
    critical: Floats
    spent: Floats
    total: float

    @classmethod
    def of(
        cls, stages: Sequence[Stage], direction: Sequence[float], accuracy: float, weights: Floats
    ) -> TiedThresholds:
        """For |Delta| above `accuracy` being wrong, and weights of the points (n,)."""
        critical = critical_scales(stages, direction, accuracy)
        order = first_wrong(critical)
        return cls(stages, direction, critical[order], np.cumsum(weights[order]), float(weights.sum()))

    def best(self, tolerance: float, exact_seconds: float) -> list[float]:
        """See `Search`; the price of an exact amplitude does not matter."""
        kept = int(np.searchsorted(self.spent, tolerance * self.total, side="right"))
        scale = float(self.critical[kept]) if kept < len(self.critical) else math.inf
        return scaled(self.stages, self.direction, scale)


@dataclass(frozen=True)
class FreeThresholds:
    """Two thresholds on a grid of quantiles: i of the first stage, j of the second.

    Attributes:
        spent: weight of the points that are decided wrongly, (i, j).
        left: share of the points that the first stage leaves, (i, 1).
        reached: share of the points that the second stage decides, (i, j).
        total: weight of all points.
    """

    first: Stage
    second: Stage
    spent: Floats
    left: Floats
    reached: Floats
    total: float

    @classmethod
    def of(cls, first: Stage, second: Stage, accuracy: float, weights: Floats) -> FreeThresholds:
        """For |Delta| above `accuracy` being wrong, and weights of the points (n,)."""
        size = len(first.grid) + 1  # points that the last threshold does not decide: there are none, but for rounding
        place = first.cells * size + second.cells

        def above(values: Floats) -> Floats:
            """Sum over points that threshold i of the first stage leaves and j of the second decides: (i, j)."""
            cells = np.bincount(place, weights=values, minlength=size * size).reshape(size, size)
            left = cells[::-1].cumsum(axis=0)[::-1] - cells  # cells of the first stage beyond i
            return np.asarray(left.cumsum(axis=1))

        wrong = (np.abs(stage.delta) > accuracy for stage in (first, second))
        by_first, by_second = (weights * mistaken for mistaken in wrong)
        spent = np.bincount(first.cells, weights=by_first, minlength=size).cumsum()[:, None] + above(by_second)
        points = len(weights)
        reached = above(np.ones(points))
        return cls(first, second, spent, reached[:, -1:] / points, reached / points, float(weights.sum()))

    def best(self, tolerance: float, exact_seconds: float) -> list[float]:
        """See `Search`."""
        seconds = self.first.seconds + self.left * self.second.seconds + (self.left - self.reached) * exact_seconds
        allowed = np.where(self.spent > tolerance * self.total, np.inf, seconds)[:-1, :-1]
        i, j = np.unravel_index(np.argmin(allowed), allowed.shape)
        return [float(self.first.grid[i]), float(self.second.grid[j])]


def scaled(stages: Sequence[Stage], thresholds: Sequence[float], scale: float) -> list[float]:
    """Thresholds times a scale, which need not exceed that at which the stages decide all of their points."""
    with np.errstate(divide="ignore"):
        sure = np.min([stage.relative / u for stage, u in zip(stages, thresholds, strict=True)], axis=0)
    # A rounding below the scale, at which an event would be decided wrongly; a rounding above those of all events.
    finite = min(scale * (1 - _ROUNDING), float(sure.max()) * (1 + _ROUNDING))
    return [finite * threshold for threshold in thresholds]
