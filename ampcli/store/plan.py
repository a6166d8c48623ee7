"""What a store is going to hold: decided once, written first, and compared before anything is added."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pydantic

from ampcli.collisions import AnyCollisions
from ampcli.records.base import Frozen
from ampcli.records.provider import ProviderRecord

#: 2: checksums of every array of a part, plan and markers under a seal, all of it in the attributes too.
FORMAT_VERSION = 2

#: More points than any disk holds; a damaged number must not keep a process busy for ever.
MOST_POINTS = 10**12

_SHARD_BYTES = 128 * 2**20
_CHUNK_BYTES = 2 * 2**20


class Plan(Frozen):
    """Everything that determines a store's content, bit for bit.

    Attributes:
        format_version: of the store.
        process: in MadGraph syntax, legs in the order of the momenta.
        points: rows of the store.
        n_final: legs in the final state.
        provider: of exact amplitudes.
        source: the collisions, and what was asked of them.
    """

    format_version: int = FORMAT_VERSION
    process: str
    points: int = pydantic.Field(ge=1, le=MOST_POINTS)
    n_final: int = pydantic.Field(ge=1, le=64)
    provider: ProviderRecord
    source: AnyCollisions

    @property
    def content(self) -> dict[str, Any]:
        """What the plan says about the points; the format version stays 1, so that equal points have equal digests."""
        return self.model_dump(mode="json") | {"format_version": 1}

    def digest(self, parts: list[str] | None = None) -> str:
        """SHA-256 of the plan, and of the checksums of parts: the store's digest where all parts are given."""
        content = {"plan": self.content} | ({} if parts is None else {"parts": parts})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """Arrays of the store and the shape of a row."""
        return {"momenta": (self.n_final, 4), "amplitude": (), "weight": (), **self.source.arrays}

    @property
    def size(self) -> int:
        """Bytes on the disk, all but exactly: mantissas do not compress."""
        return self.points * 8 * sum(math.prod(shape) for shape in self.arrays.values())

    @property
    def shard_rows(self) -> int:
        """Rows of a shard, the unit of writing: a power of two, about 16 shards, at most 128 MiB."""
        rows = 1024
        while rows * 16 < self.points and rows * self.n_final * 32 * 2 <= _SHARD_BYTES:
            rows *= 2
        return rows

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk, the unit of reading: at most 2 MiB of momenta."""
        rows = self.shard_rows
        while rows * self.n_final * 32 > _CHUNK_BYTES:
            rows //= 2
        return rows

    @property
    def parts(self) -> int:
        """Number of parts; one part is one shard."""
        return -(-self.points // self.shard_rows)

    def rows_of(self, part: int) -> slice:
        """The rows of a part."""
        start = part * self.shard_rows
        return slice(start, min(start + self.shard_rows, self.points))

    def differences(self, other: Plan) -> list[str]:
        """Fields in which two plans differ, written out."""
        ours, theirs = flat(self.content), flat(other.content)
        return [
            f"{key}: {ours.get(key)} here, {theirs.get(key)} there"
            for key in sorted({*ours, *theirs})
            if ours.get(key) != theirs.get(key)
        ]


def flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    """The leaves of nested documents, by their names joined with dots."""
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves
