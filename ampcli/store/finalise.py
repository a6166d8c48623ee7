"""The end of writing a store: every part is checked, then statistics, digest and attributes are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic
import zarr

import ampcli
from ampcli.errors import IntegrityError
from ampcli.locks import locked
from ampcli.store.parts import BOOKS, Marker, Part, marker_file
from ampcli.store.plan import Plan
from ampcli.store.rows import read_rows


class PartSums(pydantic.BaseModel):
    """Sums from which a store's statistics follow."""

    amplitude_min: float
    amplitude_max: float
    sum_f: float  # f = weight x amplitude
    sum_f2: float

    @classmethod
    def of(cls, part: Part) -> PartSums:
        f = part.weight * part.amplitude
        return cls(
            amplitude_min=float(part.amplitude.min()),
            amplitude_max=float(part.amplitude.max()),
            sum_f=float(f.sum()),
            sum_f2=float((f * f).sum()),
        )


def check_part(path: Path, plan: Plan, number: int) -> tuple[Marker, PartSums]:
    """Read a part back and compare it with its marker.

    Raises:
        IntegrityError: they differ, or the part cannot be read.
    """
    try:
        marker = Marker.model_validate_json(marker_file(path, number).read_text())
    except ValueError as error:
        raise IntegrityError(f"the marker of part {number + 1} of {path} is damaged: {error}") from None
    rows = plan.rows_of(number)
    arrays = {name: read_rows(path, name, rows) for name in plan.arrays}
    part = Part(arrays["momenta"], arrays["amplitude"], arrays["weight"], marker.tried, arrays.get("x"))
    if marker.sha256 != part.sha256() or marker.rows != len(part.amplitude):
        raise IntegrityError(
            f"part {number + 1} of {plan.parts} of {path} does not match its checksum",
            "Run the same `ampcli gen` with --resume: it writes damaged parts again.",
        )
    return marker, PartSums.of(part)


def finalise(
    path: Path,
    plan: Plan,
    check_all: Callable[[Iterable[int]], Iterable[tuple[Marker, PartSums]]],
    drawn: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Check every part, then write statistics, digest and attributes; returns the attributes.

    Args:
        check_all: maps `check_part` over part numbers, in order (serially or over workers).
        drawn: further attributes, on how the points were drawn.
    """
    checked = list(check_all(range(plan.parts)))
    markers = [marker for marker, _ in checked]
    sums = [partial for _, partial in checked]
    tried = sum(marker.tried for marker in markers)
    content = {"plan": plan.model_dump(mode="json"), "parts": [marker.sha256 for marker in markers]}
    mean = sum(s.sum_f for s in sums) / tried
    variance = max(sum(s.sum_f2 for s in sums) / tried - mean**2, 0.0)
    attributes: dict[str, Any] = {
        "format_version": plan.format_version,
        "plan": content["plan"],
        "digest": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
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
        **(drawn or {}),
    }
    counted = [marker.exact for marker in markers if marker.exact is not None]
    if len(counted) == len(markers):
        attributes["exact_amplitudes"] = sum(counted)
    with locked(path / BOOKS / "locks" / "finalise.lock", f"{path} is being finished", "Wait.", seconds=-1):
        zarr.open_group(path, mode="r+").attrs.update({"ampcli": attributes})
    return attributes
