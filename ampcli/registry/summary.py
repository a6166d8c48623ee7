"""What a version is, in short: the rows of `ampcli registry list`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ampcli.errors import IntegrityError
from ampcli.models.kinds import name_of
from ampcli.registry.manifest import ENSEMBLE, SET, Manifest, Metric
from ampcli.registry.members import broken, member_folders
from ampcli.registry.prune import size_of
from ampcli.registry.resolve import aliases
from ampcli.registry.search import Registry, names, versions
from ampcli.registry.sets import SurrogateSet, read_entry

ACCURACY = "mean_abs_delta"


@dataclass(frozen=True)
class Summary:
    """A name in one of the registries, and what its newest version is.

    Attributes:
        kind: as in manifests.
        trained_as: the name for ``train --model``; "ensemble" or "set".
        accuracy: mean |Delta| on the validation split, a fraction.
        bytes: of the newest version, with the members of an ensemble or a set.
        created: UTC, ISO 8601.
        broken: why it cannot be used, if it cannot.
        registry: folder.
        name: of the model.
        versions: all there are.
        aliases: and the versions they stand for.
        process: in MadGraph syntax.
    """

    registry: Path
    name: str
    versions: list[int]
    aliases: dict[str, int]
    kind: str
    trained_as: str
    process: str
    accuracy: Metric | None
    bytes: int
    created: str
    broken: str | None


def summaries(registry: Registry) -> Iterator[Summary]:
    """All names of all registries, in their order.

    Raises:
        IntegrityError: a manifest or aliases are damaged.
    """
    for root in registry.folders:
        for name in names(root):
            yield _summary(registry, root, name)


def _summary(registry: Registry, root: Path, name: str) -> Summary:
    numbers = versions(root, name)
    folder = root / name / str(numbers[-1])
    entry = read_entry(folder)
    return Summary(
        registry=root,
        name=name,
        versions=numbers,
        aliases=aliases(root, name),
        kind=entry.kind,
        trained_as=model_of(entry),
        process=entry.process,
        accuracy=entry.metrics.get(ACCURACY) if isinstance(entry, Manifest) else None,
        bytes=_bytes(registry, folder, entry),
        created=entry.created,
        broken=broken(registry, entry),
    )


def model_of(entry: Manifest | SurrogateSet) -> str:
    """What ``train --model`` was, "ensemble" or "set"."""
    if isinstance(entry, SurrogateSet):
        return SET
    training, architecture = entry.training, entry.architecture
    if entry.kind == ENSEMBLE or training is None or architecture is None:
        return entry.kind
    return name_of(entry.kind, training.block, architecture.network, training.options)


def _bytes(registry: Registry, folder: Path, entry: Manifest | SurrogateSet) -> int:
    try:
        members = member_folders(registry, entry)
    except IntegrityError:
        members = []
    return sum(map(size_of, dict.fromkeys([folder, *members])))


def matches(value: str, pattern: str | None) -> bool:
    """Whether a text is what a pattern with ``*`` and ``?`` means, blanks and capitals aside."""
    return pattern is None or fnmatchcase(" ".join(value.lower().split()), " ".join(pattern.lower().split()))
