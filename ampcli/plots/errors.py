"""Error distributions (FAME, Fig. 3): |Delta| in per cent and the logarithm of the ratio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import SymmetricalLogLocator

from ampcli import weighted
from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import Plot, bins_for

_DECADES = (-4, 2)  # of |Delta| in per cent, FAME's axis
_BINS = 60
_MOST_RATIO_BINS = 80
_ALIKE = 4.0  # models whose ratios spread by less than this factor share a linear axis
_LARGEST = 1e3  # |Delta| at which the axis of the cumulative plot ends


def plot_errors(
    deltas: Mapping[str, Floats], name: str = "errors", weights: Mapping[str, Floats | None] | None = None
) -> Plot:
    """Histograms of Delta = predicted / exact - 1, one line per label.

    Left: |Delta| in per cent, per decade.  Right: log10(predicted / exact), for each label in bins of its own on a
    range that holds 99.5 % of its points; the axis is linear around 0 and logarithmic beyond where labels differ much.
    Both are normalised to unit area; what lies beyond an axis is in its edge bin (the JSON says how much).
    Predictions <= 0 have no logarithm: the right side leaves them out and the JSON counts them.

    Args:
        deltas: label -> (n,) Delta, n >= 1.
        weights: label -> (n,) what the points of that label count, where they do not count alike.

    Raises:
        UsageError: nothing to plot.
    """
    if not deltas or any(len(delta) == 0 for delta in deltas.values()):
        raise UsageError("the plot of the errors needs at least one point for each label")
    weights = weights or {}
    size_edges = np.linspace(*_DECADES, _BINS + 1)
    left = {label: _histogram(_log_size(delta), size_edges, weights.get(label)) for label, delta in deltas.items()}
    right, reach = {}, {}
    looks = _looks(deltas)
    for label, delta in deltas.items():
        ratio, count = np.log1p(delta[delta > -1]) / np.log(10), weighted.part(weights.get(label), delta > -1)
        reach[label] = _reach(ratio, count)
        bins = bins_for(weighted.effective_number(weights.get(label), len(delta)), _MOST_RATIO_BINS)
        edges = np.linspace(-reach[label], reach[label], bins + 1)
        found = _histogram(ratio, edges, count)
        right[label] = {"edges": edges.tolist(), **found, "not_positive": int(np.sum(delta <= -1))}

    def sizes(axes: Axes) -> None:
        for label in deltas:
            density = np.asarray(left[label]["density"])
            axes.stairs(density, 10**size_edges, label=label, linewidth=1.8, **looks[label])
        axes.set_xscale("log")
        axes.set_xlim(10.0 ** _DECADES[0], 10.0 ** _DECADES[1])
        axes.set_ylim(0, 1.1 * axes.dataLim.ymax or 1)
        axes.set_xlabel(r"$|\Delta| = |\mathrm{network}/\mathrm{exact} - 1|$  [%]")
        axes.set_ylabel("Fraction of points per decade")
        axes.legend(loc="best")

    def ratios(axes: Axes) -> None:
        widest, narrowest = max(reach.values()), min(reach.values())
        power = int(np.floor(np.log10(widest)))  # the axis of the ratio is in units of 10^power
        unit = 10.0**power
        for label in deltas:
            edges = np.asarray(right[label]["edges"]) / unit
            density = np.asarray(right[label]["density"]) * unit
            axes.stairs(density, edges, linewidth=1.8, label=label, **looks[label])
        if axes.dataLim.ymax > 0:  # not where every prediction is negative
            axes.set_yscale("log")
            axes.set_ylim(axes.dataLim.minposy / 2, 3 * axes.dataLim.ymax)
        if widest > _ALIKE * narrowest:
            axes.set_xscale("symlog", linthresh=narrowest / unit)
            axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=narrowest / unit))
        axes.set_xlim(-widest / unit, widest / unit)
        axes.axvline(0, color="0.6", linewidth=1, linestyle=":", zorder=0)
        axes.set_xlabel(r"$\log_{10}(\mathrm{network}/\mathrm{exact})$" + (f"  [$10^{{{power}}}$]" if power else ""))
        axes.set_ylabel("Density")
        axes.legend(loc="best")

    caption = (
        "Distributions of |Δ| = |network/exact − 1| and of log10(network/exact), each of unit area. The first and the "
        "last bin hold what lies beyond the axis."
    )
    numbers = {
        "log10_abs_delta_percent": {"edges": size_edges.tolist(), "histograms": left},
        "log10_ratio": {"histograms": right},
    }
    return Plot(name, caption, (sizes, ratios), numbers)


def plot_cumulative(
    deltas: Mapping[str, Floats], name: str = "cumulative", weights: Mapping[str, Floats | None] | None = None
) -> Plot:
    """Fraction of the points with a larger |Delta| (Amplitude Surrogates, Fig. 8), one line per label.

    Args:
        deltas: label -> (n,) Delta, n >= 1.
        weights: label -> (n,) what the points of that label count, where they do not count alike.
    """
    weights = weights or {}
    largest = max(float(np.abs(delta).max()) for delta in deltas.values())
    looks = _looks(deltas)
    decades = 5 + int(np.ceil(np.log10(min(max(largest, 1.0), _LARGEST))))  # the tail of a bad model is on the axis too
    sizes = np.geomspace(1e-5, 10.0 ** (decades - 5), 20 * decades + 1)
    fractions = {
        label: [weighted.share(np.abs(delta) > size, weights.get(label))[0] for size in sizes]
        for label, delta in deltas.items()
    }

    def draw(axes: Axes) -> None:
        for label, delta in deltas.items():
            mean = 100 * weighted.mean(np.abs(delta), weights.get(label))
            axes.plot(100 * sizes, fractions[label], label=f"{label} ({mean:.2g} %)", **looks[label])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(100 * sizes[0], 100 * sizes[-1])
        axes.set_ylim(1e-5, 1.3)
        axes.set_xlabel(r"$|\Delta|$  [%]")
        axes.set_ylabel(r"Fraction of points with larger $|\Delta|$")
        axes.legend(loc="lower left", title=r"(mean $|\Delta|$)")

    numbers = {"abs_delta": sizes.tolist(), "fraction_above": fractions}
    return Plot(name, "Fraction of the points whose |Δ| is larger.", (draw,), numbers)


def _looks(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and line of each label; "NAME, events" has the colour of NAME and is dashed."""
    names = {label: label.removesuffix(", events") for label in labels}
    colours = {name: f"C{number}" for number, name in enumerate(dict.fromkeys(names.values()))}
    return {
        label: {"color": colours[name], "linestyle": "-" if label == name else "--"} for label, name in names.items()
    }


def _log_size(delta: Floats) -> Floats:
    """log10 of |Delta| in per cent; exact predictions land in the lowest bin."""
    floored: Floats = np.maximum(100 * np.abs(delta), 10.0 ** (_DECADES[0] - 1))
    return np.log10(floored)


def _reach(ratio: Floats, weight: Floats | None) -> float:
    """Half the range of the ratio: the 99.5 % quantile of its size, not below float32's resolution."""
    return max(1e-7, weighted.quantile(np.abs(ratio), 0.995, weight)) if len(ratio) else 1e-7


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
