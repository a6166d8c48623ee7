"""What is known about the parts of a store: the markers that finished parts leave, and the attributes of the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.kinematics import FloatArray
from ampcli.objects import ObjectPath
from ampcli.records.base import Frozen
from ampcli.seal import SEAL, check_seal, sealed
from ampcli.store.metadata import RESUME, ZARR, read_attributes, read_document, write_document
from ampcli.store.plan import FORMAT_VERSION, Plan
from ampcli.store.rows import read_rows, sha256_of

BOOKS = ".ampcli"  # plan, markers and locks; a Zarr group, so that other readers of Zarr do not stumble over it
PLAN = "plan.json"
SAMPLE = "sample.json"  # the plan of a sample of many channels, each a store of its own (`ampcli.channels`)


class NewerFormatError(IntegrityError):
    """A newer ampcli wrote it: nothing here is damaged, and nothing may be repaired."""


class PartRecord(Frozen):
    """One part: its size, the points tried for it, and the checksums of its values.

    Attributes:
        rows: in the part.
        tried: points tried for them.
        exact: exact amplitudes computed for them, where this is counted.
        failed: points left out because the provider failed there.
    """

    rows: int = pydantic.Field(ge=1)
    tried: int = pydantic.Field(ge=1)
    sha256: str
    """Of the values of all arrays, one after the other."""
    arrays: dict[str, str] | None = None
    """Of the values of each array; stores of format 1 have none."""
    exact: int | None = None
    failed: int | None = None


class Marker(PartRecord):
    """What a finished part leaves behind, tied to its place and to its store."""

    part: int
    host: str
    plan: str | None = None
    """Digest of the store's plan."""

    @property
    def record(self) -> PartRecord:
        return PartRecord.model_validate(self.model_dump(include=set(PartRecord.model_fields)))


def checksums(arrays: Mapping[str, FloatArray]) -> tuple[str, dict[str, str]]:
    """SHA-256 of the values of a part's arrays, in the order of the plan: one after the other, and of each."""
    combined = hashlib.sha256()
    each: dict[str, str] = {}
    for name, values in arrays.items():
        combined.update(np.ascontiguousarray(values).data)
        # Momenta come first and are most of the bytes: they are not read twice.
        each[name] = sha256_of(values) if each else combined.hexdigest()
    return combined.hexdigest(), each


def read_part(path: Path, plan: Plan, number: int) -> dict[str, FloatArray]:
    """All arrays of a part.

    Raises:
        IntegrityError: it cannot be read.
    """
    return {name: read_rows(path, plan, name, plan.rows_of(number)) for name in plan.arrays}


def marker_file(path: Path, number: int) -> Path:
    return path / BOOKS / "parts" / f"{number:06d}.json"


def write_marker(path: Path, marker: Marker) -> None:
    """Write a part's marker; it is there whole or not at all."""
    write_document(marker_file(path, marker.part), sealed(marker.model_dump()))


def read_marker(path: Path, plan: Plan, number: int) -> Marker:
    """The marker of a part.

    Raises:
        FileNotFoundError: there is none.
        IntegrityError: it is damaged, or that of another part or store.
    """
    file = marker_file(path, number)
    document = read_document(file)
    if {SEAL, "arrays", "plan"} & set(document):  # markers of format 1 have none of these
        check_seal(document, file, RESUME)
    document.pop(SEAL, None)
    try:
        marker = Marker.model_validate(document)
    except pydantic.ValidationError as error:
        raise IntegrityError(f"{file} is damaged: {_first(error)}", RESUME) from None
    rows = plan.rows_of(number)
    if marker.plan not in (None, plan.digest()) or (marker.part, marker.rows) != (number, rows.stop - rows.start):
        raise IntegrityError(f"{file} is the marker of another part or store", RESUME)
    return marker


