"""``ampcli registry prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command
from ampcli.cli.names import models
from ampcli.cli.registry.tables import printable


def add(app: typer.Typer) -> None:
    command(app, "prune", "ampcli registry prune ee-4jets --keep 3")(prune_models)


def prune_models(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="name: all but its newest versions; name@3, name@1-3: these.",
            show_default="all names",
            autocompletion=models,
        ),
    ] = None,
    keep: Annotated[int, typer.Option(min=0, help="Versions of a name that stay, the newest.")] = 1,
    yes: Annotated[
        bool, typer.Option("--yes/--dry-run", help="Remove them; or only show what would go, and how many bytes.")
    ] = False,
    registry: RegistryOption = None,
) -> Result:
    """Remove versions that no alias, ensemble or set needs, from the first registry; numbers are not given again."""
    from ampcli.registry.prune import plan_pruning, prune
    from ampcli.registry.search import find_registry
    from ampcli.text_table import bytes_text

    found = find_registry(registry)
    pruning = plan_pruning(found, arguments or [], keep)
    if yes:
        pruning = prune(pruning)
    going = {f"{folder.parent.name}@{folder.name}": size for folder, size in pruning.going.items()}
    verb = "removed" if yes else "would go"
    lines = [f"{model}: {verb}, {bytes_text(size)}" for model, size in going.items()]
    lines += [f"{model}: stays, for {who} needs it" for model, who in pruning.kept.items()]
    lines.append(f"{len(going)} versions of {found.top}, {bytes_text(pruning.bytes)}")
    if going and not yes:
        lines.append("Nothing was removed: add --yes to do it.")
    document = {"registry": str(found.top), "removed": yes, "versions": going, "kept": pruning.kept}
    return Result(document | {"bytes": pruning.bytes}, printable("\n".join(lines), and_lines=True))
