"""`ampcli eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ampcli.cli.command import RegistryOption, Result, command, save_configuration


def add(app: typer.Typer) -> None:
    command(app, "eval", "ampcli eval ee-4jets ee4.zarr --out plots/ee-4jets")(evaluate)


def evaluate(
    model: Annotated[str, typer.Argument(help="name, name@3 or name@alias.")],
    store: Annotated[Path, typer.Argument(help="Store with the exact amplitudes.")],
    split: Annotated[
        Literal["train", "validation", "test", "all"], typer.Option(help="Which points of the store.")
    ] = "test",
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json and the plots.", show_default="no files")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Measure how well a model reproduces exact amplitudes: per point, per region, and in the cross section."""
    from ampcli.device import set_threads
    from ampcli.evaluation.model import evaluate_model
    from ampcli.evaluation.report import table
    from ampcli.inference.predictor import load_predictor
    from ampcli.store.reader import open_store

    set_threads(threads)
    predictor = load_predictor(model, registry, device)
    opened = open_store(store)
    comparison = evaluate_model(predictor, opened, split)
    reference = predictor.manifest.reference
    document = {
        "model": reference,
        "store": str(store),
        "dataset_digest": opened.digest,
        "split": split,
        **comparison.evaluation.model_dump(mode="json"),
    }
    text = f"{reference} on {store} ({split})\n\n{table(comparison.evaluation)}"
    if out is not None:
        from ampcli.plots.evaluation import plot_comparison

        written = plot_comparison(comparison, reference, document, out)
        save_configuration(out, "eval")
        text += f"\n\n{len(written)} files in {out}"
    return Result(document, text)
