"""`ampcli demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import Result, command, resumable


def add(app: typer.Typer) -> None:
    command(app, "demo", "ampcli demo demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for stores, models and plots.")] = Path("demo"),
    scale: Annotated[float, typer.Option(min=0.001, max=1000, help="Points and epochs: 0.1 for a quick look.")] = 1.0,
) -> Result:
    """The main job on real amplitudes, 3 and 4 jets: generate, train, evaluate; prints every command it runs."""
    from ampcli.demonstration import run_demo

    with resumable(f"{folder} keeps what is done", "Run the same command again."):
        return Result(*run_demo(folder, scale))
