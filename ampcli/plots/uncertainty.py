"""Predicted uncertainty against the error that there is (Amplitude Surrogates, Figs. 10 and 11)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import save, style

_CELLS = 80
_BINS, _REACH = 80, 5.0  # of the pulls
_GROUPS, _ONE_SIGMA = 20, math.erf(1 / math.sqrt(2))


def plot_uncertainty(delta: Floats, relative: Floats, folder: Path, name: str = "uncertainty") -> list[Path]:
    """|Delta| over the predicted relative uncertainty, and the distribution of their ratio against a Gaussian.

    Args:
        delta: predicted/exact - 1, (n,); relative: predicted relative uncertainty, positive, (n,).
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
    """
    sizes = np.maximum(np.abs(delta), 1e-12)
    x_edges, y_edges = (_log_edges(values) for values in (relative, sizes))
    cells, _, _ = np.histogram2d(relative, np.clip(sizes, y_edges[0], y_edges[-1]), (x_edges, y_edges))
    groups = np.array_split(np.argsort(relative), min(_GROUPS, len(relative)))
    centres = [float(np.exp(np.log(relative[rows]).mean())) for rows in groups]
    quantiles = [float(np.quantile(sizes[rows], _ONE_SIGMA)) for rows in groups]
    pulls = delta / relative
    edges = np.linspace(-_REACH, _REACH, _BINS + 1)
    counts, _ = np.histogram(np.clip(pulls, -_REACH, _REACH), edges)
    density = counts / (len(pulls) * np.diff(edges))
    middle = (edges[1:] + edges[:-1]) / 2
    with style():
        figure = Figure(figsize=(13, 5.2))
        left, right = figure.subplots(1, 2)
        mesh = left.pcolormesh(x_edges, y_edges, np.ma.masked_equal(cells.T, 0), norm=LogNorm(), cmap="viridis")
        mesh.set_rasterized(True)
        figure.colorbar(mesh, ax=left, label="Points")
        left.plot(centres, quantiles, color="C1", marker="o", markersize=4, label=r"68 % of the $|\Delta|$ below")
        left.plot(x_edges, x_edges, color="0.3", linewidth=1, linestyle="--", label="honest")
        left.set_xscale("log")
        left.set_yscale("log")
        left.set_ylim(y_edges[0], y_edges[-1])
        left.set_xlabel("Predicted relative uncertainty")
        left.set_ylabel(r"$|\Delta|$")
        left.legend(loc="upper left")
        right.stairs(density, edges, linewidth=1.8, label="model")
        right.plot(
            middle, np.exp(-(middle**2) / 2) / math.sqrt(2 * math.pi), color="0.3", linestyle="--", label="Gaussian"
        )
        right.set_yscale("log")
        right.set_ylim(bottom=max(0.3 / (len(pulls) * np.diff(edges)[0]), 1e-6))
        right.set_xlabel(r"$\Delta$ / predicted uncertainty")
        right.set_ylabel("Density")
        right.legend(loc="best")
        numbers = {
            "uncertainty_edges": x_edges.tolist(),
            "abs_delta_edges": y_edges.tolist(),
            "points": cells.astype(int).tolist(),
            "quantile68": {"uncertainty": centres, "abs_delta": quantiles},
            "pulls": {"edges": edges.tolist(), "counts": counts.tolist()},
        }
        return save(figure, numbers, folder, name)


def _log_edges(values: Floats) -> Floats:
    """Logarithmic bins that hold 99.8 % of the values, and at least a factor of two."""
    low, high = np.quantile(values, [0.001, 0.999])
    return np.geomspace(low / 1.5, max(high, low) * 1.5, _CELLS + 1)
