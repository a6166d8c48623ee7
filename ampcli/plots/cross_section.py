"""How well the network's cross-section agrees as the sample grows (FAME, Fig. 5)."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from ampcli.errors import UsageError
from ampcli.evaluation.cross_section import Curve
from ampcli.evaluation.metrics import Floats
from ampcli.plots.style import Plot


def plot_cross_section(curves: Mapping[str, Curve], name: str = "cross_section") -> Plot:
    """|network / exact - 1| of the cross-section (solid) and its Monte Carlo error (dashed), in per cent.

    Args:
        curves: label -> `CrossSection.curve`; a label's two lines share their colour.

    Raises:
        UsageError: nothing to plot.
    """
    if not curves:
        raise UsageError("the plot of the cross-section needs at least one curve")

    def draw(axes: Axes) -> None:
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
        for i, (label, curve) in enumerate(curves.items()):
            colour = colours[i % len(colours)]
            difference, error = _percent(curve.relative_difference), _percent(curve.monte_carlo_error)
            axes.plot(curve.points, difference, color=colour, linewidth=1.8, label=label)
            axes.plot(curve.points, error, color=colour, linewidth=1.8, linestyle="--")
        axes.set_yscale("log")
        axes.set_xlim(left=0)
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.5, high * (high / low) ** 0.3)  # room for the legends
        axes.set_xlabel("Phase-space points")
        axes.set_ylabel("Relative to the exact cross-section  [%]")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 200k, 10M
        axes.add_artist(axes.legend(loc="upper left"))
        kinds = [
            Line2D([], [], color="0.35", label=r"$|\mathrm{network}/\mathrm{exact} - 1|$"),
            Line2D([], [], color="0.35", linestyle="--", label="Monte Carlo error"),
        ]
        axes.legend(handles=kinds, loc="upper right")

    caption = (
        "The cross section of the network over the exact one on the same points, and the Monte Carlo error, as the "
        "sample grows."
    )
    return Plot(name, caption, (draw,), {label: curve.model_dump() for label, curve in curves.items()})


def _percent(values: list[float]) -> Floats:
    """|values| in per cent; an exact zero has no place on a log axis and becomes a gap in the line."""
    percent = 100 * np.abs(np.asarray(values, dtype=np.float64))
    return np.where(percent > 0, percent, np.nan)
