"""Tables of text."""

from __future__ import annotations

from collections.abc import Sequence


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
