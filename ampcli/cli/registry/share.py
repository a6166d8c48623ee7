"""``ampcli registry export``, ``import`` and ``pull``: models from and for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command, progress_bar
from ampcli.cli.registry.arguments import Model


def add(app: typer.Typer) -> None:
    command(app, "export", "ampcli registry export ee-4jets@3 ee-4jets.tar")(export_file)
    command(app, "import", "ampcli registry import ee-4jets.tar --as colleague-4jets")(import_file)
    command(app, "pull", "ampcli registry pull ee-4jets@3 --from https://example.org/registry")(pull_model)


def export_file(
    model: Model,
    file: Annotated[Path, typer.Argument(help="The tar file to write, FILE.tar.")],
    registry: RegistryOption = None,
) -> Result:
    """Write a model or a set, with its members, to one file."""
    from ampcli.registry.archive import export_model
    from ampcli.registry.resolve import resolve
    from ampcli.registry.search import find_registry

    found = find_registry(registry)
    exported = export_model(resolve(found, model), file, found)
    return Result({"file": str(file), "models": exported}, f"{', '.join(exported)} -> {file}")


def import_file(
    file: Annotated[str, typer.Argument(help="What `ampcli registry export` wrote: a path, or an http(s) address.")],
    name: Annotated[
        str | None,
        typer.Option("--as", help="Another name for the model; members become NAME-MEMBER.", show_default="its own"),
    ] = None,
    registry: RegistryOption = None,
) -> Result:
    """Add the models of an exported file, verified first; versions never change."""
    from ampcli.inference.probe import check_probe
    from ampcli.registry.archive import import_model
    from ampcli.registry.pull import fetched
    from ampcli.registry.search import find_registry

    found = find_registry(registry)
    with progress_bar("B", None) as advance, fetched(file, advance) as archive:
        imported = import_model(found, archive, check_probe, name)
    return Result({"registry": str(found.top), "models": imported}, f"{', '.join(imported)} -> {found.top}")


def pull_model(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="name@3 or name@alias there; of a folder name alone, the newest.")
    ],
    source: Annotated[
        str, typer.Option("--from", help="Another registry: a folder, or the http(s) address where it is served.")
    ],
    registry: RegistryOption = None,
) -> Result:
    """Copy a model or a set, with its members, from another registry, verified first; versions never change."""
    from ampcli.inference.probe import check_probe
    from ampcli.registry.pull import pull
    from ampcli.registry.search import find_registry

    found = find_registry(registry)
    with progress_bar("B", None) as advance:
        pulled = pull(found, model, source, check_probe, advance)
    return Result({"registry": str(found.top), "models": pulled}, f"{', '.join(pulled)} -> {found.top}")
