"""Plots without their pictures: drawing takes longer than all that most commands do besides.

Pictures are drawn by tests/unit/test_plots.py, and by tests/integration/test_chain.py for every command that has some.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from matplotlib.figure import Figure

HEADS = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b'<svg viewBox="0 0 7 5"></svg>'}


@contextmanager
def undrawn() -> Iterator[None]:
    """For a while, files of plots hold the beginning of their format alone; the numbers behind them are all there."""

    def write(figure: Figure, file: Path | BytesIO, **options: object) -> None:
        if isinstance(file, BytesIO):
            file.write(HEADS[str(options["format"])])
        else:
            file.write_bytes(HEADS[file.suffix[1:]])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", write)
        yield
