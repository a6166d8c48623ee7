"""Tables of text."""

from __future__ import annotations

from collections.abc import Sequence

_ROUNDING = 1e-12


def aligned(rows: Sequence[Sequence[str]], left: int | None = 1, ruled: bool = False) -> list[str]:
    """Lines of a table: columns are as wide as their widest cell, two blanks apart, without blanks at the end.

    Args:
        rows: one string for each column; the headings are a row like the others.
        left: the first so many columns are flush left, the others right; None: all are flush left.
        ruled: a line of dashes below the first row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    flush_left = len(widths) if left is None else left
    if ruled:
        rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return [
        "  ".join(
            cell.ljust(width) if place < flush_left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def fitting(rows: Sequence[Sequence[str]], width: int, least: Sequence[str]) -> list[list[str]]:
    """The columns of a table that fit a width.

    Args:
        rows: the headings first.
        width: in characters.
        least: headings of columns that may go, those that go first in front.
    """
    table = [list(row) for row in rows]
    for heading in least:
        if sum(max(map(len, column)) + 2 for column in zip(*table, strict=True)) - 2 <= width:
            break
        place = table[0].index(heading)
        table = [[cell for at, cell in enumerate(row) if at != place] for row in table]
    return table


def with_error(value: float, error: float | None, scale: float = 1.0) -> str:
    """`value` times `scale` with its error in brackets, in units of the last digits: ``0.0573(21)``."""
    if not error or error < _ROUNDING * abs(value):
        return f"{value * scale:.4g}"
    value, error = value * scale, error * scale
    decimals = 1 - int(f"{error:.1e}".partition("e")[2])
    if decimals == -1:
        return f"{round(value, -1):.0f}({round(error, -1):.0f})"
    if not 0 <= decimals <= 8:
        return f"{value:.4e} +- {error:.1e}"
    return f"{value:.{decimals}f}({error * 10**decimals:.0f})"


def plus_minus(value: float, error: float) -> str:
    """`value` to the second digit of its error: ``162.8 +- 4.3``; without an error, where that is 0."""
    if not error:
        return f"{value:.6g}"
    decimals = 1 - int(f"{error:.1e}".partition("e")[2])
    if 0 <= decimals <= 8:
        return f"{value:.{decimals}f} +- {error:.{decimals}f}"
    if -4 <= decimals < 0:
        return f"{round(value, decimals):.0f} +- {round(error, decimals):.0f}"
    return f"{value:.4e} +- {error:.1e}"


def bytes_text(size: int) -> str:
    """A number of bytes in the unit that suits it, powers of 1000."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"
