"""A store that is being written: its plan, its parts and their markers.

Parts are written by any number of processes at once.  Workers never touch attributes: a finished part leaves a
marker file; `ampcli.store.finalise` checks every part against its marker and writes the attributes last.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ampcli.errors import IntegrityError, LockedError, NotFoundError, UsageError
from ampcli.files import clear, drafted, remove_drafts
from ampcli.kinematics import FloatArray
from ampcli.locks import locked
from ampcli.store.metadata import (
    ZARR,
    array_document,
    read_attributes,
    read_document,
    write_document,
    write_group,
)
from ampcli.store.plan import Plan
from ampcli.store.record import BOOKS as BOOKS
from ampcli.store.record import (
    PLAN,
    Marker,
    NewerFormatError,
    PartRecord,
    checksums,
    finished_attributes,
    marker_file,
    part_records,
    plan_among_books,
    read_marker,
    read_plan,
    write_marker,
    write_plan,
)
from ampcli.store.rows import check_layout, shard_file
from ampcli.store.shards import write_shard

_FOLDERS = ("parts", "locks")


@dataclass
class Part:
    """Rows of a store, and how many points were tried to get them."""

    momenta: FloatArray
    amplitude: FloatArray
    weight: FloatArray
    tried: int
    exact: int | None = None
    """Exact amplitudes that it took, where they were counted."""
    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    """What these collisions have besides (`Collisions.arrays`)."""
    failed: int | None = None
    """Points that were left out because the provider failed there, where that was asked for."""

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """All that is written, by name."""
        return {"momenta": self.momenta, "amplitude": self.amplitude, "weight": self.weight, **self.columns}

    def record(self, plan: Plan) -> PartRecord:
        arrays = self.arrays
        combined, each = checksums({name: arrays[name] for name in plan.arrays})
        return PartRecord(
            rows=len(self.amplitude),
            tried=self.tried,
            sha256=combined,
            arrays=each,
            exact=self.exact,
            failed=self.failed,
        )


def initialise(path: Path, plan: Plan) -> None:
    """Create the empty store of `plan` in one step: it appears whole or not at all.

    Raises:
        UsageError: something else is there.
    """
    with drafted(path) as draft:
        write_group(draft, {})
        for name in plan.arrays:
            (draft / name).mkdir()
            _write_layout(draft, plan, name)
        _make_books(draft)
        write_plan(draft, plan)
        with _holding_part(draft, 0):
            pass  # a disk without locks shows here, and leaves no empty store
        try:
            draft.rename(path)
        except OSError:
            if not path.exists():
                raise
            join(path, plan)  # another process was quicker: fine if it wants the same store


def _write_layout(path: Path, plan: Plan, name: str) -> None:
    row = plan.arrays[name]
    write_document(path / name / ZARR, array_document(plan.points, plan.shard_rows, plan.chunk_rows, row))


def _make_books(path: Path) -> None:
    books = path / BOOKS
    for folder in (books, *(books / name for name in _FOLDERS)):
        if not folder.is_dir():
            clear(folder)
            folder.mkdir(exist_ok=True)
    for entry in books.iterdir():
        if entry.name not in _FOLDERS and not entry.is_file():
            clear(entry)
    if not _is_group(books):
        write_group(books, {})


def _is_group(folder: Path) -> bool:
    try:
        read_attributes(folder)
    except (IntegrityError, FileNotFoundError):
        return False
    return True


def require_same(path: Path, plan: Plan) -> None:
    """Make sure that the store at `path` is the one of `plan`.

    Raises:
        UsageError: it holds something else, naming the differences.
        IntegrityError: what it holds cannot be known any more, or is of a newer format.
    """
    if differences := plan.differences(_known_plan(path, plan)):
        raise UsageError(
            f"{path} holds something else: " + "; ".join(differences),
            "Choose another name for the new store, or remove the old one.",
        )


def join(path: Path, plan: Plan) -> None:
    """`require_same`, and write again what follows from the plan alone.

    Damaged metadata of arrays and groups, books that are missing, and of a finished store the markers, are written
    again from the plan and the sealed attributes.

    Raises:
        UsageError, IntegrityError: as `require_same`.
    """
    require_same(path, plan)
    _make_books(path)
    try:
        plan_among_books(path)
    except (IntegrityError, FileNotFoundError):
        write_plan(path, plan)
    if not _is_group(path):
        write_group(path, {})
    for name in plan.arrays:
        if not (path / name).is_dir():
            clear(path / name)
            (path / name).mkdir()
        if not (path / name / "c").is_dir():
            clear(path / name / "c")
        try:
            check_layout(path, plan, name)
        except (IntegrityError, NotFoundError):
            _write_layout(path, plan, name)
    for number, record in enumerate(finished_records(path, plan) or ()):
        try:
            known = read_marker(path, plan, number).record == record
        except (IntegrityError, FileNotFoundError):
            known = False
        if not known:
            _leave_marker(path, plan, number, record)


def finished_records(path: Path, plan: Plan) -> list[PartRecord] | None:
    """What the attributes of a finished store of this plan say of its parts; None where they are missing or damaged."""
    try:
        attributes = finished_attributes(path)
        if attributes is None or Plan.model_validate(attributes.get("plan")).content != plan.content:
            return None
        return part_records(path, plan, attributes)
    except NewerFormatError:
        raise
    except (IntegrityError, NotFoundError, ValueError):
        return None


def _known_plan(path: Path, plan: Plan) -> Plan:
    """The plan of the store at `path`; where it is damaged, `plan`, if no part says that it was another one."""
    try:
        return read_plan(path)
    except NewerFormatError:
        raise
    except IntegrityError:
        for file in sorted((path / BOOKS / "parts").glob("*.json")):
            if _says_another_plan(file, plan):
                raise
        return plan


def _says_another_plan(marker: Path, plan: Plan) -> bool:
    try:
        return read_document(marker).get("plan") != plan.digest()
    except (IntegrityError, FileNotFoundError):
        return False


@contextmanager
def holding(path: Path, name: str, busy: str, timeout: float = 0) -> Iterator[None]:
    """Hold a lock of a store.

    Args:
        busy: what it means that another process holds it; timeout: in seconds, -1 for ever.

    Raises:
        LockedError: another process holds it.
        AmpcliError: the disk has no locks.
    """
    file = path / BOOKS / "locks" / f"{name}.lock"
    if not file.parent.is_dir():
        _make_books(path)
    if file.is_symlink() or not file.is_file():
        clear(file)
    with locked(file, busy, "Wait for the other process, and run the same command again.", timeout):
        yield


def write_part(path: Path, plan: Plan, number: int, part: Part) -> None:
    """Write one part and leave its marker.

    Raises:
        LockedError: another process is writing this part.
    """
    rows, arrays = plan.rows_of(number), part.arrays
    with _holding_part(path, number):
        remove_leftovers(path, plan, number)
        for name in plan.arrays:
            values = arrays[name]
            if values.shape != (rows.stop - rows.start, *plan.arrays[name]):
                raise ValueError(f"{name} of part {number + 1} has the shape {values.shape}")
            shard = shard_file(path, name, number, values.ndim)
            _clear_way(path / name / "c" / str(number), shard)
            write_shard(shard, values, plan.shard_rows, plan.chunk_rows)
        _leave_marker(path, plan, number, part.record(plan))


def _clear_way(place: Path, shard: Path) -> None:
    """Remove whatever stands at the place of a part, but for its shard, which the new one replaces in one step.

    Another process may have written that shard, and others may be reading it.
    """
    if place == shard:
        if place.is_dir():
            clear(place)
    elif place.is_symlink() or not place.is_dir():
        clear(place)
    else:
        for entry in place.iterdir():
            if entry == shard or entry in shard.parents:
                _clear_way(entry, shard)
            else:
                clear(entry)


def _holding_part(path: Path, number: int) -> AbstractContextManager[None]:
    return holding(path, f"{number:06d}", f"part {number + 1} of {path} is being written by another process")


def _leave_marker(path: Path, plan: Plan, number: int, record: PartRecord) -> None:
    marker = Marker(**record.model_dump(), part=number, host=socket.gethostname(), plan=plan.digest())
    write_marker(path, marker)


def remove_leftovers(path: Path, plan: Plan, number: int) -> None:
    """Remove what killed processes left of a part; the caller holds its lock."""
    remove_drafts(marker_file(path, number))
    for name in plan.arrays:
        for draft in (path / name / "c").glob(f"{number}.*.partial"):  # of Zarr
            clear(draft)


def remove_all_leftovers(path: Path, plan: Plan) -> None:
    """Remove what killed processes left in a store, except where others are at work."""
    for number in _with_leftovers(path, plan):
        with suppress(LockedError), _holding_part(path, number):
            remove_leftovers(path, plan, number)
    for folder in (path, path / BOOKS, *(path / name for name in plan.arrays)):
        remove_drafts(folder / ZARR)
    remove_drafts(path / BOOKS / PLAN)


def _with_leftovers(path: Path, plan: Plan) -> list[int]:
    """Parts of which something may be left; each folder is read once, not once for each part."""
    drafts = [(path / BOOKS / "parts", re.compile(r"\.(\d+)\.json-.*"))]
    drafts += [(path / name / "c", re.compile(r"(\d+)\..*\.partial")) for name in plan.arrays]
    found: set[int] = set()
    for folder, pattern in drafts:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            found |= {int(match[1]) for entry in entries if (match := pattern.fullmatch(entry.name))}
    return sorted(found)


def missing_parts(path: Path, plan: Plan) -> list[int]:
    """Parts that have no marker yet."""
    return [number for number in range(plan.parts) if not marker_file(path, number).is_file()]


def forget_part(path: Path, number: int) -> None:
    """Remove a part's marker, so that the next run writes it again."""
    clear(marker_file(path, number))
