"""Everything that a store holds, read and compared with its checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from ampcli.errors import IntegrityError, NotFoundError
from ampcli.objects import ObjectPath
from ampcli.store.features import damaged_arrays, stored_block
from ampcli.store.metadata import RESUME, ZARR, read_attributes
from ampcli.store.parts import BOOKS, missing_parts
from ampcli.store.plan import Plan
from ampcli.store.reader import open_store
from ampcli.store.record import (
    PLAN,
    NewerFormatError,
    PartRecord,
    checksums,
    finished_attributes,
    marker_file,
    part_records,
    read_marker,
    read_plan,
)
from ampcli.store.rows import check_layout, read_rows, sha256_of


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was written.

    Attributes:
        where: an array, a feature block's array or a file, relative to the store.
        part: of that array, from 1; None of what has no parts.
        why: what is wrong with it.
    """

    where: str
    part: int | None
    why: str

    @property
    def block(self) -> str | None:
        """The feature block that it is in."""
        words = self.where.split("/")
        return words[1] if words[0] == "features" and len(words) > 1 else None


@dataclass(frozen=True)
class Verified:
    """What was read of a store: parts with all their arrays, feature blocks, and what is damaged."""

    path: Path
    finished: bool
    parts: int
    blocks: list[str]
    damaged: list[Damage]


def verify(path: Path, on_rows: Callable[[int], None] = lambda rows: None) -> Verified:
    """Read all of a store: plan, attributes, markers, the parts that are done, and feature blocks.

    Raises:
        NotFoundError, UsageError: there is no store.
        IntegrityError: nobody can know what it should hold, or a newer ampcli wrote it.
        AmpcliError: it cannot be read (permission, the server), which is no damage.
    """
    damaged: list[Damage] = []
    plan = _plan(path, damaged)
    attributes: dict[str, Any] | None = None
    records: list[PartRecord] | None = None
    with _noted(ZARR, None, damaged):
        attributes = finished_attributes(path)
        if attributes is not None:
            records = part_records(path, plan, attributes)
        read_attributes(path)
    has_books = (path / BOOKS).is_dir()
    if has_books:
        with _noted(f"{BOOKS}/{ZARR}", None, damaged):
            read_attributes(path / BOOKS)
    for name in plan.arrays:
        with _noted(f"{name}/{ZARR}", None, damaged):
            check_layout(path, plan, name)
    done = range(plan.parts) if records is not None else sorted(set(range(plan.parts)) - set(missing_parts(path, plan)))
    for number in done:
        record = None if records is None else records[number]
        if has_books:
            with _noted(str(marker_file(path, number).relative_to(path)), None, damaged):
                marker = read_marker(path, plan, number).record
                if record is not None and marker.sha256 != record.sha256:
                    raise IntegrityError("it is the marker of other values")
                record = record or marker
        _check_arrays(path, plan, number, record, damaged)
        on_rows(plan.rows_of(number).stop - plan.rows_of(number).start)
    blocks = _blocks(path)
    if blocks:
        _check_blocks(path, blocks, damaged)
    return Verified(path, attributes is not None, len(done), blocks, damaged)


def _plan(path: Path, damaged: list[Damage]) -> Plan:
    """The plan among the books; where that is damaged, the one in the attributes.

    Raises:
        IntegrityError: both are damaged, or say different things.
    """
    plan: Plan | None = None
    try:
        plan = read_plan(path)
    except NewerFormatError:
        raise
    except IntegrityError as error:
        damaged.append(Damage(f"{BOOKS}/{PLAN}", None, error.what))
    attributes: dict[str, Any] | None = None
    with suppress(IntegrityError):
        attributes = finished_attributes(path)
    stored: Plan | None = None
    if attributes is not None:
        with suppress(pydantic.ValidationError):
            stored = Plan.model_validate(attributes.get("plan"))
    if plan is None and stored is None:
        raise IntegrityError(f"{path}: {damaged[0].why}", RESUME)
    if plan is not None and stored is not None and plan.content != stored.content:
        raise IntegrityError(f"{path}: its attributes and its plan disagree", RESUME)
    found = plan or stored
    assert found is not None
    return found


def _check_arrays(path: Path, plan: Plan, number: int, record: PartRecord | None, damaged: list[Damage]) -> None:
    arrays = {}
    for name in plan.arrays:
        with _noted(name, number + 1, damaged):
            arrays[name] = read_rows(path, plan, name, plan.rows_of(number))
            if record is not None and record.arrays is not None and sha256_of(arrays[name]) != record.arrays[name]:
                raise IntegrityError("its values are not those that were written there")
    if len(arrays) == len(plan.arrays) and record is not None and record.arrays is None:  # format 1
        with _noted("its arrays", number + 1, damaged):
            if checksums(arrays)[0] != record.sha256:
                raise IntegrityError("their values are not those that were written there")


def _blocks(path: Path) -> list[str]:
    """Names of the feature blocks that are there."""
    folder = path / "features"
    if isinstance(folder, ObjectPath):
        return sorted({name.split("/")[0] for name in folder.sizes() if name.endswith(f"/{ZARR}")})
    return sorted(entry.name for entry in folder.glob("*") if entry.is_dir() and not entry.name.startswith("."))


def _check_blocks(path: Path, blocks: list[str], damaged: list[Damage]) -> None:
    with _noted(f"features/{ZARR}", None, damaged):
        read_attributes(path / "features")
    try:
        store = open_store(path)
    except IntegrityError:  # said already, of the part of the store that features were computed from
        return
    for name in blocks:
        with _noted(f"features/{name}/{ZARR}", None, damaged):
            block = stored_block(store, name, arrays=False)
            for number in range(store.plan.parts):
                for key, error in damaged_arrays(store, block, number).items():
                    damaged.append(Damage(f"features/{name}/{key}", number + 1, error.what))


@contextmanager
def _noted(where: str, part: int | None, damaged: list[Damage]) -> Iterator[None]:
    """Write down what is damaged, and go on."""
    try:
        yield
    except NewerFormatError:
        raise
    except (IntegrityError, NotFoundError) as error:
        damaged.append(Damage(where, part, error.what))
    except (FileNotFoundError, NotADirectoryError) as error:
        damaged.append(Damage(where, part, f"there is no file {error.filename}"))
