"""Values that stand beside momenta in npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ampcli.errors import NotFoundError, UsageError
from ampcli.events.npz import reading
from ampcli.kinematics import FloatArray


def column_names(path: Path) -> list[str]:
    """Names of the arrays of an npz file; of other files none.

    Raises:
        IntegrityError: a damaged file.
    """
    if path.is_dir() or path.suffix.lower() != ".npz":
        return []
    with reading(path), np.load(path, allow_pickle=False) as archive:
        return list(archive.files)


def read_column(path: Path, name: str, events: int) -> FloatArray:
    """An array of one value for each event, (events,).

    Raises:
        NotFoundError: no such array.
        UsageError: no npz file, or an array of another shape or sort.
        IntegrityError: a damaged file.
    """
    write = f"Write numpy.savez(file, momenta=..., {name}=...)."
    if path.is_dir() or path.suffix.lower() != ".npz":
        raise UsageError(f"{path} has no columns: these are arrays of npz files", write)
    with reading(path), np.load(path, allow_pickle=False) as archive:
        names = archive.files
        values = np.asarray(archive[name]) if name in names else None
    if values is None:
        raise NotFoundError(f"{path} has no array {name}, only {', '.join(names[:10])}", write)
    if values.shape != (events,) or values.dtype.kind != "f":
        raise UsageError(
            f"{path}: {name} needs one floating-point number for each of the {events} events; it has the shape "
            f"{values.shape} and holds {values.dtype}",
            "Its order is that of the momenta.",
        )
    return values.astype(np.float64)
