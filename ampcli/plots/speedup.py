"""Speed-up, tolerance and thresholds (Amplitude Surrogates, Figs. 10 to 15)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from ampcli.files import replacing
from ampcli.plots.style import Plot, plain, save
from ampcli.speedup.certified import REPORT
from ampcli.speedup.report import Report


def speedup_plots(report: Report, about: str) -> list[Plot]:
    """Of the points that strategies were judged on.

    Args:
        about: what these are (`ampcli.evaluation.about`).
    """
    who = "; ".join(f"surrogate {number}: {model}" for number, model in enumerate(report.models, 1))
    return [replace(plot, about=f"{about}; {who}") for plot in (plot_speedup(report), plot_scan(report))]


def write_speedup(document: Mapping[str, object], plots: Sequence[Plot], folder: Path) -> list[Path]:
    """Write speedup.json and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = folder / REPORT
    with replacing(numbers) as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n")
    return [numbers, *(path for plot in plots for path in save(plot, folder))]


def plot_speedup(report: Report, name: str = "speedup-curves") -> Plot:
    """One panel per source of exact amplitudes, one line per strategy: factor against the tolerance asked for."""

    def over(provider: str) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            for strategy in report.strategies:
                if strategy.provider == provider:
                    asked, _, factors = zip(*strategy.curve, strict=True)
                    axes.plot(asked, factors, marker="o", markersize=4, label=strategy.name)
            axes.axhline(1, color="0.6", linewidth=1, linestyle=":", zorder=0)
            axes.axvline(report.tolerance, color="0.6", linewidth=1, linestyle="--", zorder=0, label="asked for")
            axes.set_xscale("log")
            axes.set_xlabel(rf"Tolerance: fraction with $|\Delta| > {100 * report.accuracy:g}\,\%$")
            axes.set_ylabel(f"Speed-up over {plain(provider)}, from the parts")
            axes.set_ylim(bottom=0, top=1.15 * max(axes.dataLim.ymax, 1))
            axes.legend(loc="best")

        return draw

    numbers = {"accuracy": report.accuracy, "strategies": [s.model_dump(mode="json") for s in report.strategies]}
    caption = "Speed-up of exact amplitudes with surrogates before them, against the share of events that may be wrong."
    panels = tuple(map(over, report.exact))
    return Plot(name, caption, panels, numbers, columns=len(panels))


def plot_scan(report: Report, name: str = "speedup-thresholds") -> Plot:
    """Tolerance and speed-up over the threshold, and the signed errors of decided points, of the best strategy."""
    scan, signed = report.scan, report.signed
    second = "" if scan.ratio is None else rf", $U_2 = {scan.ratio:.2g}\,U_1$"

    def thresholds(axes: Axes) -> None:
        if scan.chosen > 0:
            axes.axvline(scan.chosen, color="0.6", linewidth=1, linestyle=":", zorder=0, label="chosen")
        axes.set_xscale("log")
        axes.set_xlabel("Threshold $U_1$ on the relative uncertainty" + second)

    def tolerance(axes: Axes) -> None:
        for label, values in scan.tolerance.items():
            axes.plot(scan.thresholds, values, label=rf"$|\Delta| > {label[:-1]}\,\%$")
        axes.axhline(report.tolerance, color="0.6", linewidth=1, linestyle="--", zorder=0, label="asked for")
        thresholds(axes)
        axes.set_yscale("log")
        axes.set_ylim(bottom=1e-6)
        axes.set_ylabel("Tolerance: fraction of events")
        axes.legend(loc="best")

    def factor(axes: Axes) -> None:
        axes.plot(scan.thresholds, scan.factor)
        axes.axhline(1, color="0.6", linewidth=1, linestyle=":", zorder=0)
        thresholds(axes)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(f"Speed-up over {plain(report.yardstick)}, from the parts")

    def errors(axes: Axes) -> None:
        axes.set_xlabel(r"$|\Delta|$ of decided points")
        axes.set_ylabel("Points per bin")
        edges = 10.0 ** np.asarray(signed.edges)
        axes.stairs(signed.above, edges, label=r"$\Delta > 0$", linewidth=1.8)
        axes.stairs(signed.below, edges, label=r"$\Delta < 0$", linewidth=1.8)
        axes.axvline(report.accuracy, color="0.6", linewidth=1, linestyle="--", zorder=0, label="accuracy")
        axes.set_xscale("log")
        axes.set_yscale("symlog")
        axes.set_ylim(bottom=0)
        axes.legend(loc="best")

    numbers = {"scan": scan.model_dump(mode="json"), "signed_errors": signed.model_dump(mode="json")}
    caption = (
        f"What a threshold on the predicted uncertainty does ({report.best} over {report.yardstick}): share of events "
        "that surrogates decide wrongly, speed-up, and the errors of points that they decide."
    )
    if not any(signed.above + signed.below):
        caption += " No point is decided by a surrogate: there is no certified threshold, and no error to show."
        return Plot(name, caption, (tolerance, factor), numbers)
    return Plot(name, caption, (tolerance, factor, errors), numbers, columns=3, size=(6.4, 5.2))
