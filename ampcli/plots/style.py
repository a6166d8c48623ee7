"""The look of all plots, and how a plot and the numbers behind it reach the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import mplhep
from matplotlib.figure import Figure

from ampcli.files import drafted

_OURS: dict[Any, Any] = {
    "font.size": 15,
    "axes.linewidth": 1.2,
    "xtick.major.size": 8,
    "ytick.major.size": 8,
    "xtick.minor.size": 4,
    "ytick.minor.size": 4,
    "legend.fontsize": 13,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "pdf.fonttype": 42,  # embed fonts as text, so that labels stay searchable and editable
}


@contextmanager
def style() -> Iterator[None]:
    """mplhep's ROOT style, sized for a page.  Draw and save inside; matplotlib's settings come back after."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(mplhep.style.ROOT)
        matplotlib.rcParams.update(_OURS)
        yield


def save(figure: Figure, numbers: Mapping[str, object], folder: Path, name: str) -> list[Path]:
    """Write NAME.png, NAME.pdf and NAME.json (the numbers behind it) into `folder`; returns their paths.

    They are written into a hidden folder first and renamed, so that a failure leaves older files whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{kind}" for kind in ("png", "pdf", "json")]
    with drafted(folder / name) as hidden:
        png, pdf, document = (hidden / path.name for path in paths)
        document.write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n")
        figure.savefig(png)
        figure.savefig(pdf, metadata={"CreationDate": None})  # the same numbers give the same file
        for part, path in zip((png, pdf, document), paths, strict=True):
            os.replace(part, path)
    return paths
