"""Error distributions (FAME, Fig. 3): |Delta| in per cent and the logarithm of the ratio."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ampcli import weighted
from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import save, style

_DECADES = (-4, 2)  # of |Delta| in per cent, FAME's axis
_BINS = 60
_RATIO_BINS = 81  # odd: one bin is centred on a perfect prediction


def plot_errors(
    deltas: Mapping[str, Floats], folder: Path, name: str = "errors", weights: Mapping[str, Floats | None] | None = None
) -> list[Path]:
    """Histograms of Delta = predicted / exact - 1, one line per label.

    Left: |Delta| in per cent, per decade.  Right: log10(predicted / exact) on a range that holds 99.5 % of
    the points of every label.  Both are normalised to unit area; what lies beyond an axis is in its edge bin
    (the JSON says how much).  Predictions <= 0 have no logarithm: the right side leaves them out and the JSON
    counts them.

    Args:
        deltas: label -> (n,) Delta, n >= 1.
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
        weights: label -> (n,) what the points of that label count, where they do not count alike.

    Raises:
        UsageError: nothing to plot.
    """
    if not deltas or any(len(delta) == 0 for delta in deltas.values()):
        raise UsageError("the plot of the errors needs at least one point for each label")
    weights = weights or {}
    sizes = {label: _log_size(delta) for label, delta in deltas.items()}
    ratios = {label: np.log1p(delta[delta > -1]) / np.log(10) for label, delta in deltas.items()}
    counts = {label: weighted.part(weights.get(label), delta > -1) for label, delta in deltas.items()}
    reach = _reach([(ratio, counts[label]) for label, ratio in ratios.items()])
    size_edges = np.linspace(*_DECADES, _BINS + 1)
    ratio_edges = np.linspace(-reach, reach, _RATIO_BINS + 1)
    left = {label: _histogram(values, size_edges, weights.get(label)) for label, values in sizes.items()}
    power = int(np.floor(np.log10(reach)))  # the axis of the ratio is in units of 10^power
    right = {
        label: {**_histogram(ratios[label], ratio_edges, counts[label]), "not_positive": int(np.sum(delta <= -1))}
        for label, delta in deltas.items()
    }
    with style():
        figure = Figure(figsize=(12, 4.6))
        size_axes, ratio_axes = figure.subplots(1, 2)
        for label in deltas:
            size_axes.stairs(np.asarray(left[label]["density"]), 10**size_edges, label=label, linewidth=1.8)
            density = np.asarray(right[label]["density"]) * 10.0**power
            ratio_axes.stairs(density, ratio_edges / 10.0**power, linewidth=1.8)
        size_axes.set_xscale("log")
        size_axes.set_xlim(10.0 ** _DECADES[0], 10.0 ** _DECADES[1])
        size_axes.set_xlabel(r"$|\Delta| = |\mathrm{network}/\mathrm{exact} - 1|$  [%]")
        size_axes.set_ylabel("Fraction of points per decade")
        ratio_axes.set_xlim(-reach / 10.0**power, reach / 10.0**power)
        ratio_axes.axvline(0, color="0.6", linewidth=1, linestyle=":", zorder=0)
        unit = f"  [$10^{{{power}}}$]" if power else ""
        ratio_axes.set_xlabel(r"$\log_{10}(\mathrm{network}/\mathrm{exact})$" + unit)
        ratio_axes.set_ylabel("Density")
        for axes in (size_axes, ratio_axes):
            axes.set_ylim(0, 1.1 * axes.dataLim.ymax or 1)  # all zero if every prediction is negative
        size_axes.legend(loc="best")
        numbers = {
            "log10_abs_delta_percent": {"edges": size_edges.tolist(), "histograms": left},
            "log10_ratio": {"edges": ratio_edges.tolist(), "histograms": right},
        }
        return save(figure, numbers, folder, name)


def plot_cumulative(
    deltas: Mapping[str, Floats],
    folder: Path,
    name: str = "cumulative",
    weights: Mapping[str, Floats | None] | None = None,
) -> list[Path]:
    """Fraction of the points with a larger |Delta| (Amplitude Surrogates, Fig. 8), one line per label.

    Args:
        deltas: label -> (n,) Delta, n >= 1.
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
        weights: label -> (n,) what the points of that label count, where they do not count alike.
    """
    weights = weights or {}
    sizes = np.geomspace(1e-5, 1.0, 101)
    fractions = {
        label: [weighted.share(np.abs(delta) > size, weights.get(label))[0] for size in sizes]
        for label, delta in deltas.items()
    }
    with style():
        figure = Figure(figsize=(7, 5))
        axes = figure.subplots()
        for label, delta in deltas.items():
            axes.plot(
                100 * sizes,
                fractions[label],
                label=f"{label} ({100 * weighted.mean(np.abs(delta), weights.get(label)):.2g} %)",
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(1e-5, 1.3)
        axes.set_xlabel(r"$|\Delta|$  [%]")
        axes.set_ylabel(r"Fraction of points with larger $|\Delta|$")
        axes.legend(loc="lower left", title=r"(mean $|\Delta|$)")
        return save(figure, {"abs_delta": sizes.tolist(), "fraction_above": fractions}, folder, name)


def _log_size(delta: Floats) -> Floats:
    """log10 of |Delta| in per cent; exact predictions land in the lowest bin."""
    floored: Floats = np.maximum(100 * np.abs(delta), 10.0 ** (_DECADES[0] - 1))
    return np.log10(floored)


def _reach(ratios: list[tuple[Floats, Floats | None]]) -> float:
    """Half the axis of the ratio: the widest 99.5 % quantile of its size, not below float32's resolution."""
    return max([1e-7, *(weighted.quantile(np.abs(r), 0.995, weight) for r, weight in ratios if len(r))])


def _histogram(values: Floats, edges: Floats, weight: Floats | None) -> dict[str, object]:
    """Counts (of weight: rows in all) and density of (n,) values, those beyond the edges in the first and last bin."""
    share = None if weight is None or not weight.any() else weight * (len(values) / weight.sum())
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges, weights=share)
    return {
        "points": len(values),
        "underflow": int(np.sum(values < edges[0])),
        "overflow": int(np.sum(values > edges[-1])),
        "counts": counts.tolist(),
        "density": (counts / (np.diff(edges) * max(len(values), 1))).tolist(),
    }
