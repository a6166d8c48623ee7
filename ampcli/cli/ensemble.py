"""`ampcli ensemble`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar
from ampcli.cli.effect import only_with
from ampcli.cli.over_channels import Values, model_at, name_at, over_channels


def add(app: typer.Typer) -> None:
    command(app, "ensemble", "ampcli ensemble ee-4jets-mean ee-4jets@1-20")(ensemble)


def _at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    from ampcli.registry.naming import expand_ranges

    members = [model_at(values, reference, channel) for reference in expand_ranges(values["members"])]
    return {"name": name_at(values["name"], channel), "members": members, "data": store}


@over_channels(lambda values: values["data"], _at, publishes=lambda values: str(values["name"]))
def ensemble(
    name: Annotated[str, typer.Argument(help="Name of the ensemble in the registry.")],
    members: Annotated[
        list[str],
        typer.Argument(
            help="Two or more models of one process, or sets; name@1-20: a range.", autocompletion=names.models
        ),
    ],
    combine: Annotated[
        Literal["mean", "covariance"],
        typer.Option(help="mean, with its standard error; covariance: by uncertainties and correlations (--data)."),
    ] = "mean",
    data: Annotated[
        Path | None,
        typer.Option(help="Store (sample) to measure it on (validation split).", show_default="none"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads.", show_default="all cores"), only_with("data")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda."), only_with("data")] = "auto",
    registry: RegistryOption = None,
) -> Result:
    """Combine trained models into one with an uncertainty."""
    from ampcli.device import choose_device, set_threads
    from ampcli.publishing.ensemble import build_ensemble
    from ampcli.registry.naming import expand_ranges
    from ampcli.registry.search import find_registry
    from ampcli.store.reader import open_store
    from ampcli.uncertainty.kind import UncertaintyKind

    set_threads(threads)
    opened = None if data is None else open_store(data)
    found, chosen = find_registry(registry), choose_device(device)
    if opened is None:
        manifest = build_ensemble(found, name, members, combine, None, chosen)
    else:
        predictions = len(expand_ranges(members)) if combine == "covariance" else 1
        with progress_bar("points", len(opened.split_rows("validation")) * predictions) as advance:
            manifest = build_ensemble(found, name, members, combine, opened, chosen, advance)
    text = f"{manifest.reference}: {combine} of {', '.join(member.model for member in manifest.members)}"
    if "median_abs_delta" in manifest.metrics:
        text += f"; median |Delta| {manifest.metrics['median_abs_delta'].value:.3e} on validation"
    if combine == "mean":
        text += f"\nuncertainties: {UncertaintyKind.ENSEMBLE.described(calibrated=False)}"
    return Result(dict(manifest.document), text, found=(manifest,))
