"""``ampcli registry list``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ampcli.cli.command import RegistryOption, Result, command
from ampcli.cli.registry.tables import table

if TYPE_CHECKING:
    from ampcli.registry.search import Registry
    from ampcli.registry.summary import Summary

Order = Literal["name", "process", "accuracy", "size", "date"]


def add(app: typer.Typer) -> None:
    command(app, "list", "ampcli registry list --process '* > z g*' --sort accuracy")(list_models)


def list_models(
    process: Annotated[
        str | None, typer.Option(help="Only models of this process; * and ? stand for anything.", show_default="all")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="Only this kind: as in train --model, ensemble or set; * and ?.", show_default="all"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only these names; * and ?.", show_default="all")] = None,
    sort: Annotated[Order, typer.Option(help="name, process, accuracy (best first), size or date (newest first).")] = (
        "name"
    ),
    registry: RegistryOption = None,
) -> Result:
    """List the models: versions, aliases, and what the newest version is; mean |Delta| is that of validation."""
    from ampcli.registry.search import find_registry
    from ampcli.registry.summary import matches, summaries

    found = find_registry(registry)
    if not found.folders[0].is_dir():
        _ = found.own  # says what is wrong, where something was asked for that is not there
    listed = [
        each
        for each in summaries(found)
        if matches(each.process, process) and matches(each.trained_as, kind) and matches(each.name, name)
    ]
    listed.sort(key=_ORDERS[sort])
    listed.sort(key=lambda each: found.folders.index(each.registry))
    document = {"registry": str(found.top), "models": [_document(each) for each in listed]}
    return Result(document, _text(found, listed))


_ORDERS: dict[str, Callable[[Summary], Any]] = {
    "name": lambda each: each.name,
    "process": lambda each: (each.process, each.name),
    "accuracy": lambda each: (each.accuracy is None, each.accuracy.value if each.accuracy else 0.0, each.name),
    "size": lambda each: (-each.bytes, each.name),
    "date": lambda each: (_Reversed(each.created), each.name),
}


class _Reversed(str):
    """A text that comes before what it comes after."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _document(each: Summary) -> dict[str, Any]:
    accuracy = None if each.accuracy is None else each.accuracy.model_dump()
    return {**vars(each), "registry": str(each.registry), "accuracy": accuracy}


def _text(registry: Registry, listed: Sequence[Summary]) -> str:
    parts = []
    for folder, each in groupby(listed, key=lambda one: one.registry):
        parts.append(f"{_title(registry, folder)}\n{_table(list(each))}")
    from ampcli.registry.search import called

    shown = {each.registry for each in listed}
    parts += [f"no models in the registry {called(folder)}" for folder in registry.named if folder not in shown]
    return "\n\n".join(parts)


def _title(registry: Registry, folder: Path) -> str:
    return f"{folder} (ships with ampcli)" if folder == registry.shipped else str(folder)


def _table(listed: Sequence[Summary]) -> str:
    from ampcli.text_table import bytes_text

    rows = [["name", "versions", "aliases", "process", "kind", "mean|Delta|", "size", "date"]]
    for each in listed:
        pointers = ", ".join(f"{alias} = {version}" for alias, version in each.aliases.items())
        accuracy = "-" if each.accuracy is None else f"{100 * each.accuracy.value:.3g} %"
        kind = f"{each.trained_as} (broken)" if each.broken else each.trained_as
        rows.append([each.name, _ranges(each.versions), pointers or "-", each.process, kind, accuracy])
        rows[-1] += [bytes_text(each.bytes), each.created[:10]]
    text = table(rows, least=("size", "date", "aliases", "versions", "kind", "mean|Delta|"))
    broken = [f"{each.name}@{each.versions[-1]} is broken: {each.broken}" for each in listed if each.broken]
    return "\n".join([text, *broken])


def _ranges(versions: Sequence[int]) -> str:
    """1, 2, 3, 5 as "1-3, 5"."""
    runs: list[list[int]] = []
    for version in versions:
        if runs and version == runs[-1][-1] + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
