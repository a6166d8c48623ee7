"""Ways to use one or two surrogates before the exact amplitude, and which models of many do best.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray
from ampcli.speedup.certify import critical_scales
from ampcli.speedup.stages import Outcome, Stage, best_thresholds, outcome
from ampcli.store.reader import Split, Store
from ampcli.uncertainty.covariance import combine_by_covariance, error_correlation

_RATIO = 1.4  # U2 / U1 of the paper
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Points:
    """Momenta, exact amplitudes, event weights, and each surrogate's prediction and relative uncertainty (n,)."""

    momenta: FloatArray
    exact: Floats
    weight: Floats
    predicted: list[Floats]
    relative: list[Floats]

    @classmethod
    def of(cls, predictors: Sequence[Predictor], store: Store, split: Split) -> Points:
        """A split of a store, whose rows count as events: weight x |M|^2; those of given points count alike."""
        momenta, exact = store.read_split("momenta", split), store.read_split("amplitude", split)
        sampled = store.plan.source.are_sampled
        weight = exact * store.read_split("weight", split) if sampled else np.ones(len(exact))
        predicted, relative = [], []
        for predictor in predictors:
            amplitude, uncertainty = predictor.predict_final(momenta)
            if not (amplitude > 0).all():
                raise UsageError(f"{predictor.manifest.reference} predicts negative amplitudes", "Use a surrogate.")
            predicted.append(amplitude)
            relative.append(uncertainty / amplitude)
        return cls(momenta, exact, weight, predicted, relative)

    def __len__(self) -> int:
        return len(self.exact)

    def of_models(self, chosen: Sequence[int]) -> Points:
        """The same points with some of the surrogates, in this order."""
        predicted, relative = ([values[i] for i in chosen] for values in (self.predicted, self.relative))
        return Points(self.momenta, self.exact, self.weight, predicted, relative)

    def rows(self, chosen: np.ndarray) -> Points:
        """Some of the points, by number or flag."""
        predicted, relative = ([values[chosen] for values in each] for each in (self.predicted, self.relative))
        return Points(self.momenta[chosen], self.exact[chosen], self.weight[chosen], predicted, relative)

    def correlation(self) -> Tensor:
        """Of the surrogates' errors."""
        errors = np.stack([np.log(predicted / self.exact) for predicted in self.predicted])
        return error_correlation(torch.from_numpy(errors), torch.from_numpy(np.stack(self.relative)))


@dataclass(frozen=True)
class Seconds:
    """Per event.

    Attributes:
        surrogates: of each prediction.
        checks: of looking at momenta before the first one (exact amplitudes do so as well).
        combination: of two predictions by their covariance.
    """

    surrogates: Sequence[float]
    checks: float = 0.0
    combination: float = 0.0


