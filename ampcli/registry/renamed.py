"""Models under other names: where a colleague's ``a@1`` is to stand beside one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ampcli.errors import UsageError
from ampcli.files import write_durably
from ampcli.registry.manifest import MANIFEST, Manifest, Member, manifest_bytes, manifest_sha256
from ampcli.registry.naming import check_name
from ampcli.registry.sets import SurrogateSet, read_entry


def renamed(folders: Sequence[Path], name: str, root: Path) -> list[Path]:
    """A model with its members under another name: versions stay, its members are called ``NAME-MEMBER``.

    Args:
        folders: of the versions, members before who needs them; their files are moved.
        root: where the renamed ones are put, ``ROOT/NAME/VERSION``.

    Returns:
        The folders of these, in the same order.

    Raises:
        UsageError: what cannot name a model; several models that are no members of each other.
    """
    check_name(name)
    entries = [read_entry(folder) for folder in folders]
    needed = {member.model for entry in entries for member in entry.members}
    alone = [entry.reference for entry in entries if entry.reference not in needed]
    if len(alone) != 1:
        raise UsageError(f"a name for one model, and here are several: {', '.join(alone)}", "Import them as they are.")
    pins: dict[str, Member] = {}
    targets = []
    for folder, entry in zip(folders, entries, strict=True):
        called = name if entry.reference in alone else check_name(f"{name}-{entry.name}")
        target = root / called / folder.name
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        write_durably(target / MANIFEST, manifest_bytes(_called(entry, called, pins)))
        reference = f"{called}@{folder.name}"
        pins[entry.reference] = Member(model=reference, manifest_sha256=manifest_sha256(target))
        targets.append(target)
    return targets


def _called(entry: Manifest | SurrogateSet, name: str, pins: dict[str, Member]) -> Manifest | SurrogateSet:
    """The entry with another name, made of members that were renamed before it."""
    if isinstance(entry, SurrogateSet):
        channels = tuple(
            channel if channel.member is None else channel.model_copy(update={"member": pins[channel.member.model]})
            for channel in entry.channels
        )
        return entry.model_copy(update={"name": name, "channels": channels})
    card = f"{entry.card} It was called {entry.reference} where it was made.".lstrip()
    return entry.model_copy(
        update={"name": name, "members": [pins[member.model] for member in entry.members], "card": card}
    )
