"""A store that is being written: its plan, its parts and their markers.

Parts are written by any number of processes at once.  Workers never touch attributes: a finished part leaves a
marker file; `ampcli.store.finalise` checks every part against its marker and writes the attributes last.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.files import drafted, file_names, remove_all_drafts
from ampcli.kinematics import FloatArray
from ampcli.locks import locked
from ampcli.objects import ObjectPath
from ampcli.obstacles import clear, clear_unless_file, clear_unless_folder, make_folder, make_way
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
    Marker,
    NewerFormatError,
    PartRecord,
    checksums,
    create_plan,
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
    if isinstance(path, ObjectPath):  # the plan appears in one step, and all else follows from it
        create_plan(path, plan)
        join(path, plan)
        return
    with drafted(path) as draft:
        write_group(draft, {})
        for name in plan.arrays:
            (draft / name).mkdir()
            _write_layout(draft, plan, name)
        _make_books(draft)
        write_plan(draft, plan)
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
    if not isinstance(path, ObjectPath):
        _make_folders(books)
    if not _is_group(books):
        write_group(books, {})


def _make_folders(books: Path) -> None:
    for folder in (books, *(books / name for name in _FOLDERS)):
        clear_unless_folder(folder)
        folder.mkdir(exist_ok=True)
    for entry in books.iterdir():
        if entry.name not in _FOLDERS and not entry.is_file():
            clear(entry)


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
        make_folder(path / name, path)
        clear_unless_folder(path / name / "c")
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
        markers = marker_file(path, 0).parent
        for file in (markers / name for name in sorted(file_names(markers)) if name.endswith(".json")):
            if _says_another_plan(file, plan):
                raise
        return plan


def _says_another_plan(marker: Path, plan: Plan) -> bool:
    try:
        return read_document(marker).get("plan") != plan.digest()
    except (IntegrityError, FileNotFoundError):
        return False


def lock_file(path: Path, name: str) -> Path:
    """The lock of a store that has this name: of a part its number, with six digits."""
    return path / BOOKS / "locks" / f"{name}.lock"


@contextmanager
def holding(path: Path, name: str, busy: str, timeout: float = 0) -> Iterator[None]:
    """Hold a lock of a store.

    Args:
        busy: what it means that another process holds it; timeout: in seconds, -1 for ever.

    Raises:
        LockedError: another process holds it.
        AmpcliError: the disk has no locks.
    """
    file = lock_file(path, name)
    if not isinstance(file, ObjectPath):
        if not file.parent.is_dir():
            _make_books(path)
        clear_unless_file(file)
    with locked(file, busy, "Wait for the other process, and run the same command again.", timeout):
        yield


def working(path: Path, number: int, timeout: float = 0) -> AbstractContextManager[None]:
    """Hold a part: who else asks knows that it is in work.

    Raises:
        LockedError: another process is working at it.
    """
    busy = f"part {number + 1} of {path} is being written by another process"
    return holding(path, f"{number:06d}", busy, timeout)


def parts_in_work(path: Path) -> set[int]:
    """Parts that processes hold, or held when they died."""
    names = {name.removesuffix(".lock") for name in file_names(lock_file(path, "").parent) if name.endswith(".lock")}
    return {int(name) for name in names if name.isdecimal()}


def write_part(path: Path, plan: Plan, number: int, part: Part) -> None:
    """Write one part and leave its marker.

    Raises:
        LockedError: another process is writing this part.
    """
    with working(path, number):
        put_part(path, plan, number, part)


def put_part(path: Path, plan: Plan, number: int, part: Part) -> None:
    """The same, while it is held (`working`).

    Raises:
        IntegrityError: the store is finished, and has other values there; nothing is written.
    """
    rows, arrays, record = plan.rows_of(number), part.arrays, part.record(plan)
    known = finished_records(path, plan)
    if known is not None and known[number].sha256 != record.sha256:
        raise other_values(path)
    for name in plan.arrays:
        values = arrays[name]
        if values.shape != (rows.stop - rows.start, *plan.arrays[name]):
            raise ValueError(f"{name} of part {number + 1} has the shape {values.shape}")
        file = shard_file(path, name, number, values.ndim)
        make_way(file, path)
        write_shard(file, values, plan.shard_rows, plan.chunk_rows)
    _leave_marker(path, plan, number, record)


def other_values(path: Path) -> IntegrityError:
    """Why a part is not written into a finished store."""
    return IntegrityError(
        f"{path} was finished with other values: parts that were made again differ from the lost ones",
        "Another processor may round differently: repair it where it was made, or make a new store.",
    )


def _leave_marker(path: Path, plan: Plan, number: int, record: PartRecord) -> None:
    marker = Marker(**record.model_dump(), part=number, host=socket.gethostname(), plan=plan.digest())
    write_marker(path, marker)


def remove_all_leftovers(path: Path, plan: Plan) -> None:
    """Remove what killed processes left in a store."""
    if isinstance(path, ObjectPath):  # objects appear whole
        return
    for folder in (path, path / BOOKS, *(path / BOOKS / name for name in _FOLDERS)):
        remove_all_drafts(folder)
    for name in plan.arrays:
        for folder in (path / name, *(parent for parent in (path / name / "c").rglob("*") if parent.is_dir())):
            remove_all_drafts(folder)
        remove_all_drafts(path / name / "c")


def missing_parts(path: Path, plan: Plan) -> list[int]:
    """Parts that have no marker yet."""
    there = file_names(marker_file(path, 0).parent)
    return [number for number in range(plan.parts) if marker_file(path, number).name not in there]


def has_marker(path: Path, number: int) -> bool:
    """Whether a part is done."""
    return marker_file(path, number).is_file()
