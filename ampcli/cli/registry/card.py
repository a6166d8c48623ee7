"""``ampcli registry card``."""

from __future__ import annotations

import typer

from ampcli.cli.command import RegistryOption, Result, command
from ampcli.cli.registry.arguments import Model


def add(app: typer.Typer) -> None:
    command(app, "card", "ampcli registry card ee-5jets")(card_of_model)


def card_of_model(model: Model, registry: RegistryOption = None) -> Result:
    """Print the card of a model or a set (Markdown): data, training, accuracy, limits, licence, how to cite."""
    from ampcli.registry.card import card
    from ampcli.registry.resolve import resolve
    from ampcli.registry.search import find_registry

    found = find_registry(registry)
    folder = resolve(found, model)
    text = card(found, folder)
    return Result({"model": f"{folder.parent.name}@{folder.name}", "card": text}, text)
