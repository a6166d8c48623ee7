"""Predicted uncertainty against the error that there is (Amplitude Surrogates, Figs. 10 and 11)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from ampcli import weighted
from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import Plot, bins_for

_CELLS = 80
_MOST_BINS, _REACH = 80, 5.0  # of the pulls
_GROUPS = 20


def plot_uncertainty(
    delta: Floats, relative: Floats, name: str = "uncertainty", measures: Mapping[str, Floats | None] | None = None
) -> Plot:
    """|Delta| over the predicted relative uncertainty, and the distribution of their ratio against a Gaussian.

    Args:
        delta: predicted/exact - 1, (n,); relative: predicted relative uncertainty, positive, (n,).
        measures: "points" and others -> (n,) what the points count; a line each.  By default points, all alike.
    """
    measures = measures or {"points": None}
    sizes = np.maximum(np.abs(delta), 1e-12)
    x_edges, y_edges = (_log_edges(values) for values in (relative, sizes))
    x, y = (np.clip(values, edges[0], edges[-1]) for values, edges in ((relative, x_edges), (sizes, y_edges)))
    cells, _, _ = np.histogram2d(x, y, (x_edges, y_edges))
    covered = {measure: _quantiles(sizes, relative, weight) for measure, weight in measures.items()}
    pulls = delta / relative
    fewest = min(weighted.effective_number(weight, len(delta)) for weight in measures.values())
    edges = np.linspace(-_REACH, _REACH, bins_for(fewest, _MOST_BINS) + 1)
    counts = {
        measure: np.histogram(np.clip(pulls, -_REACH, _REACH), edges, weights=weight)[0]
        for measure, weight in measures.items()
    }
    beyond = [int(np.sum(pulls < -_REACH)), int(np.sum(pulls > _REACH))]

    def sizes_over_uncertainty(axes: Axes) -> None:
        percent, shown = 100 * x_edges, np.ma.masked_equal(cells.T, 0)
        mesh = axes.pcolormesh(percent, 100 * y_edges, shown, norm=LogNorm(), cmap="viridis", rasterized=True)
        axes.figure.colorbar(mesh, ax=axes, label="Points per cell")
        for number, (measure, (centres, quantiles)) in enumerate(covered.items(), 1):
            label = rf"68 % of $|\Delta|$ are below ({measure})"
            line = (100 * np.asarray(centres), 100 * np.asarray(quantiles))
            axes.plot(*line, color=f"C{number}", marker="o", markersize=4, label=label)
        axes.plot(
            percent, percent, color="0.3", linewidth=1, linestyle="--", label="the same, if uncertainties are right"
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(100 * y_edges[0], 100 * y_edges[-1] * (y_edges[-1] / y_edges[0]) ** 0.3)  # room for the legend
        axes.set_xlabel("Predicted relative uncertainty  [%]")
        axes.set_ylabel(r"$|\Delta|$  [%]")
        axes.legend(loc="upper left")

    def distribution(axes: Axes) -> None:
        for number, (measure, found) in enumerate(counts.items(), 1):
            density = found / (found.sum() * np.diff(edges))
            axes.stairs(density, edges, linewidth=1.8, color=f"C{number}", label=measure)
        middle = np.linspace(-_REACH, _REACH, 201)
        gaussian = np.exp(-(middle**2) / 2) / math.sqrt(2 * math.pi)
        axes.plot(middle, gaussian, color="0.3", linestyle="--", label="Gaussian")
        axes.set_yscale("log")
        axes.set_xlim(-_REACH, _REACH)
        axes.set_ylim(bottom=max(0.3 / (len(pulls) * np.diff(edges)[0]), 1e-6), top=4)
        for count, place, side in zip(beyond, (0.02, 0.98), ("left", "right"), strict=True):
            if count:
                where = f"< −{_REACH:g}" if side == "left" else f"> {_REACH:g}"
                text = f"edge bin: {count}\npoints {where}"
                axes.text(place, 0.02, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=11)
        axes.set_xlabel(r"Pull: $\Delta$ / predicted relative uncertainty")
        axes.set_ylabel("Density")
        axes.legend(loc="upper right")

    by_measure = {
        measure: {
            "quantile68": dict(zip(("uncertainty", "abs_delta"), covered[measure], strict=True)),
            "pulls": {"edges": edges.tolist(), "counts": counts[measure].tolist()},
        }
        for measure in measures
    }
    numbers = {
        "uncertainty_edges": x_edges.tolist(),
        "abs_delta_edges": y_edges.tolist(),
        "points": cells.astype(int).tolist(),
        "pulls_beyond": beyond,
        **by_measure["points"],
        **{measure: found for measure, found in by_measure.items() if measure != "points"},
    }
    caption = (
        "|Δ| against the predicted uncertainty (what lies beyond an axis is in its last cells), and the pulls against "
        "a Gaussian of mean 0 and width 1."
    )
    return Plot(name, caption, (sizes_over_uncertainty, distribution), numbers)


def _quantiles(sizes: Floats, relative: Floats, weight: Floats | None) -> tuple[list[float], list[float]]:
    """Of groups of the same weight and ascending uncertainty: what it is, and what 68 % of |Delta| are below."""
    order = np.argsort(relative)
    below = np.arange(1, len(order) + 1) if weight is None else np.cumsum(weight[order])
    wanted = min(_GROUPS, len(order))
    ends = np.searchsorted(below, below[-1] * np.arange(1, wanted) / wanted, side="right")
    groups = [rows for rows in np.split(order, ends) if len(rows) and (weight is None or weight[rows].any())]
    shares = [None if weight is None else weight[rows] for rows in groups]
    centres = [math.exp(weighted.mean(np.log(relative[rows]), w)) for rows, w in zip(groups, shares, strict=True)]
    pieces = zip(groups, shares, strict=True)
    return centres, [weighted.quantile(sizes[rows], weighted.ONE_SIGMA, w) for rows, w in pieces]


def _log_edges(values: Floats) -> Floats:
    """Logarithmic bins that hold 99.8 % of the values, and at least a factor of two."""
    low, high = np.quantile(values, [0.001, 0.999])
    return np.geomspace(low / 1.5, max(high, low) * 1.5, _CELLS + 1)
