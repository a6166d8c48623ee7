"""Accuracy per point: Delta = predicted / exact - 1 and the log of the ratio, with statistical errors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat

Floats = NDArray[np.float64]

# The thresholds of FAME (arXiv:2107.06625), Table 2.
THRESHOLDS = {"0.1%": 1e-3, "1%": 1e-2, "5%": 5e-2}


class Frozen(BaseModel):
    """Base of all results: immutable, no unknown fields, finite numbers or None, exact through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Proportion(Frozen):
    """A fraction of the points and its error (see `proportion`)."""

    value: FiniteFloat
    error: FiniteFloat


class Metrics(Frozen):
    """How well a set of points is reproduced; all numbers are dimensionless, Delta is not in per cent.

    Errors are statistical (1 sigma) and None where the set is too small to give one.  `negative` counts
    predictions <= 0: they enter Delta but have no logarithm, so the log quantities leave them out.
    """

    points: int
    negative: int
    median_abs_delta: FiniteFloat
    median_abs_delta_error: FiniteFloat | None
    mean_abs_delta: FiniteFloat
    mean_abs_delta_error: FiniteFloat | None
    rms_delta: FiniteFloat
    max_abs_delta: FiniteFloat
    outside: dict[str, Proportion]  # fraction of points with |Delta| above "0.1%", "1%", "5%"
    mean_log_ratio: FiniteFloat | None  # log10(predicted / exact)
    std_log_ratio: FiniteFloat | None
    mse_standardised_log: FiniteFloat | None  # squared error of (ln A - log_mean) / log_std
    mse_standardised_log_error: FiniteFloat | None
    mse_training_mean: FiniteFloat  # the same if exp(log_mean) were predicted everywhere; 1 on the training split


def measure(exact: Floats, predicted: Floats, log_mean: float, log_std: float) -> Metrics:
    """Metrics of n >= 1 points.

    Args:
        exact, predicted: (n,) amplitudes in the same units, finite, exact > 0 (`evaluate` checks).
        log_mean, log_std: mean and standard deviation of ln A on the training split.
    """
    delta = predicted / exact - 1
    size = np.abs(delta)
    positive = predicted > 0
    log_exact = np.log(exact)
    log_ratio = np.log(predicted[positive]) - log_exact[positive]
    squares = (log_ratio / log_std) ** 2
    return Metrics(
        points=len(exact),
        negative=int(np.count_nonzero(~positive)),
        median_abs_delta=float(np.median(size)),
        median_abs_delta_error=median_error(size),
        mean_abs_delta=float(size.mean()),
        mean_abs_delta_error=mean_error(size),
        rms_delta=float(np.sqrt(np.mean(delta**2))),
        max_abs_delta=float(size.max()),
        outside={name: proportion(size > threshold) for name, threshold in THRESHOLDS.items()},
        mean_log_ratio=float(log_ratio.mean() / math.log(10)) if len(log_ratio) else None,
        std_log_ratio=float(log_ratio.std() / math.log(10)) if len(log_ratio) else None,
        mse_standardised_log=float(squares.mean()) if len(squares) else None,
        mse_standardised_log_error=mean_error(squares),
        mse_training_mean=float(np.mean(((log_exact - log_mean) / log_std) ** 2)),
    )


def mean_error(values: Floats) -> float | None:
    """Standard error of the mean of (n,) values, None for n < 2."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None


def median_error(values: Floats) -> float | None:
    """Half the distance of the two order statistics that enclose the true median with about 68 %.

    Distribution-free: the number of values below the true median is binomial with p = 1/2, so its spread is
    sqrt(n)/2 ranks.  None for n < 4, where no pair of ranks reaches that far.
    """
    n = len(values)
    low = math.floor((n - math.sqrt(n)) / 2)  # rank from 1; its mirror image is n + 1 - low
    if low < 1:
        return None
    ordered = np.partition(values, [low - 1, n - low])
    return float((ordered[n - low] - ordered[low - 1]) / 2)


def proportion(inside: NDArray[np.bool_]) -> Proportion:
    """Fraction of True in (n,) and its binomial error.

    The error is half the width of Wilson's 1-sigma interval: sqrt(f(1-f)/n) for many points, but not zero
    when none or all of them are inside.
    """
    n, f = len(inside), float(inside.mean())
    return Proportion(value=f, error=math.sqrt(f * (1 - f) / n + 1 / (4 * n * n)) / (1 + 1 / n))
