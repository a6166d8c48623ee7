"""Reading a finished store; whatever is read is compared with its checksum the first time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.files import set_aside
from ampcli.kinematics import FloatArray
from ampcli.objects import ObjectPath
from ampcli.process import Process
from ampcli.seal import SEAL, check_seal
from ampcli.store.metadata import RESUME, read_attributes
from ampcli.store.parts import missing_parts
from ampcli.store.plan import Plan
from ampcli.store.record import (
    PartRecord,
    checksums,
    finished_attributes,
    part_records,
    read_part,
    read_plan,
)
from ampcli.store.rows import check_layout, read_rows, sha256_of
from ampcli.store.splits import Split as Split
from ampcli.store.splits import SplitRule, event_codes, row_codes, rows_in

_FEATURES = "features"
_ERRORS = "amplitude_error"
_ATTEMPTS = 3  # at reading features that are being replaced


@dataclass
class _Known:
    """What one process knows about the content of a store that it has read."""

    verified: set[tuple[str, int]] = field(default_factory=set)
    """Arrays and parts."""
    recent: dict[str, tuple[int, FloatArray]] = field(default_factory=dict)
    """Of each array the part that was read last, for readers that go through it in small steps."""
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Attributes of feature blocks."""
    codes: npt.NDArray[np.uint8] | None = None

    def forget(self, prefix: str) -> None:
        self.verified = {key for key in self.verified if not key[0].startswith(prefix)}
        self.recent = {name: part for name, part in self.recent.items() if not name.startswith(prefix)}


