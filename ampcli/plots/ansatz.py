"""Quality of kernel x reduced amplitude (Amplitude Surrogates, Figs. 1 to 3)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ampcli.evaluation.ansatz import AnsatzPoints
from ampcli.plots.style import save, style

_BINS = 100


def plot_ansatz(measured: Mapping[str, AnsatzPoints], folder: Path, name: str = "ansatz") -> list[Path]:
    """Left: distribution of ln(ansatz / exact).  Right: its median and central 68 % over s_ij of the pair.

    Args:
        measured: features -> points.
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
    """
    ratios = {label: -points.log_ratio for label, points in measured.items()}
    reach = max(float(np.quantile(np.abs(values), 0.995)) for values in ratios.values())
    edges = np.linspace(-reach, reach, _BINS + 1)
    counts = {label: np.histogram(np.clip(v, -reach, reach), edges)[0] for label, v in ratios.items()}
    with style():
        figure = Figure(figsize=(15, 5))
        colours = [matplotlib.colormaps["tab10"](i) for i in range(10)]
        left, right = figure.subplots(1, 2)
        for (label, points), colour in zip(measured.items(), itertools.cycle(colours), strict=False):
            density = counts[label] / (len(points.log_ratio) * np.diff(edges))
            left.stairs(density, edges, color=colour, linewidth=1.8, label=f"{label} ({points.quality.deviation:.2f})")
            band = points.quality.band
            right.plot(band.s_ij, -np.asarray(band.median), color=colour)
            right.fill_between(
                band.s_ij,
                -np.asarray(band.high),
                -np.asarray(band.low),
                alpha=0.15,
                color=colour,
                linewidth=0,
            )
        left.axvline(0, color="0.6", linewidth=1, linestyle=":", zorder=0)
        left.set_yscale("log")
        left.set_xlabel(r"$\ln(F\,|M_\mathrm{reduced}|^2 / |M|^2)$")
        left.set_ylabel("Density")
        figure.legend(loc="outside right upper", title="(standard deviation)")
        right.axhline(0, color="0.6", linewidth=1, linestyle=":", zorder=0)
        right.set_xscale("log")
        right.set_xlabel(r"$s_{ij}$ of the pair  [GeV$^2$]")
        right.set_ylabel(r"$\ln(F\,|M_\mathrm{reduced}|^2 / |M|^2)$")
        numbers = {
            "edges": edges.tolist(),
            "counts": {label: values.tolist() for label, values in counts.items()},
            "quality": {label: points.quality.model_dump(mode="json") for label, points in measured.items()},
        }
        return save(figure, numbers, folder, name)
