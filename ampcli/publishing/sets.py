"""Models of the channels of a sample as sets of surrogates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ampcli.channels.record import SamplePlan
from ampcli.provenance import git_commit, package_versions
from ampcli.registry.sets import SetChannel, SurrogateSet, pinned
from ampcli.registry.storage import publish_set


def publish_sets(
    root: Path, name: str, plan: SamplePlan, models: Mapping[str, Sequence[str]], reasons: Mapping[str, str]
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
                member=pinned(root, chosen[channel.name]) if channel.name in chosen else None,
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
        published.append(publish_set(root, draft))
    return published