@dataclass(frozen=True)
class Store:
    """A finished store (`ampcli.open_store`); arrays are read when they are asked for.

    Attributes:
        plan: what was asked for: process, provider, points, cuts, seed (docs/store.md).
    """

    path: Path
    plan: Plan
    attributes: dict[str, Any]
    parts: list[PartRecord]
    split_rule: SplitRule = "events"
    _known: _Known = field(default_factory=_Known, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<Store {self.path}: {self.rows} points of {self.process}>"

    @property
    def process(self) -> Process:
        """The process; its legs are in the order of the momenta."""
        return self.plan.provider.described(self.plan.process)

    @property
    def rows(self) -> int:
        """Number of points."""
        return self.plan.points

    @property
    def digest(self) -> str:
        """SHA-256 of plan and content: the same for the same points and amplitudes."""
        return str(self.attributes["digest"])

    @property
    def tried(self) -> int:
        """Points tried to get these rows; sum(weight x amplitude) / tried is the cross section."""
        return int(self.attributes["tried"])

    @property
    def sqrt_s(self) -> float | None:
        """Centre-of-mass energy in GeV; None where it varies."""
        return self.plan.source.sqrt_s

    @property
    def y_cut(self) -> float | None:
        """Smallest s_ij / s of e+e- points; None where there is no such cut."""
        return self.plan.source.y_cut

    def require_exact(self) -> None:
        """Make sure that the store holds squared amplitudes without statistical errors.

        Raises:
            UsageError: it does not.
        """
        has = "may have either sign" if self.plan.provider.signed else "have statistical errors"
        if self.plan.provider.signed or _ERRORS in self.plan.arrays:
            raise UsageError(
                f"the values of {self.path} {has}: this needs exact squared amplitudes",
                "Of such values there are gen, features, train, ensemble (mean), calibrate, eval and predict.",
            )

    def read(self, name: str, rows: slice = slice(None)) -> FloatArray:
        """Rows of an array (``momenta``, ``amplitude``, ``weight``, ``x``, ``features/BLOCK/...``) as float64.

        Raises:
            NotFoundError: there is no such array.
            IntegrityError: missing, truncated or damaged chunks, or those of another store.
        """
        start, stop, _ = rows.indices(self.rows)
        size = self.plan.shard_rows
        pieces = [
            self._read_in_part(name, number, slice(max(start, number * size), min(stop, (number + 1) * size)))
            for number in range(start // size, -(-stop // size))
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _read_in_part(self, name: str, number: int, rows: slice) -> FloatArray:
        whole = self.plan.rows_of(number)
        recent = self._known.recent.get(name)
        if recent is not None and recent[0] == number:
            values = recent[1]
        elif (name, number) in self._known.verified and not isinstance(self.path, ObjectPath):  # whose parts come whole
            return self._read_rows(name, rows)
        else:
            values = self._verified_part(name, number)
            self._known.verified.add((name, number))
            if rows != whole:
                self._known.recent[name] = number, values
        if rows.stop == whole.stop:
            self._known.recent.pop(name, None)
        return values if rows == whole else values[rows.start - whole.start : rows.stop - whole.start].copy()

    def _verified_part(self, name: str, number: int) -> FloatArray:
        rows, record = self.plan.rows_of(number), self.parts[number]
        if name in self.plan.arrays and record.arrays is None:  # format 1: one checksum for all arrays of a part
            arrays = read_part(self.path, self.plan, number)
            values, same = arrays[name], checksums(arrays)[0] == record.sha256
            self._known.verified |= {(other, number) for other in arrays}
            hint = RESUME
        elif name in self.plan.arrays:
            assert record.arrays is not None
            values = read_rows(self.path, self.plan, name, rows)
            same = sha256_of(values) == record.arrays[name]
            hint = RESUME
        else:
            values, same = self._features(name, number)
            hint = f"Make its features again with `ampcli features {self.path} {name.split('/')[1]} --replace`."
        if not same:
            raise IntegrityError(f"{self.path}/{name}: part {number + 1} is not what was written there", hint)
        return values

    def check_layout(self, name: str, row: tuple[int, ...]) -> None:
        """Make sure that the metadata of an array with rows of this shape are sound.

        Raises:
            NotFoundError: there is no such array.
            IntegrityError: they are damaged.
        """
        check_layout(self.path, self.plan, self._place(name), row)

    def _read_rows(self, name: str, rows: slice) -> FloatArray:
        return read_rows(self.path, self.plan, self._place(name), rows)

    def _place(self, name: str) -> str:
        """Where an array is; a killed replacement of features may have left them aside."""
        if not name.startswith(f"{_FEATURES}/"):
            return name
        _, block, array = name.split("/", 2)
        return f"{_FEATURES}/{self._folder(block).name}/{array}"

    def _features(self, name: str, number: int) -> tuple[FloatArray, bool]:
        """A part of an array of features, and whether it matches its checksum; the block may be replaced meanwhile."""
        _, block, array = name.split("/", 2)
        known = self._known.blocks.get(block) or self.block_attributes(block)
        for attempt in range(_ATTEMPTS):
            try:
                values = self._read_rows(name, self.plan.rows_of(number))
            except (IntegrityError, NotFoundError):
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            if "arrays" not in known or sha256_of(values) == _sum(known, array, number):
                return values, True
        return values, False

    def _folder(self, block: str) -> Path:
        folder = self.path / _FEATURES / block
        return folder if folder.is_dir() else set_aside(folder)

    def read_split(self, name: str, split: Split, share: slice = slice(None)) -> FloatArray:
        """The rows of a split of an array, or a share of them; parts without any are not read.

        Raises:
            UsageError: there are none.
        """
        chosen = self.split_rows(split)[share]
        if len(chosen) == 0:
            raise UsageError(f"{self.path} has no row in the split {split}", "Generate more points.")
        pieces = []
        for rows in map(self.plan.rows_of, range(self.plan.parts)):
            first, last = np.searchsorted(chosen, (rows.start, rows.stop))
            if first == last:
                continue
            pieces.append(self.read(name, rows)[chosen[first:last] - rows.start])
        return np.concatenate(pieces)

    def amplitude_errors(self, split: Split, share: slice = slice(None)) -> FloatArray | None:
        """Statistical errors (1 sigma) of the amplitudes of a split, (n,), where they have any."""
        return self.read_split(_ERRORS, split, share) if _ERRORS in self.plan.arrays else None

    def split_rows(self, split: Split) -> npt.NDArray[np.int64]:
        """Row numbers of a split, ascending."""
        if self._known.codes is None:
            if self.split_rule == "rows":
                self._known.codes = row_codes(self.rows)
            else:
                self._known.codes = self.event_codes(slice(None))
        return rows_in(self._known.codes, split)

    def event_codes(self, parts: slice) -> npt.NDArray[np.uint8]:
        """What splits by events follow from (`ampcli.store.splits`): a byte for each row of these parts."""
        rows = map(self.plan.rows_of, range(self.plan.parts)[parts])
        return np.concatenate([np.empty(0, np.uint8), *(event_codes(self.read("momenta", part)) for part in rows)])

    def know_event_codes(self, codes: npt.NDArray[np.uint8]) -> None:
        """Take over those of all parts, which others have read."""
        self._known.codes = codes

    def split_by(self, rule: SplitRule) -> Store:
        """The same store, with its splits made by another rule."""
        return replace(self, split_rule=rule, _known=replace(self._known, codes=None))

    def batches(self) -> Iterator[slice]:
        """Row ranges that line up with the chunks."""
        for start in range(0, self.rows, self.plan.chunk_rows):
            yield slice(start, min(start + self.plan.chunk_rows, self.rows))

    def block_attributes(self, block: str) -> dict[str, Any]:
        """Attributes of a feature block.

        Raises:
            NotFoundError: the store has no such block.
            IntegrityError: they are damaged.
        """
        hint = f"Make its features again with `ampcli features {self.path} {block} --replace`."
        folder = self._folder(block)
        try:
            attributes = read_attributes(folder, hint)
        except (FileNotFoundError, NotADirectoryError):
            if folder.is_dir() and not isinstance(folder, ObjectPath):  # objects of a block that is being written
                raise IntegrityError(f"{folder} has no metadata", hint) from None
            raise NotFoundError(
                f"{self.path} has no features {block}",
                f"Make them with `ampcli features {self.path} {block}`.",
            ) from None
        if {SEAL, "arrays"} & set(attributes):  # blocks of older versions have no checksums
            check_seal(attributes, folder, hint)
            if not _are_sums(attributes.get("arrays")):
                raise IntegrityError(f"the attributes of {folder} hold no checksums of its parts", hint)
        if self._known.blocks.get(block) != attributes:
            self._known.forget(f"{_FEATURES}/{block}/")
            self._known.blocks[block] = attributes
        return dict(attributes)


def _are_sums(value: object) -> bool:
    """Whether these are lists of checksums by the names of arrays."""
    return isinstance(value, dict) and all(
        isinstance(sums, list) and all(isinstance(one, str) for one in sums) for sums in value.values()
    )


def _sum(attributes: Mapping[str, Any], array: str, number: int) -> str | None:
    sums = attributes["arrays"].get(array, [])
    return str(sums[number]) if number < len(sums) else None


def open_store(path: Path) -> Store:
    """Open a finished store.

    Raises:
        NotFoundError: nothing there.
        UsageError: not a store.
        IntegrityError: unfinished, damaged or of a newer format.
    """
    plan = read_plan(path)
    attributes = finished_attributes(path)
    if attributes is None:
        left = len(missing_parts(path, plan))
        state = f"{left} of {plan.parts} parts are missing" if left else "its parts were not checked yet"
        raise IntegrityError(f"{path} is not finished: {state}", RESUME)
    if not _same_plan(attributes.get("plan"), plan):
        raise IntegrityError(f"{path}: its attributes and its plan disagree", RESUME)
    if not all((path / name).is_dir() for name in plan.arrays):
        raise IntegrityError(f"{path} lacks an array", RESUME)
    return Store(path, plan, attributes, part_records(path, plan, attributes))


def _same_plan(stored: Any, plan: Plan) -> bool:
    try:
        return Plan.model_validate(stored).content == plan.content
    except pydantic.ValidationError:
        return False
