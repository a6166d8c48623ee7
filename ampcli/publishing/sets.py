"""Models of the channels of a sample as sets of surrogates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ampcli.channels.record import SamplePlan
from ampcli.errors import UsageError
from ampcli.provenance import git_commit, package_versions
from ampcli.registry.manifest import Member
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry
from ampcli.registry.sets import SetChannel, SurrogateSet, pinned, read_entry
from ampcli.registry.storage import publish_set


def publish_sets(
    registry: AnyRegistry,
    name: str,
    plan: SamplePlan,
    models: Mapping[str, Sequence[str]],
    reasons: Mapping[str, str],
) -> list[SurrogateSet]:
    """The first model of every channel becomes a set, the second ones (of more replicas) another, and so on.

    Args:
        plan: of the sample that the models are for.
        models: ``name@version``, as many for every channel that has some.
        reasons: why the other channels have none.
    """
    published = []
    for members in zip(*models.values(), strict=True):
        chosen = dict(zip(models, members, strict=True))
        channels = tuple(
            SetChannel(
                name=channel.name,
                process=channel.process,
                flavours=channel.flavours,
                member=pinned(registry, chosen[channel.name]) if channel.name in chosen else None,
                reason=reasons.get(channel.name),
            )
            for channel in plan.channels
        )
        draft = SurrogateSet(
            name=name,
            process=plan.process,
            definitions=plan.definitions,
            channels=channels,
            packages=package_versions(),
            git_commit=git_commit(),
        )
        published.append(publish_set(registry, draft))
    return published


def join_sets(registry: AnyRegistry, name: str, references: Sequence[str]) -> SurrogateSet:
    """One set from several for the same process: every channel has the model of the first one that has a model of it.

    A model alone counts as a set of one, for the channel of its process.

    Raises:
        UsageError: no set among them, sets of other channels, or a model of none of these.
        NotFoundError: no such entry.
    """
    entries = [read_entry(resolve(registry, reference)) for reference in references]
    sets = [entry for entry in entries if isinstance(entry, SurrogateSet)]
    if not sets:
        raise UsageError("models alone do not say which channels there are", "Name a set among them.")
    first = sets[0]
    for other in sets[1:]:
        if _channels_of(other) != _channels_of(first):
            raise UsageError(f"{first.reference} is for {first.process}, {other.reference} for other channels")
    members: dict[str, Member] = {}
    for entry in reversed(entries):
        if isinstance(entry, SurrogateSet):
            members |= {channel.name: channel.member for channel in entry.channels if channel.member is not None}
        elif found := [channel.name for channel in first.channels if channel.process == entry.process]:
            members[found[0]] = pinned(registry, entry.reference)
        else:
            raise UsageError(f'{entry.reference} is for "{entry.process}", no channel of {first.reference}')
    channels = tuple(
        channel.model_copy(update={"member": members[channel.name], "reason": None})
        if channel.name in members
        else channel
        for channel in first.channels
    )
    update = {
        "name": name,
        "version": 0,
        "channels": channels,
        "packages": package_versions(),
        "git_commit": git_commit(),
    }
    draft = SurrogateSet.model_validate(first.model_dump(exclude={"created"}) | update)
    return publish_set(registry, draft)


def _channels_of(entry: SurrogateSet) -> list[tuple[object, ...]]:
    return [(channel.name, channel.process, channel.flavours) for channel in entry.channels]
