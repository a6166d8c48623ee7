"""`ampcli schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from ampcli.cli.command import Result, command
from ampcli.cli.names import starting_with
from ampcli.text_table import aligned


def add(app: typer.Typer) -> None:
    command(app, "schema", "ampcli schema registry list --json > registry-list.schema.json")(schema)


def _first_words() -> list[str]:
    from ampcli.schemas.schema import commands

    return list(dict.fromkeys(name.partition(" ")[0] for name in commands()))


def schema(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="Such as gen, or registry list.",
            show_default="all that have a schema",
            autocompletion=starting_with(_first_words),
        ),
    ] = None,
) -> Result:
    """Show what a command writes with --json: every key, its type, meaning and unit; with --json as a JSON Schema."""
    from ampcli.schemas.keys import tables
    from ampcli.schemas.schema import commands, schema

    if not words:
        return Result({"commands": commands()}, "\n".join(commands()))
    name = " ".join(words)
    found = schema(name)
    parts = []
    for table in tables(name, found):
        rows = [f"  {line}" for line in aligned([list(row) for row in table.rows], left=None)]
        parts.append("\n".join([f"{table.name}: {table.about}", *rows]))
    return Result(found, "\n\n".join(parts))
