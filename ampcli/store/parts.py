"""A store that is being written: its plan, its parts and their markers.

Parts are written by any number of processes at once.  Workers never touch attributes: a finished part leaves a
marker file; `ampcli.store.finalise` checks every part against its marker and writes the attributes last.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import zarr
from zarr.codecs import ZstdCodec

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.kinematics import FloatArray
from ampcli.locks import locked
from ampcli.store.plan import Plan

BOOKS = ".ampcli"  # plan, markers and locks; a Zarr group, so that other readers of Zarr do not stumble over it


@dataclass
class Part:
    """Rows of a store, and how many points were tried to get them."""

    momenta: FloatArray
    amplitude: FloatArray
    weight: FloatArray
    tried: int
    x: FloatArray | None = None
    """Momentum fractions (n, 2), of hadron beams."""
    exact: int | None = None
    """Exact amplitudes that it took, where they were counted."""

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for array in (self.momenta, self.amplitude, self.weight, self.x):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class Marker(pydantic.BaseModel):
    """What a finished part leaves behind."""

    part: int
    rows: int
    tried: int
    sha256: str
    host: str
    exact: int | None = None


def compressors() -> list[Any]:
    """Zstandard with its checksum: a flipped byte is an error at reading.

    Level -1: mantissas do not compress (level 1 saves 4 %), and it writes and reads twice as fast.
    """
    return [ZstdCodec(level=-1, checksum=True)]


def initialise(path: Path, plan: Plan) -> None:
    """Create the empty store of `plan` in one step: it appears whole or not at all.

    Raises:
        UsageError: something else is there.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        group = zarr.create_group(draft, zarr_format=3)
        for name, trailing in plan.arrays.items():
            group.create_array(
                name,
                shape=(plan.points, *trailing),
                chunks=(plan.chunk_rows, *trailing),
                shards=(plan.shard_rows, *trailing),
                dtype="f8",
                fill_value=np.nan,  # rows that were never written read as NaN, which readers refuse
                compressors=compressors(),
            )
        group.create_group(BOOKS)
        (draft / BOOKS / "parts").mkdir()
        (draft / BOOKS / "locks").mkdir()
        (draft / BOOKS / "plan.json").write_text(plan.model_dump_json(indent=2))
        with locked(draft / BOOKS / "locks" / "000000.lock", f"{draft} is in use", "Try again."):
            pass  # a disk without locks shows here, and leaves no empty store
        try:
            draft.rename(path)
        except OSError:
            if not path.exists():
                raise
            join(path, plan)  # another process was quicker: fine if it wants the same store
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_plan(path: Path) -> Plan:
    """The plan of a store.

    Raises:
        NotFoundError: no store there.
        IntegrityError: a plan that cannot be read, or of a newer format.
    """
    if not path.exists():
        raise NotFoundError(f"no store at {path}", "Make it with `ampcli gen`.")
    file = path / BOOKS / "plan.json"
    if not file.is_file():
        raise UsageError(f"{path} is not a store of ampcli", "Choose another name, or move it away.")
    try:
        content = json.loads(file.read_text())
        if content["format_version"] > Plan.model_fields["format_version"].default:
            raise IntegrityError(
                f"{path} has the store format {content['format_version']}, newer than this ampcli knows",
                "Upgrade ampcli.",
            )
        return Plan.model_validate(content)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{file} is damaged: {error}", "Generate the store again.") from None


def join(path: Path, plan: Plan) -> None:
    """Make sure that the store at `path` is the one of `plan`.

    Raises:
        UsageError: it holds something else, naming the differences.
    """
    if differences := plan.differences(read_plan(path)):
        raise UsageError(
            f"{path} holds something else: " + "; ".join(differences),
            "Choose another name for the new store, or remove the old one.",
        )


def write_part(path: Path, plan: Plan, number: int, part: Part) -> None:
    """Write one part and leave its marker.

    Raises:
        LockedError: another process is writing this part.
    """
    rows = plan.rows_of(number)
    with locked(
        path / BOOKS / "locks" / f"{number:06d}.lock",
        f"part {number + 1} of {path} is being written by another process",
        "Give every process its own --part, or wait for the other one.",
    ):
        for name in plan.arrays:
            _remove_shard(path / name / "c" / str(number))
            # Looking for chunks of nothing but fill values costs a pass over data that have none.
            array = zarr.open_array(path / name, mode="r+", config={"write_empty_chunks": True})
            array[rows] = getattr(part, name)
        marker = Marker(
            part=number,
            rows=len(part.amplitude),
            tried=part.tried,
            sha256=part.sha256(),
            host=socket.gethostname(),
            exact=part.exact,
        )
        write_atomically(marker_file(path, number), marker.model_dump_json())


def _remove_shard(place: Path) -> None:
    # Zarr reads the index of a shard before it writes over it, and a torn shard would make that fail.
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def write_atomically(file: Path, text: str) -> None:
    """Write a small file so that readers see it whole or not at all.

    It is not forced to the disk: that would wait for the arrays too, and what a power failure takes is found by the
    checksums when the store is finalised or read.
    """
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.write_text(text)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def marker_file(path: Path, number: int) -> Path:
    return path / BOOKS / "parts" / f"{number:06d}.json"


def missing_parts(path: Path, plan: Plan) -> list[int]:
    """Parts that have no marker yet."""
    return [number for number in range(plan.parts) if not marker_file(path, number).is_file()]


def forget_part(path: Path, number: int) -> None:
    """Remove a part's marker, so that the next run writes it again."""
    marker_file(path, number).unlink(missing_ok=True)
