"""Ways to use one or two surrogates before the exact amplitude.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ampcli.evaluation.metrics import Floats
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.stages import Stage
from ampcli.speedup.thresholds import FreeThresholds, Search, TiedThresholds
from ampcli.uncertainty.covariance import combine_by_covariance

_RATIO = 1.4  # U2 / U1 of the paper


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
        seconds: of each stage, beyond what earlier ones computed.
        correlation: of the errors of two, (2, 2).
        ratio: of the second threshold to the first; None: both are free.
    """

    name: str
    asks: tuple[tuple[int, ...], ...]
    seconds: tuple[float, ...]
    correlation: Tensor | None = None
    ratio: float | None = None

    def stages(self, points: PredictedPoints, known: dict[tuple[int, ...], Stage] | None = None) -> list[Stage]:
        """What its stages would do with some points.

        Args:
            known: stages of other cascades on the same points, by what they ask; new ones are added.
        """
        known = {} if known is None else known
        for asked, seconds in zip(self.asks, self.seconds, strict=True):
            if asked not in known:
                predicted, relative = ([values[i] for i in asked] for values in (points.predicted, points.relative))
                amplitude, uncertainty = self.joined(predicted, relative)
                known[asked] = Stage(amplitude / points.exact - 1, uncertainty, seconds)
        priced = zip((known[asked] for asked in self.asks), self.seconds, strict=True)
        return [stage if stage.seconds == seconds else replace(stage, seconds=seconds) for stage, seconds in priced]

    def joined(self, predicted: Sequence[Floats], relative: Sequence[Floats]) -> tuple[Floats, Floats]:
        """One prediction and relative uncertainty (n,) from those of the surrogates that a stage knows."""
        if len(predicted) == 1:
            return predicted[0], relative[0]
        assert self.correlation is not None
        amplitudes, sizes = (torch.from_numpy(np.stack(values)) for values in (predicted, relative))
        amplitude, uncertainty = combine_by_covariance(amplitudes, sizes, self.correlation)
        return amplitude.numpy(), uncertainty.numpy()

    def search(self, stages: Sequence[Stage], accuracy: float, weights: Floats) -> Search:
        """For thresholds on points of these weights (n,), where |Delta| above `accuracy` is wrong."""
        if len(stages) == 2 and self.ratio is None:
            return FreeThresholds.of(stages[0], stages[1], accuracy, weights)
        direction = [1.0] if len(stages) == 1 else [1.0, self.ratio or 1.0]
        return TiedThresholds.of(stages, direction, accuracy, weights)


def cascades(points: PredictedPoints, seconds: Seconds, models: Sequence[int]) -> list[Cascade]:
    """All ways to use one or two surrogates; correlations are those of these (validation) points.

    Args:
        models: numbers of the surrogates, the one that is asked first in front.
    """
    first = [seconds.surrogates[i] + seconds.checks for i in models]
    ways = [Cascade(f"surrogate {place + 1}", ((i,),), (first[place],)) for place, i in enumerate(models)]
    if len(models) == 2:
        alone, both = (models[0],), (models[0], models[1])
        correlation = points.correlation(both)
        second = seconds.surrogates[models[1]] + seconds.combination
        ways += [
            Cascade("both", (both,), (first[0] + second,), correlation),
            Cascade(f"1, then both, U2 = {_RATIO} U1", (alone, both), (first[0], second), correlation, _RATIO),
            Cascade("1, then both", (alone, both), (first[0], second), correlation),
        ]
    return ways
