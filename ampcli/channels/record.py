"""What a sample of many channels is going to hold: ``sample.json`` in its folder, beside ``channels/CHANNEL``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import pydantic

from ampcli.collisions.flavours import Flavours
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import IntegrityError, NotFoundError
from ampcli.records.base import Frozen, without_later
from ampcli.records.provider import ProviderRecord
from ampcli.seal import SEAL, check_seal, sealed
from ampcli.store.metadata import RESUME, read_document, write_document
from ampcli.store.plan import MOST_POINTS
from ampcli.store.record import SAMPLE

CHANNELS = "channels"
FORMAT_VERSION = 1


class Survey(Frozen):
    """What a survey found of a channel.

    Attributes:
        cross_section, error: in pb.
        spread: what the error of a channel's cross section would be with one accepted point, in pb.
    """

    cross_section: float
    error: float
    spread: float


class ChannelPlan(Frozen):
    """One channel of a sample; its adaptation, survey and points are decided once and then stay.

    Attributes:
        name: of the channel, and of its folder.
        process: whose |M|^2 its store holds.
        flavours: the processes that it stands for.
        seed: of its points.
        provider: of exact amplitudes.
        survey: what the survey found; None before it.
        points: its share of the sample's; None before the survey.
        adaptation: full, or short where the channel is small.
    """

    name: str
    process: str
    flavours: tuple[Flavours, ...]
    seed: int
    provider: ProviderRecord
    survey: Survey | None = None
    points: int | None = pydantic.Field(default=None, ge=1)
    adaptation: Literal["full", "short"] = "full"

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        return without_later(self, dump, "adaptation")


class SamplePlan(Frozen):
    """Everything that determines a sample's content.

    Attributes:
        definitions: of the multiparticles in the process.
        points: in all.
        collisions: of all channels, with the sample's seed and no flavours.
        format_version: of the sample.
        process: with multiparticles.
        channels: all of the process.
    """

    format_version: int = FORMAT_VERSION
    process: str
    definitions: dict[str, tuple[str, ...]]
    points: int = pydantic.Field(ge=1, le=MOST_POINTS)
    collisions: ProtonCollisions
    channels: tuple[ChannelPlan, ...] = pydantic.Field(min_length=1)

    @property
    def is_surveyed(self) -> bool:
        return all(channel.points is not None for channel in self.channels)

    @property
    def asked(self) -> SamplePlan:
        """The plan before its survey."""
        before = {"survey": None, "points": None, "adaptation": "full"}
        return self.model_copy(update={"channels": tuple(c.model_copy(update=before) for c in self.channels)})

    def digest(self, stores: list[str] | None = None) -> str:
        """SHA-256 of the plan, and of the digests of the channels' stores: the sample's where all are given."""
        content = {"plan": self.model_dump(mode="json")} | ({} if stores is None else {"stores": stores})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_sample(path: Path) -> bool:
    """Whether a folder is a sample of many channels."""
    return (path / SAMPLE).exists()


def write_sample_plan(folder: Path, plan: SamplePlan) -> None:
    write_document(folder / SAMPLE, sealed(plan.model_dump(mode="json")))


def read_sample_plan(folder: Path) -> SamplePlan:
    """The plan of a sample.

    Raises:
        NotFoundError: no sample there.
        IntegrityError: damaged, or of a newer format.
    """
    file = folder / SAMPLE
    try:
        document: dict[str, Any] = read_document(file)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"no sample at {folder}", "Make it with `ampcli gen`.") from None
    version = document.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise IntegrityError(f"{file} has the format {version}, newer than this ampcli knows", "Upgrade ampcli.")
    check_seal(document, file, RESUME)
    try:
        return SamplePlan.model_validate({key: value for key, value in document.items() if key != SEAL})
    except pydantic.ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise IntegrityError(f"the plan in {file} is damaged: {where}: {found['msg']}", RESUME) from None


def channel_path(folder: Path, name: str) -> Path:
    """The store of a channel."""
    return folder / CHANNELS / name
