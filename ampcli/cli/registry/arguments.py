"""Models as arguments, completed in shells."""

from __future__ import annotations

from typing import Annotated

import typer

from ampcli.cli.names import models

Model = Annotated[str, typer.Argument(metavar="MODEL", help="name, name@3 or name@alias.", autocompletion=models)]
Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL]...", help="name, name@3, name@1-3 or name@alias.", autocompletion=models),
]
