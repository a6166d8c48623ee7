"""``ampcli registry alias``, ``unalias`` and ``join``: names for versions, and sets of models."""

from __future__ import annotations

from typing import Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command
from ampcli.cli.names import models
from ampcli.cli.registry.arguments import Model


def add(app: typer.Typer) -> None:
    command(app, "alias", "ampcli registry alias ee-4jets@3 best")(alias_model)
    command(app, "unalias", "ampcli registry unalias ee-4jets@best")(unalias_model)
    command(app, "join", "ampcli registry join zjj-best zjj-fg1 zjj-nofa")(join)


def alias_model(
    model: Model,
    alias: Annotated[str, typer.Argument(help="The name to move to this version, such as best.")],
    registry: RegistryOption = None,
) -> Result:
    """Let NAME@ALIAS mean this version from now on."""
    from ampcli.registry.resolve import set_alias
    from ampcli.registry.search import find_registry

    folder = set_alias(find_registry(registry), model, alias)
    name, version = folder.parent.name, int(folder.name)
    return Result({"name": name, "alias": alias, "version": version}, f"{name}@{alias} is {name}@{version}")


def unalias_model(
    alias: Annotated[str, typer.Argument(metavar="NAME@ALIAS", help="The alias to forget.", autocompletion=models)],
    registry: RegistryOption = None,
) -> Result:
    """Forget an alias; the version stays."""
    from ampcli.errors import UsageError
    from ampcli.registry.aliases import remove_alias
    from ampcli.registry.naming import split_reference
    from ampcli.registry.search import find_registry

    name, selector = split_reference(alias)
    if not isinstance(selector, str):
        raise UsageError(f'"{alias}" is no alias', "Write NAME@ALIAS; `ampcli registry prune` removes versions.")
    remove_alias(find_registry(registry).top / name, selector)
    return Result({"name": name, "alias": selector}, f"{alias} is forgotten")


def join(
    name: Annotated[str, typer.Argument(help="Name of the new set.")],
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Sets, and models of single channels.", autocompletion=models),
    ],
    registry: RegistryOption = None,
) -> Result:
    """Make one set of several: for each channel the model of the first that has one."""
    from ampcli.publishing.sets import join_sets
    from ampcli.registry.search import find_registry

    joined = join_sets(find_registry(registry), name, models)
    without = [channel.name for channel in joined.channels if channel.member is None]
    text = f"{joined.reference}: a set of {len(joined.members)} models for {joined.process}"
    return Result(dict(joined.document), "; without a model: ".join([text, *([", ".join(without)] if without else [])]))
