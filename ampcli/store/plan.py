"""What a store is going to hold: decided once, written first, and compared before anything is added."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Literal

import pydantic

from ampcli.phasespace.running_coupling import ONE_LOOP, Running

#: 2: checksums of every array of a part, plan and markers under a seal, all of it in the attributes too.
FORMAT_VERSION = 2

#: More points than any disk holds; a damaged number must not keep a process busy for ever.
MOST_POINTS = 10**12

_SHARD_BYTES = 128 * 2**20
_CHUNK_BYTES = 2 * 2**20


class Frozen(pydantic.BaseModel):
    """Immutable, and strict about unknown fields."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


_Energy = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]


class RamboSource(Frozen):
    """Phase space of e+e- collisions within a selection (`ampcli.phasespace.selection`)."""

    kind: Literal["rambo"] = "rambo"
    sqrt_s: _Energy
    y_cut: float
    seed: int
    cuts: Literal["durham", "jade"] = "durham"
    sampling: Literal["flat", "mixed"] = "flat"
    overweight: float | None = None
    """Of unweighted events: share of the cross section in excess weights, for which the largest weight was chosen."""

    @pydantic.model_serializer(mode="wrap")
    def _plans_before_choices(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without the defaults of later choices, so that plans and digests stay what they were before."""
        fields: dict[str, object] = dump(self)
        later = {"cuts": "durham", "sampling": "flat", "overweight": None}
        return {key: value for key, value in fields.items() if key not in later or value != later[key]}


class GivenSource(Frozen):
    """Points taken from a file, known by the hash of their momenta and of what else is kept of them."""

    kind: Literal["given"] = "given"
    sha256: str
    sqrt_s: _Energy | None
    skipped: int = 0
    """Events of the file that were left out because they are not physical."""
    others: int = 0
    """Events of other processes that were left out."""
    repaired: bool = False
    """Whether momenta moved by more than double precision explains (`ampcli.repair`)."""
    columns: tuple[Literal["event", "event_weight"], ...] = ()
    """Arrays besides momenta that come from the file: numbers of the events in it, and their weights there."""

    @pydantic.model_serializer(mode="wrap")
    def _plans_before_columns(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without the defaults of later fields, so that plans and digests stay what they were before."""
        fields: dict[str, object] = dump(self)
        later = {"others": 0, "repaired": False, "columns": ()}
        return {key: value for key, value in fields.items() if key not in later or getattr(self, key) != later[key]}


class HadronSource(Frozen):
    """Proton-proton collisions with cuts on jets."""

    kind: Literal["hadron"] = "hadron"
    energy: _Energy
    """Of the collision, in GeV."""
    pt_min: float
    eta_max: float
    delta_r: float
    scale: float | None
    """Renormalisation and factorisation scale in GeV; None: H_T/2."""
    pdf: str
    pdf_sha256: str
    alpha_s_mz: float
    """The coupling that runs with the scale; amplitudes in the store are at the provider's alpha_s."""
    running: Running = ONE_LOOP
    """How it runs."""
    unweighted: bool | Literal["two-stage"]
    """Events of equal weight; two-stage: proposed by a surrogate that was trained for the store."""
    overweight: float
    """Share of the cross section in excess weights of unweighted events, for which w_max was chosen."""
    seed: int
    sampler: str

    @pydantic.model_serializer(mode="wrap")
    def _plans_before_running(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without the default, so that plans and digests stay what they were when it was the only one."""
        fields: dict[str, object] = dump(self)
        if self.running == ONE_LOOP:
            fields.pop("running")
        return fields

    @property
    def sqrt_s(self) -> None:
        """Varies from event to event."""
        return None


class ProviderRecord(Frozen):
    """The exact amplitudes' provenance (`ampcli.amplitudes.protocol.ProviderIdentity`)."""

    name: str
    version: str
    options: dict[str, str]
    parameters: dict[str, float]


class Plan(Frozen):
    """Everything that determines a store's content, bit for bit."""

    format_version: int = FORMAT_VERSION
    process: str
    points: int = pydantic.Field(ge=1, le=MOST_POINTS)
    n_final: int = pydantic.Field(ge=1, le=64)
    provider: ProviderRecord
    source: Annotated[RamboSource | GivenSource | HadronSource, pydantic.Field(discriminator="kind")]

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
        """Arrays of the store and the shape of a row; the momentum fractions are those of hadron beams."""
        arrays: dict[str, tuple[int, ...]] = {"momenta": (self.n_final, 4), "amplitude": (), "weight": ()}
        if isinstance(self.source, GivenSource):
            arrays |= dict.fromkeys(self.source.columns, ())
        return arrays | ({"x": (2,)} if isinstance(self.source, HadronSource) else {})

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
        ours, theirs = _flat(self.content), _flat(other.content)
        return [
            f"{key}: {ours.get(key)} here, {theirs.get(key)} there"
            for key in sorted({*ours, *theirs})
            if ours.get(key) != theirs.get(key)
        ]


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= _flat(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves
