"""Points that choose, certify and judge: exact amplitudes and what surrogates predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats
from ampcli.inference.predictor import Predictor
from ampcli.inference.stored import StoredPoints
from ampcli.kinematics import FloatArray
from ampcli.progress import nothing
from ampcli.store.reader import Split, Store
from ampcli.uncertainty.covariance import error_correlation

_JUDGES = 5  # one in so many points judges, the others certify


#: The relative uncertainty of amplitudes that are not positive.
_UNSURE = 1e6


def relative_or_unsure(amplitude: Floats, uncertainty: Floats) -> Floats:
    """Relative uncertainties (n,) by which a model decides."""
    return np.divide(uncertainty, amplitude, out=np.full_like(amplitude, _UNSURE), where=amplitude > 0)


@dataclass(frozen=True)
class PredictedPoints:
    """Points whose amplitudes are known, and what surrogates say of them.

    Attributes:
        momenta: (n, n_final, 4) in GeV.
        exact: |M|^2, (n,), in GeV^(2 (4 - n_external)).
        weight: of the events, (n,), in any unit.
        predicted: |M|^2 of each surrogate, (n,) each.
        relative: predicted relative uncertainty of each surrogate, (n,) each.
    """

    momenta: FloatArray
    exact: Floats
    weight: Floats
    predicted: list[Floats]
    relative: list[Floats]

    @classmethod
    def of(
        cls, predictors: Sequence[Predictor], store: Store, split: Split, on_rows: Callable[[int], None] = nothing
    ) -> PredictedPoints:
        """A split of a store, whose rows count as events: weight x |M|^2; those of given points count alike.

        Where a model predicts none that is positive, it is not sure of anything.

        Args:
            on_rows: told how many points are done more, of every model.

        Raises:
            UsageError: one of several models predicts such amplitudes, whose logarithms a combination needs.
        """
        points = StoredPoints(store, split)
        sampled = store.plan.source.are_sampled
        weight = points.exact * store.read_split("weight", split) if sampled else np.ones(len(points))
        predicted, relative = [], []
        for predictor in predictors:
            found = points.predicted(predictor, on_rows)
            if len(predictors) > 1 and not (found.amplitude > 0).all():
                raise UsageError(f"{predictor.manifest.reference} predicts negative amplitudes", "Use a surrogate.")
            predicted.append(found.amplitude)
            relative.append(relative_or_unsure(found.amplitude, found.uncertainty))
        return cls(points.momenta, points.exact, weight, predicted, relative)

    def __len__(self) -> int:
        return len(self.exact)

    def of_models(self, chosen: Sequence[int]) -> PredictedPoints:
        """The same points with some of the surrogates, in this order."""
        predicted, relative = ([values[i] for i in chosen] for values in (self.predicted, self.relative))
        return PredictedPoints(self.momenta, self.exact, self.weight, predicted, relative)

    def rows(self, chosen: np.ndarray) -> PredictedPoints:
        """Some of the points, by number or flag."""
        predicted, relative = ([values[chosen] for values in each] for each in (self.predicted, self.relative))
        return PredictedPoints(self.momenta[chosen], self.exact[chosen], self.weight[chosen], predicted, relative)

    def judged_apart(self) -> tuple[PredictedPoints, PredictedPoints]:
        """Those that certify thresholds, and every fifth, which judges them."""
        judges = np.arange(len(self)) % _JUDGES == 0
        return self.rows(~judges), self.rows(judges)

    def correlation(self, models: Sequence[int]) -> Tensor:
        """Of the errors of some surrogates, (n_models, n_models)."""
        errors = np.stack([np.log(self.predicted[i] / self.exact) for i in models])
        return error_correlation(
            torch.from_numpy(errors), torch.from_numpy(np.stack([self.relative[i] for i in models]))
        )
