"""`ampcli export`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ampcli.cli.command import RegistryOption, Result, command, progress_bar, resumable
from ampcli.cli.effect import only_if


def _is_process(values: Mapping[str, Any]) -> bool:
    return ">" in values["store"]


def _of_events(values: Mapping[str, Any]) -> bool:
    """Whether events are meant: the output says so, or there is a store of that name."""
    from ampcli.events.lhe.packing import EVENT_FILES, HDF5

    if _is_process(values):
        return False
    return values["out"].name.endswith((*EVENT_FILES, HDF5)) or Path(values["store"]).exists()


def _is_model(values: Mapping[str, Any]) -> bool:
    return not _is_process(values) and not _of_events(values)


def _is_library(values: Mapping[str, Any]) -> bool:
    return _is_model(values) and not values["onnx"]


def add(app: typer.Typer) -> None:
    command(app, "export", 'ampcli export "d d~ > z g g" zgg')(export)


def export(
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE|PROCESS|MODEL",
            help='A store or sample of protons; a process such as "d d~ > z g g"; or name, name@3 or name@alias.',
        ),
    ],
    out: Annotated[Path, typer.Argument(help="New event file, .lhe, .lhe.gz, .lhe.zst or .hdf5; or new folder.")],
    seed: Annotated[
        int,
        typer.Option(min=0, help="Seed of colour flows and orientations."),
        only_if(_of_events, "without a store"),
    ] = 1,
    scale_weights: Annotated[
        int | None,
        typer.Option(
            help="7 or 9: a named weight for mu_R and mu_F at 1/2, 1, 2 times the scale (7: none that are 4 apart)."
        ),
        only_if(_of_events, "without a store"),
    ] = None,
    pdf_weights: Annotated[
        list[str] | None,
        typer.Option(help="A named weight for every member of this set of densities. Several times for several."),
        only_if(_of_events, "without a store"),
    ] = None,
    alpha_s_weights: Annotated[
        list[float] | None,
        typer.Option(help="A named weight for this alpha_s(M_Z). Several times for several."),
        only_if(_of_events, "without a store"),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of the amplitude, such as alpha_s=0.13 or m_z=91.1876."),
        only_if(_is_process, "without a process"),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="An ONNX file of a model."), only_if(_is_model, "without a model")
    ] = False,
    first_alone: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Of a pair: the largest relative uncertainty of events left to its first network alone."
        ),
        only_if(_is_library, "without a library of a trained model"),
    ] = None,
    registry: RegistryOption = None,
) -> Result:
    """Write events of a store for a parton shower (LHE), or an amplitude as a library for event generators.

    Events: ampcli export z4.zarr z4.lhe.  A library is a folder with libampcli.so, its headers and the amplitude, which
    C, C++ and Fortran programs link.
    """
    with resumable("nothing was written", "Run the same command again."):
        if _of_events({"store": store, "out": out}):
            return _export_events(Path(store), out, seed, scale_weights, pdf_weights or [], alpha_s_weights or [])
        if _is_process({"store": store}):
            return _export_process(store, out, parameter or [])
        return _export_model(store, out, registry, onnx, first_alone)


def _export_events(
    store: Path, out: Path, seed: int, scales: int | None, densities: list[str], couplings: list[float]
) -> Result:
    from ampcli.channels.record import is_sample
    from ampcli.channels.sample import facts_of, open_sample
    from ampcli.events.lhe.write import write_lhe
    from ampcli.phasespace.variations import (
        Choice,
        Variation,
        alpha_s_variations,
        pdf_variations,
        scale_variations,
    )
    from ampcli.store.reader import open_store

    asked = scales is not None or bool(densities or couplings)

    def variations(central: Choice) -> list[Variation]:
        points = [] if scales is None else scale_variations(central, scales)
        return points + pdf_variations(central, densities) + alpha_s_variations(central, couplings)

    facts = None
    if is_sample(store):
        plan, stores = open_sample(store)
        facts = facts_of(plan, stores)
    else:
        stores = [open_store(store)]
    total = sum(each.rows for each in stores)
    with progress_bar("events", total) as advance:
        rows = write_lhe(stores, out, seed, variations if asked else None, advance, facts)
    text = f"{out}: {rows} events" + (f" of {len(stores)} channels" if facts else "")
    if rows < total:
        text += f"; {total - rows} of weight 0 were left out"
    return Result({"store": str(store), "out": str(out), "events": rows}, text)


def _export_process(process: str, out: Path, parameters: list[str]) -> Result:
    from ampcli.cli.numbers import parse_parameters
    from ampcli.library.folder import write_library
    from ampcli.library.sources import exact_source

    source = exact_source(process, parse_parameters("--parameter", parameters))
    manifest = write_library(source.content, out, source.about)
    return Result({"out": str(out), **manifest}, _linked(out, manifest))


def _export_model(model: str, out: Path, registry: Path | None, onnx: bool, first_alone: float | None) -> Result:
    from ampcli.inference.load import load_predictor
    from ampcli.library.folder import write_library, write_onnx
    from ampcli.library.sources import model_source

    predictor = load_predictor(model, registry, "cpu")
    if onnx:
        manifest = write_onnx(predictor, out)
        text = f"{out}: {manifest['name']}; inputs of model.onnx: {', '.join(manifest['inputs'])}"
    else:
        source = model_source(predictor, first_alone)
        manifest = write_library(source.content, out, source.about)
        text = _linked(out, manifest)
    return Result({"out": str(out), **manifest}, text)


def _linked(out: Path, manifest: Mapping[str, Any]) -> str:
    return f"{out}: {manifest['name']} ({manifest['kind']}); link it with -I{out} -L{out} -lampcli"
