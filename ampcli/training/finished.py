"""Trainings of all channels of a sample that were interrupted: what they have published already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ampcli.errors import IntegrityError
from ampcli.records.training import Recipe
from ampcli.registry.manifest import Manifest
from ampcli.registry.search import versions
from ampcli.registry.sets import SurrogateSet, read_entry


def finished(registry: Path, name: str, part_of: str | None, recipe: Recipe) -> list[Manifest]:
    """Models `name` of this very recipe, one for each seed, that no version of the set `part_of` has; else none.

    Args:
        part_of: None: the training is not one of all channels, and goes on from checkpoints alone.

    A training of all channels that ends publishes a set: what is in none is what an interrupted one left.
    """
    if part_of is None:
        return []
    taken = {member.model for entry in _entries(registry, part_of) for member in entry.members}
    left = {
        entry.seed: entry
        for entry in _entries(registry, name)
        if isinstance(entry, Manifest)
        and entry.reference not in taken
        and entry.training is not None
        and not recipe.differences(entry.training)
    }
    return [left[seed] for seed in recipe.seeds] if left.keys() >= set(recipe.seeds) else []


def _entries(registry: Path, name: str) -> Iterator[Manifest | SurrogateSet]:
    """All versions, oldest first, but for damaged ones."""
    for version in versions(registry, name):
        with suppress(IntegrityError):
            yield read_entry(registry / name / str(version))
