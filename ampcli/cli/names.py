"""Completion of names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer


def starting_with(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completes a word to the names that begin with it; they are read when the shell asks."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def provider_names() -> tuple[str, ...]:
    """Of exact amplitudes."""
    from ampcli.amplitudes.providers import AUTO, PROVIDERS

    return (*PROVIDERS.names, AUTO)


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of models, and after "@" versions and aliases, in the registries of the line that is typed."""
    from ampcli.registry.search import find_registry, names, versions

    name, at, _ = incomplete.partition("@")
    folders = find_registry(ctx.params.get("registry")).folders
    if not at:
        return sorted({each for folder in folders for each in names(folder) if each.startswith(incomplete)})
    known = [str(version) for folder in folders for version in versions(folder, name)]
    known += [alias for folder in folders for alias in _aliases(folder / name)]
    return [each for selector in dict.fromkeys(known) if (each := f"{name}@{selector}").startswith(incomplete)]


def _aliases(home: Path) -> list[str]:
    """As the file has them: a damaged one has none."""
    import json

    try:
        return list(json.loads((home / "aliases.json").read_bytes())["aliases"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def presets() -> tuple[str, ...]:
    """Sizes of networks."""
    from ampcli.models.presets import PRESETS

    return tuple(PRESETS)
