"""Speed-up, tolerance and thresholds (Amplitude Surrogates, Figs. 10 to 15)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ampcli.plots.style import save, style
from ampcli.speedup.report import Report


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
            axes.set_ylabel(f"Speed-up over {provider}, from the parts")
            axes.set_ylim(bottom=0)
        panels[0].legend(loc="best")
        numbers = {"accuracy": report.accuracy, "strategies": [s.model_dump(mode="json") for s in report.strategies]}
        return save(figure, numbers, folder, name)


def plot_scan(report: Report, folder: Path, name: str) -> list[Path]:
    """Tolerance and speed-up over the threshold, and the signed errors of decided points, of the best strategy."""
    scan, signed = report.scan, report.signed
    with style():
        figure = Figure(figsize=(18.0, 5.0))
        left, middle, right = figure.subplots(1, 3)
        for label, values in scan.tolerance.items():
            left.plot(scan.thresholds, values, label=rf"$|\Delta| > {label[:-1]}\,\%$")
        left.axhline(report.tolerance, color="0.6", linewidth=1, linestyle="--", zorder=0)
        left.set_yscale("log")
        left.set_ylim(bottom=1e-6)
        left.set_ylabel("Tolerance: fraction of events")
        left.legend(loc="best")
        middle.plot(scan.thresholds, scan.factor)
        middle.set_ylim(bottom=0)
        middle.set_ylabel(f"Speed-up over {report.yardstick}, from the parts")
        for axes in (left, middle):
            axes.axvline(scan.chosen, color="0.6", linewidth=1, linestyle=":", zorder=0)
            axes.set_xscale("log")
            second = "" if scan.ratio is None else rf", $U_2 = {scan.ratio:.2g}\,U_1$"
            axes.set_xlabel("Threshold $U_1$" + second)
        edges = 10.0 ** np.asarray(signed.edges)
        right.stairs(signed.above, edges, label=r"$\Delta > 0$", linewidth=1.8)
        right.stairs(signed.below, edges, label=r"$\Delta < 0$", linewidth=1.8)
        right.axvline(report.accuracy, color="0.6", linewidth=1, linestyle="--", zorder=0)
        right.set_xscale("log")
        right.set_yscale("symlog")
        right.set_ylim(bottom=0, top=None if any(signed.above + signed.below) else 1)
        right.set_xlabel(r"$|\Delta|$ of decided points")
        right.set_ylabel("Points per bin")
        right.legend(loc="best")
        numbers = {"scan": scan.model_dump(mode="json"), "signed_errors": signed.model_dump(mode="json")}
        return save(figure, numbers, folder, name)
