"""Parts of manifests in words: for `ampcli registry show`, `compare` and `card`."""

from __future__ import annotations

from ampcli.registry.manifest import Dataset, Manifest, Metric
from ampcli.text_table import with_error

_NAMES = {
    "median_abs_delta": "median",
    "mean_abs_delta": "mean",
    "quantile68_abs_delta": "68 %",
    "mse_standardised_log": "MSE(log)",
    "rms_label_error": "rms label error",
    "rms_delta_without_label_error": "rms without it",
    "events_median_abs_delta": "events median",
    "events_mean_abs_delta": "events mean",
}

#: What the names above mean.
LEGEND = (
    "|Delta| = |predicted/exact - 1| in % on the validation split, (..) its error in the last digits: median, mean, "
    "68 % quantile; >1%: share of points that is further off; events: over the cross section; MSE(log): of ln|M|^2, "
    "standardised"
)


def metric_name(metric: str) -> str:
    """The heading of a metric; of others than ours its name."""
    if metric in _NAMES:
        return _NAMES[metric]
    events, _, bound = metric.rpartition("outside_")
    return metric if not bound or "outside_" not in metric else f"{events.replace('_', ' ')}>{bound}"


def metric_text(metric: str, measured: Metric | None) -> str:
    """Its value with its error, in % if it is one of relative differences."""
    if measured is None:
        return "-"
    is_share = metric != "mse_standardised_log" and metric_name(metric) != metric
    return with_error(measured.value, measured.error, 100.0 if is_share else 1.0)


def data_text(data: Dataset) -> str:
    """Size and splits of a data set."""
    splits = ", ".join(f"{size} {name}" for name, size in data.splits.items())
    return f"{data.points} points ({splits})"


def region_text(manifest: Manifest) -> str:
    """Where its training points lie."""
    region = manifest.region
    power = 4 - 2 * manifest.provider.described(manifest.process).n_final
    parts = [f"ln|M|^2 = {region.log_amplitude_mean:.3g} +- {region.log_amplitude_std:.2g} (|M|^2 in GeV^{power})"]
    if region.min_sij_over_s is not None:
        parts.append(f"min s_ij >= {region.min_sij_over_s:.3g} s")
    if region.relative_uncertainty_999 is not None:
        parts.append(f"unusual: a relative uncertainty above {100 * region.relative_uncertainty_999:.3g} %")
    return "; ".join(parts)


def parameters_text(manifest: Manifest) -> str:
    """The constants that the amplitudes were computed with."""
    return ", ".join(f"{name} = {value:.6g}" for name, value in manifest.provider.parameters.items())


def uncertainty_text(manifest: Manifest) -> str | None:
    """What its uncertainties hold, by the recalibration; None: they were not calibrated."""
    found = manifest.recalibration
    if found is None:
        return None
    intervals = ", ".join(f"{level} % within {k:.2f}" for level, k in found.intervals.items())
    measures = " and ".join(found.measures)
    return f"calibrated on validation {measures}: 68 % of the errors are within one of them, {intervals}"
