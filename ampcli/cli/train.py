"""`ampcli train`: its options are those of the kinds of models, which import torch; so they are made when asked for."""

from __future__ import annotations

import typer

from ampcli.cli.command import late_command


def add(app: typer.Typer) -> None:
    late_command(
        app,
        "train",
        "Train networks on a store and publish them in the registry.",
        "ampcli train ee4.zarr --model fame --name ee-4jets --preset small",
        "ampcli.cli.train_run:train",
    )
