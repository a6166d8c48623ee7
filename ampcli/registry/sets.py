"""Sets of surrogates: one model for each channel of a process with multiparticles, as one entry of the registry.

``REGISTRY/NAME/VERSION/manifest.json`` alone: the members are models of the registry, pinned by the checksums of
their manifests.  Channels without a model are named, with the reason.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from ampcli.collisions.flavours import Flavours
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError
from ampcli.records.base import Frozen
from ampcli.registry.manifest import (
    SET,
    SET_SCHEMA_VERSION,
    Manifest,
    Member,
    manifest_sha256,
    read_document,
    read_manifest,
    require_place,
    valid,
)
from ampcli.registry.members import member_folders
from ampcli.registry.naming import check_name
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry, as_registry
from ampcli.seal import SEAL, sealed


class SetChannel(Frozen):
    """One channel.

    Attributes:
        flavours: the processes of one |M|^2 that it stands for.
        member: its model; None: it has none, and `reason` says why.
        name: of the channel.
        process: whose |M|^2 it is.
        reason: why it has no model; None: it has one.
    """

    name: str
    process: str
    flavours: tuple[Flavours, ...] = Field(min_length=1)
    member: Member | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.member is None) == (self.reason is None):
            raise AmpcliError(f"the channel {self.name} of a set has a model or a reason why not, one of both")
        return self


class SurrogateSet(Frozen):
    """One version of a set.

    Attributes:
        process: with multiparticles; definitions: of these.
        channels: all of the process, those without a model too.
        schema_version: of this format.
        kind: always "set".
        name: of the set.
        version: from 1; 0: not published.
        created: UTC, ISO 8601.
        packages: versions of Python and of packages.
        git_commit: of the checkout it was made in; None outside.
    """

    schema_version: Literal[4] = SET_SCHEMA_VERSION
    kind: Literal["set"] = "set"
    name: str
    version: int = Field(default=0, ge=0)
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    process: str
    definitions: dict[str, tuple[str, ...]]
    channels: tuple[SetChannel, ...]
    packages: dict[str, str] = {}
    git_commit: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_name(self.name)
        if not self.members:
            raise AmpcliError(f'the set "{self.name}" has no members')
        if len({channel.name for channel in self.channels}) < len(self.channels):
            raise AmpcliError(f'the set "{self.name}" has two channels of one name')
        return self

    @property
    def members(self) -> list[Member]:
        """Models of the channels that have one."""
        return [channel.member for channel in self.channels if channel.member is not None]

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def document(self) -> dict[str, JsonValue]:
        """The content of ``manifest.json``, with its seal."""
        return sealed(self.model_dump(mode="json"))

    def member_of(self, channel: str) -> Member:
        """The model of a channel.

        Raises:
            NotFoundError: it has none.
        """
        for each in self.channels:
            if each.name == channel:
                if each.member is not None:
                    return each.member
                raise NotFoundError(f"{self.reference} has no model of the channel {channel}: {each.reason}")
        raise NotFoundError(f"{self.reference} is for {self.process}, which has no channel {channel}")


def read_entry(folder: Path) -> Manifest | SurrogateSet:
    """What a version's folder holds: a model or a set.

    Raises:
        IntegrityError: as `ampcli.registry.manifest.read_manifest`.
    """
    document = read_document(folder)
    if document.get("kind") != SET:
        return read_manifest(folder)
    with valid(folder):
        found = SurrogateSet.model_validate({key: value for key, value in document.items() if key != SEAL})
    require_place(folder, found.reference)
    return found


def model_at(registry: AnyRegistry, reference: str, channel: str) -> str:
    """The model for a channel: of a set its member, a model itself.

    Raises:
        NotFoundError: no such entry, or the set has no model of this channel.
        IntegrityError: a damaged manifest, or a member that is not the one that the set is made of.
    """
    entry = read_entry(resolve(registry, reference))
    if isinstance(entry, Manifest):
        return reference
    member = entry.member_of(channel)
    if pinned(registry, member.model) != member:
        raise IntegrityError(
            f"{member.model} in {as_registry(registry)} is not the one that {entry.reference} is made of",
            f"Import {entry.reference} again into a registry of its own.",
        )
    return member.model


def manifests_of(registry: AnyRegistry, reference: str, of_sets: bool = True) -> list[Manifest]:
    """That of a model, or those of the members of a set.

    Args:
        of_sets: those of members too, which are models of the registry themselves.
    """
    entry = read_entry(resolve(registry, reference))
    if isinstance(entry, Manifest):
        return [entry]
    return [read_manifest(folder) for folder in member_folders(registry, entry)] if of_sets else []


def pinned(registry: AnyRegistry, reference: str) -> Member:
    """A model of the registry, pinned."""
    folder = resolve(registry, reference)
    return Member(model=f"{folder.parent.name}@{folder.name}", manifest_sha256=manifest_sha256(folder))
