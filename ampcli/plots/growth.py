"""Accuracy and coverage of an ensemble's mean against the number of its members (FAME, Sec. 2.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from ampcli.evaluation.growth import Growth
from ampcli.plots.style import save, style


def plot_growth(found: Sequence[Growth], folder: Path, name: str = "growth") -> list[Path]:
    """Left: median and mean |Delta| and the standard error; right: points within 1, 2, 3 standard errors.

    Args:
        found: for 1, 2, ... members, two or more.
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
    """
    with style():
        figure = Figure(figsize=(12, 4.8))
        left, right = figure.subplots(1, 2)
        members = [g.members for g in found]
        left.plot(members, [100 * g.mean_abs_delta for g in found], "o-", label=r"mean $|\Delta|$")
        left.plot(members, [100 * g.median_abs_delta for g in found], "s-", label=r"median $|\Delta|$")
        errors = [(g.members, 100 * g.median_relative_error) for g in found if g.median_relative_error is not None]
        left.plot(*zip(*errors, strict=True), "^--", label="standard error (median)")
        left.set_yscale("log")
        left.set_ylabel("[%]")
        left.legend(loc="best")
        for key, nominal in (("1", 68.27), ("2", 95.45), ("3", 99.73)):
            covered = [(g.members, 100 * g.covered[key].value) for g in found if key in g.covered]
            (line,) = right.plot(*zip(*covered, strict=True), "o-", label=f"{key} standard error{'s' * (key != '1')}")
            right.axhline(nominal, color=line.get_color(), linewidth=1, linestyle=":")
        right.set_ylim(0, 105)
        right.set_ylabel("Points within [%]")
        right.legend(loc="lower left", title="dotted: a Gaussian's", title_fontsize=13)
        for axes in (left, right):
            axes.set_xlabel("Members")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.xaxis.set_minor_locator(NullLocator())
        return save(figure, {"growth": [g.model_dump(mode="json") for g in found]}, folder, name)
