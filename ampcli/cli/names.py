"""Completion of names."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def starting_with(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completes a word to the names that begin with it; they are read when the shell asks."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def provider_names() -> tuple[str, ...]:
    """Of exact amplitudes."""
    from ampcli.amplitudes.providers import AUTO, PROVIDERS

    return (*PROVIDERS.names, AUTO)


def recipe_names() -> list[str]:
    """Of the recipes that come with ampcli."""
    from ampcli.recipes import all_recipes

    return [recipe.name for recipe in all_recipes()]
