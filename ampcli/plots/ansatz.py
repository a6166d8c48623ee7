"""Quality of kernel x reduced amplitude (Amplitude Surrogates, Figs. 1 to 3)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from ampcli.evaluation.ansatz import AnsatzPoints
from ampcli.plots.style import Plot

_BINS = 100


def plot_ansatz(measured: Mapping[str, AnsatzPoints], name: str = "ansatz") -> Plot:
    """Left: distribution of ln(ansatz / exact).  Right: its median and central 68 % over s_ij of the pair.

    Args:
        measured: features -> points.
    """
    ratios = {label: -points.log_ratio for label, points in measured.items()}
    reach = max(float(np.quantile(np.abs(values), 0.995)) for values in ratios.values())
    edges = np.linspace(-reach, reach, _BINS + 1)
    counts = {label: np.histogram(np.clip(v, -reach, reach), edges)[0] for label, v in ratios.items()}
    colours = dict(zip(measured, itertools.cycle(matplotlib.colormaps["tab10"].colors), strict=False))  # type: ignore[attr-defined]

    def distribution(axes: Axes) -> None:
        for label, points in measured.items():
            density = counts[label] / (len(points.log_ratio) * np.diff(edges))
            own = f"{label} ({points.quality.deviation:.2f})"
            axes.stairs(density, edges, color=colours[label], linewidth=1.8, label=own)
        axes.axvline(0, color="0.6", linewidth=1, linestyle=":", zorder=0)
        axes.set_yscale("log")
        axes.set_xlabel(r"$\ln(F\,|M_\mathrm{reduced}|^2 / |M|^2)$")
        axes.set_ylabel("Density")
        axes.legend(loc="upper left", title="(standard deviation)")

    def bands(axes: Axes) -> None:
        for label, points in measured.items():
            band, colour = points.quality.band, colours[label]
            axes.plot(band.s_ij, -np.asarray(band.median), color=colour, label=label)
            low, high = -np.asarray(band.high), -np.asarray(band.low)
            axes.fill_between(band.s_ij, low, high, alpha=0.15, color=colour, linewidth=0)
        axes.axhline(0, color="0.6", linewidth=1, linestyle=":", zorder=0)
        axes.set_xscale("log")
        axes.set_xlabel(r"$s_{ij}$ of the pair  [GeV$^2$]")
        axes.set_ylabel(r"$\ln(F\,|M_\mathrm{reduced}|^2 / |M|^2)$")
        axes.legend(loc="best")

    numbers = {
        "edges": edges.tolist(),
        "counts": {label: values.tolist() for label, values in counts.items()},
        "quality": {label: points.quality.model_dump(mode="json") for label, points in measured.items()},
    }
    caption = (
        "The ansatz over the exact amplitude: distribution, and median with the central 68 % over s_ij of the pair."
    )
    return Plot(name, caption, (distribution, bands), numbers)
