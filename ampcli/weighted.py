"""Averages over weighted samples, with their statistical errors: pure functions of (n,) values and weights.

A weight of None means that all rows count alike; `significant` turns equal weights into it, so that they give the same
numbers to the last bit.  Whole weights act as if rows were repeated (the errors know that they are not).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ONE_SIGMA = math.erf(1 / math.sqrt(2))
"""Share of a Gaussian within one standard deviation."""
_ROUNDING = 1e-12  # of sums of weights


def significant(weight: Floats | None) -> Floats | None:
    """Weights as multiples of the largest, or None where all rows count alike."""
    if weight is None or len(weight) == 0 or np.ptp(weight) <= 1e-9 * weight.max():
        return None
    scaled: Floats = weight / weight.max()
    return scaled


def part(weight: Floats | None, rows: Flags) -> Floats | None:
    """Weights of some rows."""
    return None if weight is None else weight[rows]


def effective_number(weight: Floats | None, rows: int) -> float:
    """Kish: as many rows of equal weight would fix an average as well: (sum w)^2 / sum w^2."""
    if weight is None:
        return float(rows)
    return float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0


def mean(values: Floats, weight: Floats | None) -> float:
    """Mean of n >= 1 values."""
    return float(values.mean() if weight is None else weight @ values / weight.sum())


def deviation(values: Floats, weight: Floats | None) -> float:
    """Standard deviation of n >= 1 values about their mean."""
    if weight is None:
        return float(values.std())
    return math.sqrt(mean((values - mean(values, weight)) ** 2, weight))


def mean_error(values: Floats, weight: Floats | None = None) -> float | None:
    """Standard error of the mean, None for less than two effective values.

    sqrt(sum w^2 (x - mean)^2) / sum w, times sqrt(n / (n - 1)) with n the effective number.
    """
    n = effective_number(weight, len(values))
    if weight is None:
        return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    if n <= 1 + _ROUNDING:
        return None
    spread = float(np.linalg.norm(weight * (values - mean(values, weight))) / weight.sum())
    return spread * math.sqrt(n / (n - 1))


def quantile(values: Floats, level: float, weight: Floats | None) -> float:
    """The smallest value that this share of the weight does not exceed; without weights, as numpy interpolates."""
    if weight is None:
        return float(np.quantile(values, level))
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    return float(values[order][min(np.searchsorted(below, level * below[-1] * (1 - _ROUNDING)), len(values) - 1)])


def median(values: Floats, weight: Floats | None) -> float:
    """Median of n >= 1 values; midway between two where they share the weight equally."""
    if weight is None:
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    order = order[weight[order] > 0]
    below = np.cumsum(weight[order])
    half = np.array([1 - _ROUNDING, 1 + _ROUNDING]) * below[-1] / 2
    low, high = values[order][np.minimum(np.searchsorted(below, half), len(order) - 1)]
    return float((low + high) / 2)


def median_error(values: Floats, weight: Floats | None = None) -> float | None:
    """Half the distance of the two order statistics that enclose the true median with about 68 %.

    Distribution-free: the number of values below the true median is binomial with p = 1/2, so its spread is
    sqrt(n)/2 ranks; with weights, the share below it spreads by 1/(2 sqrt(n)), n the effective number (R. Woodruff,
    J. Am. Stat. Assoc. 47 (1952) 635).  None for n < 4, where no pair of ranks reaches that far.
    """
    n = effective_number(weight, len(values))
    if weight is not None:
        if n < 4:
            return None
        low, high = (quantile(values, 0.5 + sign / (2 * math.sqrt(n)), weight) for sign in (-1, 1))
        return (high - low) / 2
    rank = math.floor((n - math.sqrt(n)) / 2)  # rank from 1; its mirror image is n + 1 - rank
    if rank < 1:
        return None
    rows = len(values)
    ordered = np.partition(values, [rank - 1, rows - rank])
    return float((ordered[rows - rank] - ordered[rank - 1]) / 2)


def share(flags: Flags, weight: Floats | None) -> tuple[float, float]:
    """The share of the rows that are flagged, of n >= 1, and its error.

    The error is half the width of Wilson's 1-sigma interval: sqrt(f(1-f)/n) for many rows, but not zero when none or
    all are flagged.  n is the effective number of rows; less, where those that are flagged weigh more than others:
    sum w^2 (flag - f)^2 / (sum w)^2 is the variance.
    """
    n, f = effective_number(weight, len(flags)), float(mean(flags.astype(np.float64), weight))
    if weight is not None and 0 < f < 1:
        variance = float(np.sum((weight * (flags - f)) ** 2) / weight.sum() ** 2)
        n = min(n, f * (1 - f) / variance)
    return f, math.sqrt(max(f * (1 - f), 0.0) / n + 1 / (4 * n * n)) / (1 + 1 / n)
