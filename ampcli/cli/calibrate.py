"""`ampcli calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar
from ampcli.cli.over_channels import Values, model_at, name_at, over_channels


def add(app: typer.Typer) -> None:
    command(app, "calibrate", "ampcli calibrate z4-fg1 z4.zarr")(calibrate)


def _at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    name = values["name"] and name_at(values["name"], channel)
    return {"model": model_at(values, values["model"], channel), "store": store, "name": name}


def _name(values: Values) -> str:
    return str(values["name"] or values["model"].partition("@")[0])


@over_channels(lambda values: values["store"], _at, publishes=_name)
def calibrate(
    model: Annotated[
        str,
        typer.Argument(help="name, name@3 or name@alias, of a model or a set.", autocompletion=names.models),
    ],
    store: Annotated[Path, typer.Argument(help="Store or sample whose validation points judge the uncertainties.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the calibrated model.", show_default="the next version of the model")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Publish a model again with uncertainties that hold on the validation points of a store."""
    from ampcli.device import set_threads
    from ampcli.publishing.calibrate import publish_calibrated
    from ampcli.registry.search import find_registry
    from ampcli.store.reader import open_store

    set_threads(threads)
    opened = open_store(store)
    with progress_bar("points", len(opened.split_rows("validation"))) as advance:
        manifest = publish_calibrated(find_registry(registry), model, opened, name, advance)
    assert manifest.recalibration is not None
    scales = manifest.recalibration.scales
    intervals = ", ".join(f"{level} % within {k:.2f}" for level, k in manifest.recalibration.intervals.items())
    text = (
        f"{manifest.reference}: uncertainties of {manifest.parents[0]} times {min(scales):.2f} to {max(scales):.2f}; "
        f"{intervals} of them; fitted to {' and '.join(manifest.recalibration.measures)}"
    )
    return Result(dict(manifest.document), text, found=(manifest,))
