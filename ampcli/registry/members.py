"""The models that an ensemble or a set is made of: found by what they are pinned to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ampcli.errors import IntegrityError
from ampcli.registry.manifest import Member, manifest_sha256
from ampcli.registry.naming import split_reference
from ampcli.registry.resolve import places
from ampcli.registry.search import AnyRegistry, as_registry


class Combined(Protocol):
    """What may have members."""

    @property
    def reference(self) -> str:
        """``name@version``."""
        ...

    @property
    def members(self) -> Sequence[Member]:
        """None of a model alone."""
        ...


def member_folder(registry: AnyRegistry, member: Member, of: str) -> Path:
    """The folder of a member, in whichever registry it is.

    Args:
        of: the ensemble or set, ``name@version``, for the message.

    Raises:
        IntegrityError: it is missing, or is another one.
    """
    name, version = split_reference(member.model)
    assert isinstance(version, int)  # as members are
    # Nothing but the checksum counts: it makes a chain of members that leads back to itself impossible.
    found = places(registry, name, version)
    for folder in found:
        if manifest_sha256(folder) == member.manifest_sha256:
            return folder
    if not found:
        raise IntegrityError(
            f"{member.model}, a member of {of}, is not in {as_registry(registry)}",
            f"Name the registry that has it after this one, or import {of} again.",
        )
    raise IntegrityError(
        f"{member.model} in {as_registry(registry)} is not the one that {of} is made of",
        f"Import {of} again into a registry of its own.",
    )


def member_folders(registry: AnyRegistry, entry: Combined) -> list[Path]:
    """The folders of the members of an ensemble or a set, whose manifests are those that it was made of.

    Raises:
        IntegrityError: one is missing, or is another one.
    """
    return [member_folder(registry, member, entry.reference) for member in entry.members]


def broken(registry: AnyRegistry, entry: Combined) -> str | None:
    """Why an ensemble or a set cannot be used; None: its members are there."""
    try:
        member_folders(registry, entry)
    except IntegrityError as error:
        return error.what
    return None
