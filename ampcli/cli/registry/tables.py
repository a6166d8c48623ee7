"""Tables of what may come from anywhere."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ampcli.cli.output import width
from ampcli.text_table import aligned, fitting


def printable(text: str, and_lines: bool = False) -> str:
    """Without the sequences that command a terminal: a model may come from anywhere."""
    return "".join(c if c.isprintable() or (and_lines and c == "\n") else ascii(c)[1:-1] for c in text)


def table(rows: Sequence[Sequence[str]], least: Sequence[str] = ()) -> str:
    """A ruled table, as wide as the terminal.

    Args:
        rows: the headings first.
        least: headings of columns that go where it is too narrow, those that go first in front.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    return "\n".join(aligned(fitting(cells, width(), least), left=None, ruled=True))


def wrapped(text: str) -> str:
    """Lines no wider than the terminal."""
    return "\n".join(textwrap.wrap(text, width()))


def number(value: float | None) -> str:
    """Four digits."""
    return "-" if value is None else f"{value:.4g}"
