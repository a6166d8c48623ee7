"""Accuracy and coverage of an ensemble's mean against the number of its members (FAME, Sec. 2.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullLocator

from ampcli.evaluation.growth import Growth
from ampcli.plots.style import Plot


def plot_growth(found: Sequence[Growth], name: str = "growth") -> Plot:
    """Left: median and mean |Delta| and the standard error; right: points within 1, 2, 3 standard errors.

    Args:
        found: for 1, 2, ... members, two or more.
    """
    members = [g.members for g in found]

    def accuracy(axes: Axes) -> None:
        axes.plot(members, [100 * g.mean_abs_delta for g in found], "o-", label=r"mean $|\Delta|$")
        axes.plot(members, [100 * g.median_abs_delta for g in found], "s-", label=r"median $|\Delta|$")
        errors = [(g.members, 100 * g.median_relative_error) for g in found if g.median_relative_error is not None]
        axes.plot(*zip(*errors, strict=True), "^--", label="standard error (median)")
        axes.set_yscale("log")
        for of_axis in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            of_axis(FormatStrFormatter("%g"))
        axes.set_ylabel(r"$|\Delta|$, standard error  [%]")
        axes.legend(loc="best")
        _count(axes)

    def coverage(axes: Axes) -> None:
        for key, nominal in (("1", 68.27), ("2", 95.45), ("3", 99.73)):
            covered = [(g.members, 100 * g.covered[key].value) for g in found if key in g.covered]
            (line,) = axes.plot(*zip(*covered, strict=True), "o-", label=f"{key} standard error{'s' * (key != '1')}")
            axes.axhline(nominal, color=line.get_color(), linewidth=1, linestyle=":")
        axes.set_ylim(0, 105)
        axes.set_ylabel("Points within  [%]")
        axes.legend(loc="lower left", title="dotted: a Gaussian's")
        _count(axes)

    caption = "The mean of the first so many members: its accuracy, and the points within its standard errors."
    return Plot(name, caption, (accuracy, coverage), {"growth": [g.model_dump(mode="json") for g in found]})


def _count(axes: Axes) -> None:
    axes.set_xlabel("Members")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_minor_locator(NullLocator())
