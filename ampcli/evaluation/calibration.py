"""Whether the quoted uncertainties are right: the distribution of (predicted - exact) / uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.evaluation.metrics import Floats, Proportion, proportion
from ampcli.records.base import Frozen
from ampcli.uncertainty.pulls import GAUSSIAN, own_errors


class Coverage(Frozen):
    """Fraction of the points within so many standard deviations, and what a Gaussian gives.

    Attributes:
        observed: fraction of the points.
        nominal: what it ought to be.
    """

    observed: Proportion
    nominal: FiniteFloat


class Calibration(Frozen):
    """Pulls of the points that have an uncertainty > 0; mean 0 and std 1 if it is a Gaussian sigma.

    Intervals are those of the model's own recalibration, or else as if its errors were Gaussian.

    Attributes:
        points: with an uncertainty > 0.
        without_uncertainty: points without one.
        median_relative_uncertainty: uncertainty over prediction.
        pull_mean: mean of (predicted - exact) / uncertainty.
        pull_std: standard deviation of the pulls.
        coverage: fractions of the points within "1", "2", "3" standard deviations.
        intervals: fractions of the points within the intervals that ought to hold "68", "95" and "99" per cent.
    """

    points: int
    without_uncertainty: int
    median_relative_uncertainty: FiniteFloat
    pull_mean: FiniteFloat
    pull_std: FiniteFloat
    coverage: dict[str, Coverage]
    intervals: dict[str, Coverage]


def calibrate(
    exact: Floats,
    predicted: Floats,
    uncertainty: Floats,
    intervals: Mapping[str, float] | None = None,
    weight: Floats | None = None,
    errors: Floats | None = None,
) -> Calibration | None:
    """Calibration of (n,) predictions with their 1-sigma (n,) uncertainties >= 0 (0: not known); None if none is known.

    Args:
        intervals: how many uncertainties hold "95" and "99" % of the errors, where that is known better.
        weight: (n,) what each point counts, >= 0; None: all alike.
        errors: (n,) statistical errors of the exact values, which add up with the uncertainties; None: there are none.
    """
    known = uncertainty > 0 if weight is None else (uncertainty > 0) & (weight > 0)
    if not known.any():
        return None
    total = len(known) if weight is None else int(np.count_nonzero(weight))
    weight = weighted.significant(weighted.part(weight, known))
    difference, sigma, errors = predicted[known] - exact[known], uncertainty[known], weighted.part(errors, known)
    pulls = difference / (sigma if errors is None else np.hypot(sigma, errors))

    def within(uncertainties: float, deviations: float) -> Proportion:
        return proportion(own_errors(difference, errors, deviations) <= uncertainties * sigma, weight)

    return Calibration(
        points=len(pulls),
        without_uncertainty=total - len(pulls),
        median_relative_uncertainty=weighted.median(sigma / np.abs(exact[known]), weight),
        pull_mean=weighted.mean(pulls, weight),
        pull_std=weighted.deviation(pulls, weight),
        coverage={str(k): Coverage(observed=within(k, k), nominal=math.erf(k / math.sqrt(2))) for k in (1, 2, 3)},
        intervals={
            name: Coverage(observed=within(k, GAUSSIAN[name]), nominal=math.erf(GAUSSIAN[name] / math.sqrt(2)))
            for name, k in {**GAUSSIAN, **(intervals or {})}.items()
        },
    )
