"""Reading a finished store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import zarr

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.kinematics import FloatArray
from ampcli.process import Process, described_process
from ampcli.store.parts import missing_parts, read_plan
from ampcli.store.plan import Plan, RamboSource
from ampcli.store.rows import read_rows

Split = Literal["train", "validation", "test", "all"]

_SPLITS: dict[str, tuple[int, ...]] = {"train": (0, 1, 2, 3), "validation": (4,), "test": (5,)}


def split_rows(rows: int, split: Split) -> npt.NDArray[np.int64]:
    """Row numbers of a split, 4:1:1 by a hash of the row number: stable when a store grows.

    The hash is the finaliser of SplitMix64 (G.L. Steele et al., OOPSLA 2014).
    """
    numbers = np.arange(rows, dtype=np.uint64)
    if split == "all":
        return numbers.astype(np.int64)
    if split not in _SPLITS:
        raise UsageError(f'unknown split "{split}"', "Known: train, validation, test, all.")
    z = numbers + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.flatnonzero(np.isin(z % np.uint64(6), _SPLITS[split]))


@dataclass(frozen=True)
class Store:
    """A finished store; arrays are read when they are asked for."""

    path: Path
    plan: Plan
    attributes: dict[str, Any]

    @property
    def process(self) -> Process:
        return described_process(self.plan.process, self.plan.provider.parameters)

    @property
    def rows(self) -> int:
        return self.plan.points

    @property
    def digest(self) -> str:
        return str(self.attributes["digest"])

    @property
    def tried(self) -> int:
        """Points tried to get these rows; sum(weight x amplitude) / tried is the cross section."""
        return int(self.attributes["tried"])

    @property
    def sqrt_s(self) -> float | None:
        return self.plan.source.sqrt_s

    @property
    def y_cut(self) -> float | None:
        return self.plan.source.y_cut if isinstance(self.plan.source, RamboSource) else None

    def read(self, name: str, rows: slice = slice(None)) -> FloatArray:
        """Rows of an array (``momenta``, ``amplitude``, ``weight``, ``x``, ``features/BLOCK/...``) as float64.

        Raises:
            IntegrityError: missing, truncated or damaged chunks.
        """
        start, stop, _ = rows.indices(self.rows)
        return read_rows(self.path, name, slice(start, stop))

    def read_split(self, name: str, split: Split) -> FloatArray:
        """The rows of a split of an array."""
        chosen = split_rows(self.rows, split)
        if len(chosen) == 0:
            raise UsageError(f"{self.path} has no row in the split {split}", "Generate more points.")
        pieces = []
        for rows in self.batches():
            first, last = np.searchsorted(chosen, (rows.start, rows.stop))
            pieces.append(self.read(name, rows)[chosen[first:last] - rows.start])
        return np.concatenate(pieces)

    def batches(self) -> Iterator[slice]:
        """Row ranges that line up with the chunks."""
        for start in range(0, self.rows, self.plan.chunk_rows):
            yield slice(start, min(start + self.plan.chunk_rows, self.rows))

    def block_attributes(self, block: str) -> dict[str, Any]:
        """Attributes of a feature block.

        Raises:
            NotFoundError: the store has no such block.
        """
        folder = self.path / "features" / block
        if not folder.is_dir():
            raise NotFoundError(
                f"{self.path} has no features {block}",
                f"Make them with `ampcli features {self.path} {block}`.",
            )
        return dict(zarr.open_group(folder, mode="r").attrs)


def open_store(path: Path) -> Store:
    """Open a finished store.

    Raises:
        NotFoundError: nothing there.
        UsageError: not a store.
        IntegrityError: unfinished, damaged or of a newer format.
    """
    plan = read_plan(path)
    try:
        attributes = dict(zarr.open_group(path, mode="r").attrs).get("ampcli")
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise IntegrityError(f"{path} cannot be opened as a Zarr group: {error}") from None
    if not isinstance(attributes, dict):
        left = len(missing_parts(path, plan))
        state = f"{left} of {plan.parts} parts are missing" if left else "its parts were not checked yet"
        raise IntegrityError(
            f"{path} is not finished: {state}",
            "Run its `ampcli gen` command again with --resume.",
        )
    if not _same_plan(attributes.get("plan"), plan):
        raise IntegrityError(f"{path}: its attributes and its plan disagree", "Generate the store again.")
    if not all((path / name).is_dir() for name in plan.arrays):
        raise IntegrityError(f"{path} lacks an array", "Generate the store again.")
    return Store(path, plan, attributes)


def _same_plan(stored: Any, plan: Plan) -> bool:
    try:
        return Plan.model_validate(stored) == plan
    except pydantic.ValidationError:
        return False
