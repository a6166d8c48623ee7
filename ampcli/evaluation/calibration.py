"""Whether the quoted uncertainties are right: the distribution of (predicted - exact) / uncertainty."""

from __future__ import annotations

import math

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats, Frozen, Proportion, proportion


class Coverage(Frozen):
    """Fraction of the points within so many standard deviations, and what a Gaussian gives."""

    observed: Proportion
    nominal: FiniteFloat


class Calibration(Frozen):
    """Pulls of the points that have an uncertainty > 0; mean 0 and std 1 if it is a Gaussian sigma."""

    points: int
    without_uncertainty: int
    median_relative_uncertainty: FiniteFloat
    pull_mean: FiniteFloat
    pull_std: FiniteFloat
    coverage: dict[str, Coverage]  # within "1", "2", "3" standard deviations


def calibrate(exact: Floats, predicted: Floats, uncertainty: Floats) -> Calibration | None:
    """Calibration of (n,) predictions with their 1-sigma (n,) uncertainties >= 0; None if all are zero."""
    known = uncertainty > 0
    if not known.any():
        return None
    pulls = (predicted[known] - exact[known]) / uncertainty[known]
    return Calibration(
        points=len(pulls),
        without_uncertainty=len(known) - len(pulls),
        median_relative_uncertainty=float(np.median(uncertainty[known] / exact[known])),
        pull_mean=float(pulls.mean()),
        pull_std=float(pulls.std()),
        coverage={
            str(k): Coverage(observed=proportion(np.abs(pulls) <= k), nominal=math.erf(k / math.sqrt(2)))
            for k in (1, 2, 3)
        },
    )
