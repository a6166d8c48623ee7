"""Accuracy: Delta = predicted / exact - 1 and the log of the ratio, over points that count as their weights say."""

from __future__ import annotations

import math

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.records.base import Frozen
from ampcli.weighted import Flags

Floats = weighted.Floats

# The thresholds of FAME (arXiv:2107.06625), Table 2.
THRESHOLDS = {"0.1%": 1e-3, "1%": 1e-2, "5%": 5e-2}


class Proportion(Frozen):
    """A share of the points and its error (see `ampcli.weighted.share`).

    Attributes:
        value: from 0 to 1.
        error: its statistical error.
    """

    value: FiniteFloat
    error: FiniteFloat


class Metrics(Frozen):
    """How well a set of points is reproduced; all numbers are dimensionless, Delta is not in per cent.

    Errors are statistical (1 sigma) and None where the set is too small to give one.  `negative` counts
    predictions of another sign than the exact value, or 0: they enter Delta but have no logarithm, so the log
    quantities leave them out.

    Attributes:
        points: rows that count.
        effective_points: as many points of equal weight fix averages as well (Kish).
        share: of all points' weight.
        negative: predictions of another sign than the exact value, or 0.
        median_abs_delta: median of |predicted / exact - 1|.
        median_abs_delta_error: its statistical error.
        mean_abs_delta: mean of |predicted / exact - 1|.
        mean_abs_delta_error: its statistical error.
        rms_delta: root mean square of predicted / exact - 1.
        max_abs_delta: largest |predicted / exact - 1|.
        outside: fractions of the points with |Delta| above "0.1%", "1%", "5%".
        mean_log_ratio: mean of log10(predicted / exact).
        std_log_ratio: standard deviation of log10(predicted / exact).
        mse_standardised_log: mean squared error of (ln A - mean) / std, these of the training split.
        mse_standardised_log_error: its statistical error.
        mse_training_mean: the same, if the training mean were predicted everywhere.
    """

    points: int
    effective_points: FiniteFloat
    share: Proportion
    negative: int
    median_abs_delta: FiniteFloat
    median_abs_delta_error: FiniteFloat | None
    mean_abs_delta: FiniteFloat
    mean_abs_delta_error: FiniteFloat | None
    rms_delta: FiniteFloat
    max_abs_delta: FiniteFloat
    outside: dict[str, Proportion]
    mean_log_ratio: FiniteFloat | None
    std_log_ratio: FiniteFloat | None
    mse_standardised_log: FiniteFloat | None
    mse_standardised_log_error: FiniteFloat | None
    mse_training_mean: FiniteFloat


def measure(
    exact: Floats,
    predicted: Floats,
    log_mean: float,
    log_std: float,
    weight: Floats | None = None,
    rows: Flags | None = None,
) -> Metrics:
    """Metrics of n >= 1 points, or of those of them that `rows` chooses.

    Args:
        exact, predicted: (n,) amplitudes in the same units, finite, exact not 0 (`evaluate` checks).
        log_mean, log_std: mean and standard deviation of ln|A| on the training split.
        weight: (n,) what each point counts, >= 0; None: all alike.
        rows: (n,) which points, of positive weight together.
    """
    whole = Proportion(value=1.0, error=0.0) if rows is None else proportion(rows, weight)
    if rows is not None:
        exact, predicted, weight = exact[rows], predicted[rows], weighted.part(weight, rows)
    weight = weighted.significant(weight)
    delta = predicted / exact - 1
    size = np.abs(delta)
    counted = size if weight is None else size[weight > 0]
    positive = predicted / exact > 0
    log_exact = np.log(np.abs(exact))
    log_ratio = np.log(np.abs(predicted[positive])) - log_exact[positive]
    squares = (log_ratio / log_std) ** 2
    logs = weighted.part(weight, positive)
    have_logs = len(log_ratio) > 0 and (logs is None or bool(logs.any()))
    return Metrics(
        points=len(counted),
        effective_points=weighted.effective_number(weight, len(exact)),
        share=whole,
        negative=int(np.count_nonzero(~positive)),
        median_abs_delta=weighted.median(size, weight),
        median_abs_delta_error=weighted.median_error(size, weight),
        mean_abs_delta=weighted.mean(size, weight),
        mean_abs_delta_error=weighted.mean_error(size, weight),
        rms_delta=math.sqrt(weighted.mean(delta**2, weight)),
        max_abs_delta=float(counted.max()),
        outside={name: proportion(size > threshold, weight) for name, threshold in THRESHOLDS.items()},
        mean_log_ratio=weighted.mean(log_ratio, logs) / math.log(10) if have_logs else None,
        std_log_ratio=weighted.deviation(log_ratio, logs) / math.log(10) if have_logs else None,
        mse_standardised_log=weighted.mean(squares, logs) if have_logs else None,
        mse_standardised_log_error=weighted.mean_error(squares, logs),
        mse_training_mean=weighted.mean(((log_exact - log_mean) / log_std) ** 2, weight),
    )


def proportion(inside: Flags, weight: Floats | None = None) -> Proportion:
    """Share of True in (n,) with its error."""
    value, error = weighted.share(inside, weight)
    return Proportion(value=value, error=error)
