"""Plots as SVG within a web page."""

from __future__ import annotations

import io
import re

import matplotlib
from matplotlib.figure import Figure

from ampcli.plots.style import Plot, draw_panel, style

_DPI = 110  # of images within
_HEAD = re.compile(r'<svg\b[^>]*\bviewBox="([^"]*)"[^>]*>')
_DROPPED = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style\b.*?</style>", re.DOTALL)
_NAMED = re.compile(r'\b(id="|href="#|url\(#)')


def svg_panels(plot: Plot) -> list[str]:
    """Each panel of a plot as an `<svg>` element: no size of its own, no background, names that no other plot has.

    Letters are drawn as curves, so that they look the same without the fonts.  The element takes the width that the
    page gives it, and there is nothing in it but shapes and images: no script, no style sheet, no address.
    """
    with style(), matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "ampcli", "savefig.dpi": _DPI}):
        return [_panel(plot, number) for number in range(len(plot.panels))]


def _panel(plot: Plot, number: int) -> str:
    figure = Figure(figsize=plot.size)
    draw_panel(figure.subplots(), plot.panels[number])
    file = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    content = _DROPPED.sub("", file.getvalue().decode())
    start = _HEAD.search(content)
    assert start is not None
    own = re.sub(r"[^\w-]", "-", f"{plot.name}-{number}-")
    body = _NAMED.sub(rf"\g<1>{own}", content[start.end() :].replace("xlink:href", "href"))
    return f'<svg viewBox="{start[1]}">{body}'.rstrip()
