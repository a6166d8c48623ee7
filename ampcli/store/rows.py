"""Reading rows of an array so that nothing damaged passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from ampcli.errors import IntegrityError, NotFoundError
from ampcli.kinematics import FloatArray


def read_rows(path: Path, name: str, rows: slice) -> FloatArray:
    """Rows of an array as float64.

    Raises:
        IntegrityError: a chunk is missing, truncated or fails its checksum.
    """
    try:
        values = np.asarray(zarr.open_array(path / name, mode="r")[rows], dtype=np.float64)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} has no array {name}: {error}") from None
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise IntegrityError(
            f"{path}/{name}, rows {rows.start} to {rows.stop}, cannot be read: {first}",
            f"The store is damaged: {_repair(path, name)}.",
        ) from None
    if np.isnan(values.reshape(len(values), -1)[:, 0]).any():
        raise IntegrityError(
            f"{path}/{name}: rows between {rows.start} and {rows.stop} are missing",
            f"The store is truncated: {_repair(path, name)}.",
        )
    return values


def _repair(path: Path, name: str) -> str:
    if name.startswith("features/"):
        return f"make its features again with `ampcli features {path} {name.split('/')[1]} --replace`"
    return "run its `ampcli gen` command again with --resume"
