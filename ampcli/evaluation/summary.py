"""The figures of merit that a manifest keeps, measured on a validation split."""

from __future__ import annotations

import math

import numpy as np

from ampcli.evaluation.metrics import Floats, measure
from ampcli.registry.manifest import Metric

_ONE_SIGMA = math.erf(1 / math.sqrt(2))


def summary_metrics(exact: Floats, predicted: Floats, log_moments: tuple[float, float]) -> dict[str, Metric]:
    """Accuracy of n predictions (`ampcli eval` reports more, on any split).

    Args:
        exact, predicted: (n,) amplitudes in the same units.
        log_moments: mean and standard deviation of ln|M|^2 over the training split.
    """
    measured = measure(exact, predicted, *log_moments)
    quantile = float(np.quantile(np.abs(predicted / exact - 1.0), _ONE_SIGMA))
    metrics = {
        "median_abs_delta": Metric(value=measured.median_abs_delta, error=measured.median_abs_delta_error),
        "mean_abs_delta": Metric(value=measured.mean_abs_delta, error=measured.mean_abs_delta_error),
        "quantile68_abs_delta": Metric(value=quantile),
        **{f"outside_{key}": Metric(value=p.value, error=p.error) for key, p in measured.outside.items()},
    }
    if measured.mse_standardised_log is not None:
        metrics["mse_standardised_log"] = Metric(
            value=measured.mse_standardised_log, error=measured.mse_standardised_log_error
        )
    return metrics
