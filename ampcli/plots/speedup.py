"""Speed-up against tolerance (Amplitude Surrogates, Figs. 13 and 15)."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from ampcli.evaluation.mixed import Report
from ampcli.plots.style import save, style


def plot_speedup(report: Report, folder: Path, name: str = "speedup") -> list[Path]:
    """One panel per source of exact amplitudes, one line per strategy: factor against the tolerance asked for."""
    providers = list(report.exact)
    with style():
        figure = Figure(figsize=(6.5 * len(providers), 5.0))
        panels = figure.subplots(1, len(providers), squeeze=False)[0]
        for axes, provider in zip(panels, providers, strict=True):
            for strategy in report.strategies:
                if strategy.provider == provider:
                    asked, _, factors = zip(*strategy.curve, strict=True)
                    axes.plot(asked, factors, marker="o", markersize=4, label=strategy.name)
            axes.set_xscale("log")
            axes.set_xlabel(rf"Tolerance: fraction with $|\Delta| > {100 * report.accuracy:g}\,\%$")
            axes.set_ylabel(f"Speed-up over {provider}")
            axes.set_ylim(bottom=0)
        panels[0].legend(loc="best")
        numbers = {"accuracy": report.accuracy, "strategies": [s.model_dump(mode="json") for s in report.strategies]}
        return save(figure, numbers, folder, name)
