"""Reading rows of an array so that nothing damaged passes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr
from zarr.core.sync import sync

from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, setting
from ampcli.files import require_ordinary
from ampcli.kinematics import FloatArray
from ampcli.objects import ObjectPath
from ampcli.store.metadata import ZARR, check_array, read_document, reading
from ampcli.store.plan import Plan
from ampcli.store.shards import read_shard
from ampcli.system_errors import NO_THREAD


def sha256_of(values: FloatArray) -> str:
    """SHA-256 of the values of an array, in hex: what parts of stores and feature blocks are known by."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def check_layout(path: Path, plan: Plan, name: str, row: Sequence[int] | None = None) -> None:
    """Make sure that the metadata of an array are what the plan says.

    Args:
        row: shape of a row; None for any, where the plan does not know it.

    Raises:
        NotFoundError: there is no such array.
        IntegrityError: its metadata are damaged.
    """
    try:
        check_array(
            path / name, plan.points, plan.shard_rows, plan.chunk_rows, plan.arrays.get(name, row), _repair(path, name)
        )
    except (FileNotFoundError, NotADirectoryError):
        if (path / name).is_dir():
            raise IntegrityError(f"the array {path / name} has no metadata", _repair(path, name)) from None
        raise NotFoundError(f"{path} has no array {name}", _repair(path, name)) from None


def read_rows(path: Path, plan: Plan, name: str, rows: slice) -> FloatArray:
    """Rows of an array as float64.

    Raises:
        AmpcliError: no permission to read them.
        NotFoundError: there is no such array.
        IntegrityError: its metadata or a chunk are damaged, truncated, missing or no files.
    """
    place, hint = f"{path}/{name}, rows {rows.start} to {rows.stop},", _repair(path, name)
    check_layout(path, plan, name)
    try:
        with reading(path / name, hint):
            numbers = range(rows.start // plan.shard_rows, -(-rows.stop // plan.shard_rows))
            whole = rows.start % plan.shard_rows == 0 and (rows.stop % plan.shard_rows == 0 or rows.stop == plan.points)
            if isinstance(path, ObjectPath):
                values = _of_objects(path, plan, name, rows)
            elif whole and name in plan.arrays:
                values = np.empty((rows.stop - rows.start, *plan.arrays[name]))
                for part in numbers:
                    file = shard_file(path, name, part, values.ndim)
                    require_ordinary(file)
                    start = part * plan.shard_rows - rows.start
                    read_shard(file, values[start : start + plan.shard_rows], plan.shard_rows, plan.chunk_rows)
            else:
                array = zarr.open_array(path / name, mode="r", zarr_format=3)
                for part in numbers:
                    file = shard_file(path, name, part, array.ndim)
                    require_ordinary(file)
                    file.open("rb").close()  # Zarr takes a file without permission for one that is missing
                values = np.asarray(array[rows], dtype=np.float64)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IntegrityError(f"{place} are missing: there is no file {error.filename}", hint) from None
    except (AmpcliError, OSError, MemoryError):
        raise
    except Exception as error:  # what Zarr and its codecs say about damaged chunks is of many types
        if str(error) == NO_THREAD:  # Zarr reads in threads
            raise
        sync(_settle())
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise IntegrityError(f"{place} cannot be read: {first}", hint) from None
    if np.isnan(values.reshape(len(values), -1)[:, 0]).any():
        raise IntegrityError(f"{place} are missing in part", hint)
    return values


def _of_objects(path: Path, plan: Plan, name: str, rows: slice) -> FloatArray:
    """Rows of an array in an object store: whole shards are read, so that what fails is known from what is damaged."""
    row = plan.arrays.get(name) or tuple(read_document(path / name / ZARR)["shape"][1:])
    first, last = rows.start // plan.shard_rows, -(-rows.stop // plan.shard_rows)
    start, stop = plan.rows_of(first).start, plan.rows_of(last - 1).stop
    values = np.empty((stop - start, *row))
    for part in range(first, last):
        file, begin = shard_file(path, name, part, values.ndim), part * plan.shard_rows - start
        read_shard(file, values[begin : begin + plan.shard_rows], plan.shard_rows, plan.chunk_rows)
    return values[rows.start - start : rows.stop - start]


def shard_file(path: Path, name: str, number: int, dimensions: int) -> Path:
    """The file of a part of an array."""
    return (path / name / "c" / str(number)).joinpath(*["0"] * (dimensions - 1))


async def _settle() -> None:
    """Wait for what else Zarr had begun to read; otherwise it complains about it when the process ends."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def _repair(path: Path, name: str) -> str:
    if name.startswith("features/"):
        return f"Make its features again with `ampcli features {path} {name.split('/')[1]} --replace`."
    return f"The store is damaged: run its `ampcli gen` command again with {setting('resume')}."
