"""Accuracy in units of a reference amplitude, of models that learned the ratio to it."""

from __future__ import annotations

import math

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.records.base import Frozen
from ampcli.weighted import Floats


class OverReference(Frozen):
    """Of exact / reference, and of (predicted - exact) / reference; dimensionless.

    Attributes:
        mean, spread: of the ratio itself.
        median_abs, mean_abs, rms: of its errors.
        median_abs_error: statistical error of `median_abs`.
    """

    mean: FiniteFloat
    spread: FiniteFloat
    median_abs: FiniteFloat
    median_abs_error: FiniteFloat | None
    mean_abs: FiniteFloat
    rms: FiniteFloat


def over_reference(exact: Floats, predicted: Floats, reference: Floats, weight: Floats | None = None) -> OverReference:
    """Of n values and predictions with their reference amplitudes, (n,) each.

    Args:
        weight: what each point counts, (n,) >= 0; None: all alike.
    """
    ratio, size = exact / reference, np.abs((predicted - exact) / reference)
    return OverReference(
        mean=weighted.mean(ratio, weight),
        spread=weighted.deviation(ratio, weight),
        median_abs=weighted.median(size, weight),
        median_abs_error=weighted.median_error(size, weight),
        mean_abs=weighted.mean(size, weight),
        rms=math.sqrt(weighted.mean(size**2, weight)),
    )
