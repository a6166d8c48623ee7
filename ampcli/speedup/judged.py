"""A cascade on three sets of points: one chooses its thresholds, one certifies them, one judges."""

from __future__ import annotations

from collections.abc import Mapping

from ampcli.speedup.cascades import Cascade
from ampcli.speedup.certify import Weights, certified_scale, critical_scales
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.stages import Outcome, exact_alone, outcome
from ampcli.speedup.thresholds import scaled


class JudgedCascade:
    """What a cascade does to points that choose, certify and judge.

    Args:
        accuracy: |Delta| from which on a decision counts as wrong.
        counting: how to count certifying events, for each tolerance that will be asked for.
    """

    def __init__(
        self,
        cascade: Cascade,
        choosing: PredictedPoints,
        certifying: PredictedPoints,
        judging: PredictedPoints,
        accuracy: float,
        counting: Mapping[float, Weights],
    ) -> None:
        self.cascade = cascade
        self.judging = cascade.stages(judging)
        self._accuracy, self.counting = accuracy, counting
        self._choosing, self._certifying = cascade.stages(choosing), cascade.stages(certifying)
        self._weights = choosing.weight, certifying.weight, judging.weight
        self._search = cascade.search(self._choosing, accuracy, choosing.weight)
        self._certified: dict[tuple[float, ...], list[float] | None] = {}

    def chosen(self, tolerance: float, exact_seconds: float) -> list[float]:
        """The thresholds that save most time on the points that choose, within a tolerance there."""
        return self._search.best(tolerance, exact_seconds)

    def certified(self, chosen: list[float], tolerance: float) -> list[float] | None:
        """Chosen thresholds times the largest scale that keeps the tolerance; None: no scale does.

        Most of them are chosen for several prices of exact amplitudes, so that answers are kept.
        """
        key = (tolerance, *chosen)
        if key not in self._certified:
            weights = self._weights[1]
            critical = critical_scales(self._certifying, chosen, self._accuracy)
            scale = certified_scale(critical, weights, self.counting[tolerance], tolerance)
            self._certified[key] = None if scale is None else scaled(self._certifying, chosen, scale)
        return self._certified[key]

    def before(self, thresholds: list[float], exact_seconds: float) -> Outcome:
        """What thresholds give on the points that choose."""
        return outcome(self._choosing, thresholds, self._accuracy, exact_seconds, self._weights[0])

    def judged(self, thresholds: list[float] | None, exact_seconds: float) -> Outcome:
        """What thresholds give on the points that judge; without any, the exact amplitude alone."""
        if thresholds is None:
            return exact_alone(len(self.judging))
        return outcome(self.judging, thresholds, self._accuracy, exact_seconds, self._weights[2])
