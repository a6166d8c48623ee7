"""`ampcli ensemble`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ampcli.cli.command import RegistryOption, Result, command


def add(app: typer.Typer) -> None:
    command(app, "ensemble", "ampcli ensemble ee-4jets-mean ee-4jets@1 ee-4jets@2 ee-4jets@3")(ensemble)


def ensemble(
    name: Annotated[str, typer.Argument(help="Name of the ensemble in the registry.")],
    members: Annotated[list[str], typer.Argument(help="Two or more models of one process.")],
    combine: Annotated[
        Literal["mean"], typer.Option(help="mean: with the standard error of the mean as uncertainty.")
    ] = "mean",
    registry: RegistryOption = None,
) -> Result:
    """Combine trained models into one with an uncertainty."""
    from ampcli.ensembles.build import build_ensemble
    from ampcli.registry.resolve import registry_root

    manifest = build_ensemble(registry_root(registry), name, members, combine)
    text = f"{manifest.reference}: {combine} of {', '.join(member.model for member in manifest.members)}"
    return Result(manifest.model_dump(mode="json"), text)
