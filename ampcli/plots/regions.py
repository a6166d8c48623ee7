"""Where a model fails: |Delta| against how singular the phase-space point is."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import Plot

_QUANTILES = {"2.5%": 0.025, "16%": 0.16, "50%": 0.5, "84%": 0.84, "97.5%": 0.975}
_BINS_PER_DECADE = 8
_MIN_POINTS = 20  # per bin; sparser neighbours are merged
_FLOOR_SIJ = 1e-14
_FLOOR_PERCENT = 1e-6


def plot_regions(delta: Floats, min_sij: Floats, y_cut: float | None, name: str = "regions") -> Plot:
    """Median of |Delta| in per cent with its central 68 % and 95 % bands, in bins of min s_ij / s.

    Args:
        delta: (n,) predicted / exact - 1, n >= 1.
        min_sij: (n,) smallest s_ij / s of the point, dimensionless.
        y_cut: the training points' cut on it, drawn as a line, or None.

    Raises:
        UsageError: nothing to plot, or arrays that do not belong together.
    """
    if delta.ndim != 1 or delta.shape != min_sij.shape or len(delta) == 0:
        raise UsageError(f"the plot of the regions needs two arrays of shape (n,): {delta.shape} and {min_sij.shape}")
    log_sij = np.log10(np.maximum(min_sij, _FLOOR_SIJ))
    percent = np.maximum(100 * np.abs(delta), _FLOOR_PERCENT)
    edges = _edges(log_sij)
    bins = np.clip(np.searchsorted(edges, log_sij, side="right") - 1, 0, len(edges) - 2)
    groups = [percent[bins == i] for i in range(len(edges) - 1)]
    bands = {key: np.array([np.quantile(group, q) for group in groups]) for key, q in _QUANTILES.items()}
    x = 10**edges

    def draw(axes: Axes) -> None:
        axes.stairs(bands["97.5%"], x, baseline=bands["2.5%"], fill=True, color="#d5e3ff", label="95 % of points")
        axes.stairs(bands["84%"], x, baseline=bands["16%"], fill=True, color="#9dbdff", label="68 % of points")
        axes.stairs(bands["50%"], x, baseline=None, color="#1f3f8f", linewidth=2, label="Median")
        if y_cut is not None:
            axes.axvline(y_cut, color="0.3", linewidth=1.5, linestyle=":", label=r"$y_\mathrm{cut}$ of training")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(min(x[0], y_cut or x[0]) / 1.1, x[-1])
        low, high = bands["2.5%"].min(), bands["97.5%"].max()
        axes.set_ylim(low / 2, 2 * high * (high / low) ** 0.3)  # room for the legend
        axes.set_xlabel(r"$\min\, s_{ij}/s$")
        axes.set_ylabel(r"$|\Delta| = |\mathrm{network}/\mathrm{exact} - 1|$  [%]")
        axes.legend(loc="upper right", ncols=2)

    numbers = {
        "y_cut": y_cut,
        "min_sij_edges": x.tolist(),
        "points": [len(group) for group in groups],
        "abs_delta_percent": {key: values.tolist() for key, values in bands.items()},
    }
    caption = "|Δ| against the smallest invariant of two outgoing particles: small where the amplitude is singular."
    return Plot(name, caption, (draw,), numbers)


def _edges(log_sij: Floats) -> Floats:
    """Bin edges in log10(s_ij / s): equal steps, widened wherever a bin would hold too few points."""
    low, high = float(log_sij.min()), float(log_sij.max())
    if high - low < 1e-6:  # all points alike: one bin around them
        return np.array([low - 0.05, high + 0.05])
    steps = np.linspace(low, high, max(2, round((high - low) * _BINS_PER_DECADE) + 1))
    counts, _ = np.histogram(log_sij, steps)
    edges, held = [low], 0
    for count, right in zip(counts.tolist(), steps[1:].tolist(), strict=True):
        held += count
        if held >= _MIN_POINTS:
            edges.append(right)
            held = 0
    if held or len(edges) == 1:  # the rest goes to the last bin
        edges = [*edges[: max(1, len(edges) - 1)], high]
    return np.array(edges)