@dataclass(frozen=True)
class Cascade:
    """Surrogates that are asked one after another, before the exact amplitude.

    Attributes:
        asks: numbers of the surrogates that each stage knows: the only one, or two, combined by their covariance.
        correlation: of the errors of two.
        seconds: of each stage, beyond what earlier ones computed.
        ratio: of the second threshold to the first; None: both are free.
    """

    name: str
    asks: tuple[tuple[int, ...], ...]
    seconds: tuple[float, ...]
    correlation: Tensor | None = None
    ratio: float | None = None

    def stages(self, points: Points) -> list[Stage]:
        """What its stages would do with some points."""
        return [self._stage(points, asked, s) for asked, s in zip(self.asks, self.seconds, strict=True)]

    def _stage(self, points: Points, asked: tuple[int, ...], seconds: float) -> Stage:
        predicted, relative = ([values[i] for i in asked] for values in (points.predicted, points.relative))
        amplitude, uncertainty = self.joined(predicted, relative)
        return Stage(amplitude / points.exact - 1, uncertainty, seconds)

    def joined(self, predicted: Sequence[Floats], relative: Sequence[Floats]) -> tuple[Floats, Floats]:
        """One prediction and relative uncertainty (n,) from those of the surrogates that a stage knows."""
        if len(predicted) == 1:
            return predicted[0], relative[0]
        assert self.correlation is not None
        amplitudes, sizes = (torch.from_numpy(np.stack(values)) for values in (predicted, relative))
        amplitude, uncertainty = combine_by_covariance(amplitudes, sizes, self.correlation)
        return amplitude.numpy(), uncertainty.numpy()

    def thresholds(
        self, stages: Sequence[Stage], accuracy: float, tolerance: float, exact_seconds: float, weights: Floats
    ) -> list[float]:
        """Those that give the largest speed-up on these points, of whose weight `tolerance` may be decided wrongly.

        Where only a scale is free, a larger one decides more and takes less time.
        """
        if len(stages) == 2 and self.ratio is None:
            return best_thresholds(stages[0], stages[1], accuracy, tolerance, exact_seconds, weights)
        direction = [1.0] if len(stages) == 1 else [1.0, self.ratio or 1.0]
        critical = critical_scales(stages, direction, accuracy)
        order = np.argsort(critical)
        spent = np.cumsum(weights[order])
        kept = int(np.searchsorted(spent, tolerance * weights.sum(), side="right"))
        return self.scaled(stages, direction, float(critical[order[kept]]) if kept < len(order) else math.inf)

    def scaled(self, stages: Sequence[Stage], thresholds: Sequence[float], scale: float) -> list[float]:
        """Thresholds times a scale, which need not exceed that at which the stages decide all of these points."""
        with np.errstate(divide="ignore"):
            sure = np.min([stage.relative / u for stage, u in zip(stages, thresholds, strict=True)], axis=0)
        # A rounding below the scale, at which an event would be decided wrongly; a rounding above those of all events.
        finite = min(scale * (1 - _ROUNDING), float(sure.max()) * (1 + _ROUNDING))
        return [finite * threshold for threshold in thresholds]


def cascades(points: Points, seconds: Seconds) -> list[Cascade]:
    """All ways to use one or two surrogates; correlations are those of these (validation) points."""
    first = [s + seconds.checks for s in seconds.surrogates]
    found = [Cascade(f"surrogate {i + 1}", ((i,),), (s,)) for i, s in enumerate(first)]
    if len(first) == 2:
        correlation = points.correlation()
        second = seconds.surrogates[1] + seconds.combination
        found += [
            Cascade("both", ((0, 1),), (first[0] + second,), correlation),
            Cascade(f"1, then both, U2 = {_RATIO} U1", ((0,), (0, 1)), (first[0], second), correlation, _RATIO),
            Cascade("1, then both", ((0,), (0, 1)), (first[0], second), correlation),
        ]
    return found


class Candidate(Frozen):
    """One or two models (numbers from 0, the first one is asked first), a strategy, and what it gives on validation."""

    models: list[int]
    strategy: str
    validation: Outcome


def rank_candidates(
    validation: Points, seconds: Seconds, accuracy: float, tolerance: float, exact_seconds: float
) -> list[Candidate]:
    """Every model alone and every ordered pair, each with its best strategy, from the largest speed-up on."""
    n = len(seconds.surrogates)
    found = []
    for models in [*([i] for i in range(n)), *(list(pair) for pair in itertools.permutations(range(n), 2))]:
        points = validation.of_models(models)
        chosen = Seconds([seconds.surrogates[i] for i in models], seconds.checks, seconds.combination)
        outcomes = {}
        for cascade in cascades(points, chosen)[2 if len(models) == 2 else 0 :]:  # each alone has its own turn
            stages = cascade.stages(points)
            thresholds = cascade.thresholds(stages, accuracy, tolerance, exact_seconds, points.weight)
            outcomes[cascade.name] = outcome(stages, thresholds, accuracy, exact_seconds, points.weight)
        best = max(outcomes, key=lambda name: outcomes[name].factor)
        found.append(Candidate(models=models, strategy=best, validation=outcomes[best]))
    # A pair that gains nothing is more than is needed.
    return sorted(found, key=lambda candidate: (-candidate.validation.factor, len(candidate.models)))
