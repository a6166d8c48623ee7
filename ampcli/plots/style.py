"""The look of all plots, and how a plot and the numbers behind it reach the disk."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ampcli.files import drafted

_OURS: dict[Any, Any] = {
    "font.size": 15,
    "axes.linewidth": 1.2,
    "xtick.major.size": 8,
    "ytick.major.size": 8,
    "xtick.minor.size": 4,
    "ytick.minor.size": 4,
    "legend.fontsize": 12,
    "legend.title_fontsize": 12,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "pdf.fonttype": 42,  # embed fonts as text, so that labels stay searchable and editable
}
_ABOUT_SIZE = 11.0
_ABOUT_PER_INCH = 13  # characters of that size
_FEWEST_BINS = 20
_MOST_VERTICES = 5000  # of an artist that is drawn with vectors: a million of them is a file of 50 MB


@dataclass(frozen=True)
class Plot:
    """A plot before it is drawn.

    Attributes:
        name: of its files.
        caption: what it shows, in plain text.
        panels: each draws on axes of its own: next to each other in a file, below each other on a narrow page.
        numbers: what is behind it, for JSON.
        about: of what it is: process, energy, cuts, number of points.
        columns: panels in a row.
        size: width and height of a panel in inches.
    """

    name: str
    caption: str
    panels: tuple[Callable[[Axes], None], ...]
    numbers: Mapping[str, object]
    about: str = ""
    columns: int = 2
    size: tuple[float, float] = (7.0, 5.2)


@contextmanager
def style() -> Iterator[None]:
    """mplhep's ROOT style, sized for a page.  Draw and save inside; matplotlib's settings come back after."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(mplhep.style.ROOT)
        matplotlib.rcParams.update(_OURS)
        yield


def save(plot: Plot, folder: Path) -> list[Path]:
    """Write NAME.png, NAME.pdf and NAME.json (the numbers behind it) into `folder`; returns their paths.

    They are written into a hidden folder first and renamed, so that a failure leaves older files whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{plot.name}.{kind}" for kind in ("png", "pdf", "json")]
    with drafted(folder / plot.name) as hidden, style():
        png, pdf, document = (hidden / path.name for path in paths)
        document.write_text(json.dumps(plot.numbers, indent=1, allow_nan=False) + "\n")
        figure = _whole(plot)
        figure.savefig(png)
        figure.savefig(pdf, metadata={"CreationDate": None})  # the same numbers give the same file
        for part, path in zip((png, pdf, document), paths, strict=True):
            os.replace(part, path)
    return paths


def bins_for(points: float, most: int) -> int:
    """How many bins show a distribution of so many points: an odd number, so that one is centred; Rice's rule."""
    return int(np.clip(2 * points ** (1 / 3), _FEWEST_BINS, most)) // 2 * 2 + 1


def plain(text: str) -> str:
    """A name that may come from anywhere, for a label: matplotlib reads what stands between dollars as mathematics."""
    return text.replace("$", r"\$")


def draw_panel(axes: Axes, panel: Callable[[Axes], None]) -> None:
    """Draw a panel; of what has so many points that vectors of it would be huge, an image is kept."""
    panel(axes)
    artists: list[Line2D | Collection] = [*axes.lines, *axes.collections]
    for artist in artists:
        if _vertices(artist) > _MOST_VERTICES:
            artist.set_rasterized(True)


def _whole(plot: Plot) -> Figure:
    """All panels in one figure, below what it is about."""
    columns = min(plot.columns, len(plot.panels))
    rows = -(-len(plot.panels) // columns)
    width, height = plot.size
    figure = Figure(figsize=(width * columns, height * rows))
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(places, plot.panels, strict=False):
        draw_panel(axes, panel)
    for unused in places[len(plot.panels) :]:
        unused.remove()
    if plot.about:
        about = textwrap.fill(plot.about, int(width * columns * _ABOUT_PER_INCH))
        figure.suptitle(about, x=0.01, horizontalalignment="left", fontsize=_ABOUT_SIZE, parse_math=False)
    return figure


def _vertices(artist: Line2D | Collection) -> int:
    if isinstance(artist, Line2D):
        return len(np.asarray(artist.get_path().vertices))
    return sum(len(np.asarray(path.vertices)) for path in artist.get_paths()) + len(np.asarray(artist.get_offsets()))
