"""The end of writing a store: every part is checked, then statistics, digest and attributes are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic

import ampcli
from ampcli.errors import IntegrityError, setting
from ampcli.kinematics import FloatArray
from ampcli.seal import sealed
from ampcli.store.metadata import read_attributes, write_group
from ampcli.store.parts import finished_records, holding, other_values, remove_all_leftovers
from ampcli.store.plan import FORMAT_VERSION, Plan
from ampcli.store.record import (
    PartRecord,
    checksums,
    finished_attributes,
    read_marker,
    read_part,
    read_plan,
    write_plan,
)


class PartSums(pydantic.BaseModel):
    """Sums from which a store's statistics follow."""

    amplitude_min: float
    amplitude_max: float
    sum_f: float  # f = weight x amplitude
    sum_f2: float

    @classmethod
    def of(cls, amplitude: FloatArray, weight: FloatArray) -> PartSums:
        f = weight * amplitude
        return cls(
            amplitude_min=float(amplitude.min()),
            amplitude_max=float(amplitude.max()),
            sum_f=float(f.sum()),
            sum_f2=float((f * f).sum()),
        )


def check_part(path: Path, plan: Plan, number: int) -> tuple[PartRecord, PartSums]:
    """Read a part back and compare it with its marker.

    Raises:
        IntegrityError: they differ, or the part or its marker cannot be read.
    """
    marker = read_marker(path, plan, number)
    arrays = read_part(path, plan, number)
    combined, each = checksums(arrays)
    found = marker.record.model_copy(update={"sha256": combined, "arrays": each})
    if found.sha256 != marker.sha256 or marker.arrays not in (None, found.arrays):
        raise IntegrityError(
            f"part {number + 1} of {plan.parts} of {path} does not match its checksum",
            f"Run the same `ampcli gen` with {setting('resume')}: it writes damaged parts again.",
        )
    return found, PartSums.of(arrays["amplitude"], arrays["weight"])


def finalise(
    path: Path,
    plan: Plan,
    check_all: Callable[[Iterable[int]], Iterable[tuple[PartRecord, PartSums]]],
    drawn: Callable[[], Mapping[str, Any]] = dict,
) -> dict[str, Any]:
    """Check every part, then write statistics, digest and attributes; returns the attributes.

    The attributes of a finished store of this format stay as they are.  Of several processes that find all parts there
    one does it, and the others wait for that.

    Args:
        check_all: maps `check_part` over part numbers, in order (serially or over workers).
        drawn: further attributes, on how the points were drawn; asked for once all parts are known to be sound.

    Raises:
        IntegrityError: a part does not match its marker, or the store was finished already with other values.
    """
    before = _finished(path, plan)
    with holding(path, "finalise", f"{path} is being finished by another process", timeout=-1):
        known = _finished(path, plan)
        if known is not None and before is None and "parts" in known:
            return known  # by another process, while this one waited
        checked = list(check_all(range(plan.parts)))
        remove_all_leftovers(path, plan)
        attributes = _attributes(plan, [record for record, _ in checked], [sums for _, sums in checked], drawn())
        if known is not None and known["digest"] != attributes["digest"]:
            raise other_values(path)
        if known is not None and "parts" in known:
            return known
        write_group(path, read_attributes(path) | {"ampcli": attributes})
        if read_plan(path).format_version != FORMAT_VERSION:
            write_plan(path, plan)
    return attributes


def _finished(path: Path, plan: Plan) -> dict[str, Any] | None:
    """The attributes of a store that was finished before; None where they are damaged and have to be written again."""
    if finished_records(path, plan) is None:
        return None
    return finished_attributes(path)


def _attributes(
    plan: Plan, records: list[PartRecord], sums: list[PartSums], drawn: Mapping[str, Any]
) -> dict[str, Any]:
    tried = sum(record.tried for record in records)
    mean = sum(s.sum_f for s in sums) / tried
    variance = max(sum(s.sum_f2 for s in sums) / tried - mean**2, 0.0)
    attributes: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "plan": plan.model_dump(mode="json") | {"format_version": FORMAT_VERSION},
        "digest": plan.digest([record.sha256 for record in records]),
        "tried": tried,
        "statistics": {
            "amplitude_min": min(s.amplitude_min for s in sums),
            "amplitude_max": max(s.amplitude_max for s in sums),
            "mean_weighted_amplitude": mean,
            "mean_weighted_amplitude_error": (variance / tried) ** 0.5,
            # Kish: as many events of equal weight would fix a cross section as well
            "effective_points": sum(s.sum_f for s in sums) ** 2 / sum(s.sum_f2 for s in sums),
        },
        "ampcli_version": ampcli.__version__,
        "parts": [record.model_dump(exclude_none=True) for record in records],
        **drawn,
    }
    counted = [record.exact for record in records if record.exact is not None]
    if len(counted) == len(records):
        attributes["exact_amplitudes"] = sum(counted)
    if failed := sum(record.failed or 0 for record in records):
        attributes["failed_points"] = failed
    return sealed(attributes)
