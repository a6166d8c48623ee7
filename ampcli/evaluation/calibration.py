"""Whether the quoted uncertainties are right: the distribution of (predicted - exact) / uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.evaluation.metrics import Floats, Proportion, proportion
from ampcli.records.base import Frozen


class Coverage(Frozen):
    """Fraction of the points within so many standard deviations, and what a Gaussian gives."""

    observed: Proportion
    nominal: FiniteFloat


#: How many uncertainties hold 68.27, 95 and 99 % of the errors, if these are Gaussian.
GAUSSIAN = {"68": 1.0, "95": 1.959964, "99": 2.575829}


class Calibration(Frozen):
    """Pulls of the points that have an uncertainty > 0; mean 0 and std 1 if it is a Gaussian sigma.

    `intervals`: fractions of the points within the intervals that ought to hold "68", "95" and "99" per cent, by the
    model's own recalibration or else as if its errors were Gaussian.
    """

    points: int
    without_uncertainty: int
    median_relative_uncertainty: FiniteFloat
    pull_mean: FiniteFloat
    pull_std: FiniteFloat
    coverage: dict[str, Coverage]  # within "1", "2", "3" standard deviations
    intervals: dict[str, Coverage]


def calibrate(
    exact: Floats,
    predicted: Floats,
    uncertainty: Floats,
    intervals: Mapping[str, float] | None = None,
    weight: Floats | None = None,
) -> Calibration | None:
    """Calibration of (n,) predictions with their 1-sigma (n,) uncertainties >= 0 (0: not known); None if none is known.

    Args:
        intervals: how many uncertainties hold "95" and "99" % of the errors, where that is known better.
        weight: (n,) what each point counts, >= 0; None: all alike.
    """
    known = uncertainty > 0 if weight is None else (uncertainty > 0) & (weight > 0)
    if not known.any():
        return None
    total = len(known) if weight is None else int(np.count_nonzero(weight))
    weight = weighted.significant(weighted.part(weight, known))
    pulls = (predicted[known] - exact[known]) / uncertainty[known]
    return Calibration(
        points=len(pulls),
        without_uncertainty=total - len(pulls),
        median_relative_uncertainty=weighted.median(uncertainty[known] / exact[known], weight),
        pull_mean=weighted.mean(pulls, weight),
        pull_std=weighted.deviation(pulls, weight),
        coverage={
            str(k): Coverage(observed=proportion(np.abs(pulls) <= k, weight), nominal=math.erf(k / math.sqrt(2)))
            for k in (1, 2, 3)
        },
        intervals={
            name: Coverage(
                observed=proportion(np.abs(pulls) <= k, weight), nominal=math.erf(GAUSSIAN[name] / math.sqrt(2))
            )
            for name, k in {**GAUSSIAN, **(intervals or {})}.items()
        },
    )
