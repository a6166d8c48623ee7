"""``ampcli recipes``: ready runs of the commands, those behind the shipped models among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import Result, command, resumable
from ampcli.cli.names import recipe_names, starting_with
from ampcli.text_table import aligned

app = typer.Typer(no_args_is_help=True, help="Ready runs, from points to a trained model: list, show, run.")

Name = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="Its name in `recipes list`.", autocompletion=starting_with(recipe_names)),
]


@command(app, "list", "ampcli recipes list")
def list_recipes() -> Result:
    """List the recipes: name, commands, and what each is for."""
    from ampcli.recipes import all_recipes

    recipes = all_recipes()
    document = {
        "recipes": [
            {"name": r.name, "title": r.title, "process": r.process, "commands": list(r.tables), "whole": r.is_whole}
            for r in recipes
        ]
    }
    rows = [[r.name, "yes" if r.is_whole else "by hand", r.title] for r in recipes]
    return Result(document, "\n".join(aligned([["recipe", "runs", "what for"], *rows], left=None, ruled=True)))


@command(app, "show", "ampcli recipes show fame/5jets")
def show_recipe(recipe: Name) -> Result:
    """Print a recipe: a TOML file for --config of the commands in it."""
    from ampcli.recipes import find_recipe

    found = find_recipe(recipe)
    document = {"name": found.name, "path": str(found.path), "tables": found.tables}
    return Result(document, found.text)


@command(app, "run", "ampcli recipes run ee-4jets ee4 --set gen.points=50k --set train.epochs=10")
def run(
    recipe: Name,
    folder: Annotated[Path, typer.Argument(help="Folder for stores, results and models; made anew.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COMMAND.OPTION=VALUE", help="Another value of an option; may be repeated."),
    ] = None,
    registry: Annotated[
        Path | None,
        typer.Option(envvar="AMPCLI_REGISTRY", help="Registry for its models.", show_default="FOLDER/registry"),
    ] = None,
) -> Result:
    """Run the commands of a recipe in a folder, or those that an interrupted run of it has left."""
    from ampcli.recipes import find_recipe, run_recipe

    found = find_recipe(recipe)
    with resumable(f"{folder} keeps what is done", "Run the same command again."):
        document = run_recipe(found, folder, changes or [], registry)
    total = sum(document["seconds"].values())
    text = f"{found.name}: done in {total:.0f} s; results in {folder}, models in {document['registry']}"
    return Result(document, text)
