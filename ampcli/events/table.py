"""Values that stand beside momenta in files of events."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ampcli.errors import NotFoundError, UsageError
from ampcli.events.lhe.values import read_values, value_names
from ampcli.events.npz import reading
from ampcli.kinematics import FloatArray


def column_names(path: Path) -> list[str]:
    """Names of the arrays of an npz file, or of the values of the first event of an event file.

    Raises:
        IntegrityError: a damaged file.
    """
    if not _is_npz(path):
        return value_names(path)
    with reading(path), np.load(path, allow_pickle=False) as archive:
        return list(archive.files)


def read_column(path: Path, name: str, events: int | None) -> FloatArray:
    """One value for each event: an array of an npz file, or ``<wgt id='NAME'>`` of an event file; (events,).

    Args:
        events: of an npz file; event files tell by being read.

    Raises:
        NotFoundError: no such array, or no such value in the first event.
        UsageError: an array of another shape or sort.
        IntegrityError: a damaged file.
    """
    if name not in (names := column_names(path)):
        write = f"numpy.savez(file, momenta=..., {name}=...)" if _is_npz(path) else f"<wgt id='{name}'> in each <rwgt>"
        raise NotFoundError(f"{path} has no {name}, only {', '.join(names[:10]) or 'momenta'}", f"Write {write}.")
    if not _is_npz(path):
        return read_values(path, name)
    with reading(path), np.load(path, allow_pickle=False) as archive:
        values = np.asarray(archive[name])
    if values.shape != (events,) or values.dtype.kind != "f":
        raise UsageError(
            f"{path}: {name} needs one floating-point number for each of the {events} events; it has the shape "
            f"{values.shape} and holds {values.dtype}",
            "Its order is that of the momenta.",
        )
    return values.astype(np.float64)


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and not path.is_dir()
