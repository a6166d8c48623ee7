"""The figures of merit that a manifest keeps, measured on a validation split."""

from __future__ import annotations

import numpy as np

from ampcli import weighted
from ampcli.evaluation.metrics import Floats, measure
from ampcli.evaluation.noise import label_noise
from ampcli.registry.manifest import Metric
from ampcli.store.measures import Measures


def summary_metrics(
    exact: Floats,
    predicted: Floats,
    log_moments: tuple[float, float],
    counted: Measures | None = None,
    errors: Floats | None = None,
) -> dict[str, Metric]:
    """Accuracy of n predictions (`ampcli eval` reports more, on any split).

    Args:
        exact, predicted: (n,) amplitudes in the same units.
        errors: (n,) statistical errors of the exact ones, if they have any.
        log_moments: mean and standard deviation of ln|M|^2 over the training split.
        counted: what the points count; where events are known well, some of the metrics are given for them too.
    """
    counted = counted or Measures()
    points = weighted.significant(counted.points)
    measured = measure(exact, predicted, *log_moments, points)
    quantile = weighted.quantile(np.abs(predicted / exact - 1.0), weighted.ONE_SIGMA, points)
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
    if errors is not None:
        noise = label_noise(exact, predicted, errors, points)
        metrics |= {
            "rms_label_error": Metric(value=noise.labels),
            "rms_delta_without_label_error": Metric(value=noise.model, error=noise.model_error),
        }
    if counted.events is not None and "events" in counted.known(len(exact)):
        events = measure(exact, predicted, *log_moments, counted.events)
        metrics |= {
            "events_median_abs_delta": Metric(value=events.median_abs_delta, error=events.median_abs_delta_error),
            "events_mean_abs_delta": Metric(value=events.mean_abs_delta, error=events.mean_abs_delta_error),
            "events_outside_1%": Metric(value=events.outside["1%"].value, error=events.outside["1%"].error),
        }
    return metrics
