"""Predicted uncertainty against the error that there is (Amplitude Surrogates, Figs. 10 and 11)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ampcli import weighted
from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import save, style

_CELLS = 80
_BINS, _REACH = 80, 5.0  # of the pulls
_GROUPS = 20


def plot_uncertainty(
    delta: Floats,
    relative: Floats,
    folder: Path,
    name: str = "uncertainty",
    measures: Mapping[str, Floats | None] | None = None,
) -> list[Path]:
    """|Delta| over the predicted relative uncertainty, and the distribution of their ratio against a Gaussian.

    Args:
        delta: predicted/exact - 1, (n,); relative: predicted relative uncertainty, positive, (n,).
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
        measures: "points" and others -> (n,) what the points count; a line each.  By default points, all alike.
    """
    measures = measures or {"points": None}
    sizes = np.maximum(np.abs(delta), 1e-12)
    x_edges, y_edges = (_log_edges(values) for values in (relative, sizes))
    x, y = (np.clip(values, edges[0], edges[-1]) for values, edges in ((relative, x_edges), (sizes, y_edges)))
    cells, _, _ = np.histogram2d(x, y, (x_edges, y_edges))
    covered = {measure: _quantiles(sizes, relative, weight) for measure, weight in measures.items()}
    pulls = np.clip(delta / relative, -_REACH, _REACH)
    edges = np.linspace(-_REACH, _REACH, _BINS + 1)
    counts = {measure: np.histogram(pulls, edges, weights=weight)[0] for measure, weight in measures.items()}
    middle = (edges[1:] + edges[:-1]) / 2
    with style():
        figure = Figure(figsize=(13, 5.2))
        left, right = figure.subplots(1, 2)
        mesh = left.pcolormesh(x_edges, y_edges, np.ma.masked_equal(cells.T, 0), norm=LogNorm(), cmap="viridis")
        mesh.set_rasterized(True)
        figure.colorbar(mesh, ax=left, label="Points")
        for number, (measure, (centres, quantiles)) in enumerate(covered.items(), 1):
            label = rf"68 % of the $|\Delta|$ below ({measure})"
            left.plot(centres, quantiles, color=f"C{number}", marker="o", markersize=4, label=label)
        left.plot(x_edges, x_edges, color="0.3", linewidth=1, linestyle="--", label="honest")
        left.set_xscale("log")
        left.set_yscale("log")
        left.set_ylim(y_edges[0], y_edges[-1])
        left.set_xlabel("Predicted relative uncertainty")
        left.set_ylabel(r"$|\Delta|$")
        left.legend(loc="upper left")
        for number, (measure, found) in enumerate(counts.items(), 1):
            right.stairs(
                found / (found.sum() * np.diff(edges)), edges, linewidth=1.8, color=f"C{number}", label=measure
            )
        right.plot(
            middle, np.exp(-(middle**2) / 2) / math.sqrt(2 * math.pi), color="0.3", linestyle="--", label="Gaussian"
        )
        right.set_yscale("log")
        right.set_ylim(bottom=max(0.3 / (len(pulls) * np.diff(edges)[0]), 1e-6))
        right.set_xlabel(r"$\Delta$ / predicted uncertainty")
        right.set_ylabel("Density")
        right.legend(loc="best")
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
            **by_measure["points"],
            **{measure: found for measure, found in by_measure.items() if measure != "points"},
        }
        return save(figure, numbers, folder, name)


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