def read_plan(path: Path) -> Plan:
    """The plan of a store: that among its books, or of a finished store without books the one in its attributes.

    Raises:
        NotFoundError: no store there.
        UsageError: something else is there.
        IntegrityError: a plan that cannot be read, or of a newer format.
    """
    if not path.exists():
        raise NotFoundError(f"no store at {path}", "Make it with `ampcli gen`.")
    try:
        return plan_among_books(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    attributes = finished_attributes(path)
    if attributes is not None:
        return _plan(attributes.get("plan"), path / ZARR)
    if (path / BOOKS).is_dir():
        raise IntegrityError(f"{path} is not finished, and has no plan any more", RESUME)
    if (path / SAMPLE).exists():
        raise UsageError(f"{path} is a sample of many channels", f"Name the store of one, {path}/channels/CHANNEL.")
    raise UsageError(f"{path} is not a store of ampcli", "Choose another name, or move it away.")


def plan_among_books(path: Path) -> Plan:
    """The plan that was written first.

    Raises:
        FileNotFoundError: it is not there.
        IntegrityError: it cannot be read, or is of a newer format.
    """
    file = path / BOOKS / PLAN
    return _plan(read_document(file), file)


def create_plan(path: ObjectPath, plan: Plan) -> None:
    """Write the plan of a new store, unless another process has written one."""
    document = json.dumps(sealed(plan.model_dump(mode="json")), indent=2)
    ObjectPath(path / BOOKS / PLAN).create(document.encode())


def write_plan(path: Path, plan: Plan) -> None:
    write_document(path / BOOKS / PLAN, sealed(plan.model_dump(mode="json")))


def _plan(document: Any, where: Path) -> Plan:
    if not isinstance(document, dict):
        raise IntegrityError(f"the plan in {where} is damaged", RESUME)
    check_format(document, where)
    if where.name == PLAN and (document["format_version"] > 1 or SEAL in document):  # attributes have their own seal
        check_seal(document, where, RESUME)
    try:
        return Plan.model_validate({key: value for key, value in document.items() if key != SEAL})
    except pydantic.ValidationError as error:
        raise IntegrityError(f"the plan in {where} is damaged: {_first(error)}", RESUME) from None


def check_format(document: Mapping[str, Any], where: Path) -> None:
    """Refuse what a newer ampcli wrote, before anything else is believed.

    Raises:
        IntegrityError: a newer format, or none.
    """
    version = document.get("format_version")
    if not isinstance(version, int):
        raise IntegrityError(f"{where} is damaged: it has no format version", RESUME)
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{where} has the store format {version}, newer than this ampcli knows", "Upgrade ampcli."
        )


def finished_attributes(path: Path) -> dict[str, Any] | None:
    """The attributes of a finished store, None of an unfinished one or of something else.

    Raises:
        IntegrityError: they are damaged, or of a newer format.
    """
    try:
        attributes = read_attributes(path).get("ampcli")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if attributes is None:
        return None
    where = path / ZARR
    if not isinstance(attributes, dict):
        raise IntegrityError(f"{where} is damaged: its attributes are no object", RESUME)
    check_format(attributes, where)
    if attributes["format_version"] > 1 or {SEAL, "parts"} & set(attributes):
        check_seal(attributes, where, RESUME)
    return attributes


def part_records(path: Path, plan: Plan, attributes: Mapping[str, Any]) -> list[PartRecord]:
    """What the attributes of a finished store say about its parts; `tried` and the digest must follow from it.

    Stores of format 1 have them in their markers; without these the arrays are read once and compared with the digest.

    Raises:
        IntegrityError: they contradict each other.
    """
    where = path / ZARR
    try:
        if "parts" in attributes:
            records = [PartRecord.model_validate(entry) for entry in attributes["parts"]]
        elif (path / BOOKS / "parts").is_dir():
            records = [read_marker(path, plan, number).record for number in range(plan.parts)]
        else:
            records = _from_arrays(path, plan, int(attributes["tried"]))
    except (pydantic.ValidationError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise IntegrityError(f"{where} is damaged: {_first(error)}", RESUME) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IntegrityError(f"{path} lacks the marker {error.filename}", RESUME) from None
    sizes = [rows.stop - rows.start for rows in map(plan.rows_of, range(plan.parts))]
    named = all(record.arrays is None or set(record.arrays) == set(plan.arrays) for record in records)
    if [record.rows for record in records] != sizes or not named:
        raise IntegrityError(f"{where}: its parts and its plan disagree", RESUME)
    if attributes.get("tried") != sum(record.tried for record in records):
        raise IntegrityError(f"{where}: the number of points tried is not that of its parts", RESUME)
    if attributes.get("digest") != plan.digest([record.sha256 for record in records]):
        raise IntegrityError(f"{where}: its digest does not follow from its plan and parts", RESUME)
    return records


def _from_arrays(path: Path, plan: Plan, tried: int) -> list[PartRecord]:
    """Records of the parts of a store of format 1 that lost its markers; only the digest judges them."""
    records = []
    for number in range(plan.parts):
        arrays = read_part(path, plan, number)
        rows = len(arrays["amplitude"])
        share = tried - (plan.parts - 1) if number == 0 else 1  # only the sum is known, and used
        combined, each = checksums(arrays)
        records.append(PartRecord(rows=rows, tried=share, sha256=combined, arrays=each))
    return records


def _first(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return f"{type(error).__name__} {error}"
