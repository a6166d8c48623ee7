"""Models against values with statistical errors: how much better than its labels a model is."""

from __future__ import annotations

import math

from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.records.base import Frozen
from ampcli.weighted import Floats


class LabelNoise(Frozen):
    """Relative errors, root mean squares over the points.

    Attributes:
        labels: the statistical errors of the exact values, over the predictions.
        model: of the predictions, without what the labels' errors add to their differences; 0 where nothing is left.
        model_error: one standard deviation of `model`; where that is 0, of its square's root.
    """

    labels: FiniteFloat
    model: FiniteFloat
    model_error: FiniteFloat | None

    @property
    def gain(self) -> float | None:
        """How many times better than its labels the model is; None where that cannot be told."""
        return self.labels / self.model if self.model > 0 else None


def label_noise(exact: Floats, predicted: Floats, errors: Floats, weight: Floats | None = None) -> LabelNoise:
    """From n values with independent statistical errors, (n,) each, and their predictions.

    Differences are taken over the predictions, which do not know the labels' errors: the mean of the squares is that of
    the model's errors plus that of the labels'.

    Args:
        weight: what each point counts, (n,) >= 0; None: all alike.
    """
    noise = (errors / predicted) ** 2
    own = ((predicted - exact) / predicted) ** 2 - noise
    mean, error = weighted.mean(own, weight), weighted.mean_error(own, weight)
    model = math.sqrt(max(mean, 0.0))
    spread = None if error is None else error / (2 * model) if model**2 > error else math.sqrt(error)
    return LabelNoise(labels=math.sqrt(weighted.mean(noise, weight)), model=model, model_error=spread)
