from __future__ import annotations
from typing import Annotated
from pathlib import Path
import typer
from ampcli.cli.command import command, Result
app = typer.Typer(no_args_is_help=True, help="Trained models: list, show, compare, verify.")

@command(app, "list", "ampcli registry list")
def list_models(registry: Annotated[Path | None, typer.Option(help="Registry folder.")] = None, points: int = 3) -> Result:
    """List the models of a registry."""
    return Result({"p": points}, f"points {points}")
