"""The recipes that come with ampcli: tables of commands and their options, which made the models of the results pages.

A recipe is a TOML file.  Its first line of comment says what it is for; each table is a command (`gen`, `features`,
`train`, ...), each key one of its options, in the order in which the commands are run.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ampcli.chain import Chain
from ampcli.errors import NotFoundError, UsageError, setting
from ampcli.files import replacing
from ampcli.shipped import shipped_recipes

#: Commands that a killed run of them leaves half done, and the flag that goes on with it.
_GO_ON = {"gen": ("--resume",)}

#: What a recipe that can be run by itself begins with.
_WHOLE = ("gen", "features", "train")


@dataclass(frozen=True)
class Recipe:
    """One file.

    Attributes:
        name: its path below the recipes, without ``.toml``: ``ee-4jets``, ``fame/5jets``.
        text: what stands in it.
    """

    name: str
    path: Path
    text: str

    @property
    def title(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0].lstrip("# ").rstrip(".")

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        return tomllib.loads(self.text)

    @property
    def process(self) -> str | None:
        """The process string, where the recipe makes its own points."""
        return self.tables.get("gen", {}).get("process")

    @property
    def is_whole(self) -> bool:
        """Whether its tables, run in their order, need nothing else."""
        tables = self.tables
        return tuple(tables)[: len(_WHOLE)] == _WHOLE and "name" in tables["train"]


def all_recipes() -> list[Recipe]:
    """The recipes that come with ampcli, by name.

    Raises:
        NotFoundError: this installation has none.
    """
    found = shipped_recipes()
    if not found:
        raise NotFoundError("this installation of ampcli has no recipes", "Install the wheel, or use the checkout.")
    return [Recipe(name, path, path.read_text()) for name, path in found.items()]


def find_recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        NotFoundError: there is none of that name.
    """
    known = {recipe.name: recipe for recipe in all_recipes()}
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {close[0]}?" if close else "`ampcli recipes list` names them."
        raise NotFoundError(f'no recipe "{name}"', hint)
    return known[name]


def run_recipe(recipe: Recipe, folder: Path, changes: Sequence[str], registry: Path | None) -> dict[str, Any]:
    """Run all commands of a recipe within a folder, or the rest of them.

    The folder gets ``recipe.toml``, with the changes; stores and results; and the models, in ``registry``.

    Args:
        changes: ``COMMAND.OPTION=VALUE``, in place of values of the recipe or beside them.
        registry: where the models go, None: into the folder.

    Returns:
        The folder, the registry, and the seconds that each command took.

    Raises:
        UsageError: a change that cannot be read, a recipe that needs more than its tables, or a folder that holds
            something else.
        AmpcliError: one of the commands failed.
    """
    if not recipe.is_whole:
        raise UsageError(
            f"the recipe {recipe.name} needs more than its own commands",
            f"`ampcli recipes show {recipe.name}`: its first lines say how it is used.",
        )
    tables = _changed(recipe, changes)
    place = (registry or folder / "registry").absolute()
    settings = {f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()}
    run = Chain.of(
        folder,
        "recipe.json",
        {"recipe": recipe.name, **settings},
        {**os.environ, "AMPCLI_REGISTRY": str(place)},
        f"{folder} holds another recipe, or this one with other settings",
        within=folder,
    )
    _write(folder / "recipe.toml", recipe, tables)
    seconds = {name: run(name, "--config", "recipe.toml", *_GO_ON.get(name, ())) for name in tables}
    return {"recipe": recipe.name, "folder": str(folder), "registry": str(place), "seconds": seconds}


def _changed(recipe: Recipe, changes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The tables with the changes."""
    tables = recipe.tables
    for change in changes:
        where, equals, value = change.partition("=")
        command, dot, option = where.strip().partition(".")
        if not (equals and dot and option):
            raise UsageError(
                f'cannot read {setting("set")} "{change}"', "Write COMMAND.OPTION=VALUE, for example train.epochs=3."
            )
        if command not in tables:
            raise UsageError(f"the recipe {recipe.name} has no command {command}", f"It has {', '.join(tables)}.")
        tables[command][option.replace("-", "_")] = _value(value.strip())
    return tables


def _value(text: str) -> Any:
    """A number, a truth value or a list as TOML writes them; anything else is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _write(file: Path, recipe: Recipe, tables: dict[str, dict[str, Any]]) -> None:
    import tomli_w

    with replacing(file) as draft:
        draft.write_text(f"# The recipe {recipe.name} as it was run: {recipe.title}.\n\n{tomli_w.dumps(tables)}")
