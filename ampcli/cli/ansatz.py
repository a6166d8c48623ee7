"""`ampcli ansatz`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ampcli.cli.command import Result, command, save_configuration


def add(app: typer.Typer) -> None:
    command(app, "ansatz", "ampcli ansatz z4.zarr fg1 fg2 fg3 --out plots/ansatz")(ansatz)


def ansatz(
    store: Annotated[Path, typer.Argument(help="Store with features.")],
    blocks: Annotated[list[str], typer.Argument(help="Features that undo emissions: fg1, iq1, fg1^2, ...")],
    split: Annotated[
        Literal["train", "validation", "test", "all"], typer.Option(help="Which points of the store.")
    ] = "test",
    out: Annotated[
        Path | None, typer.Option(help="Folder for ansatz.json and the plot.", show_default="no files")
    ] = None,
) -> Result:
    """Measure how well splitting kernel times reduced amplitude approximates the exact amplitude."""
    from ampcli.errors import UsageError
    from ampcli.evaluation.ansatz import measure_ansatz
    from ampcli.features.radiations import parse_radiations
    from ampcli.store.reader import open_store

    for name in blocks:
        if parse_radiations(name) is None:
            raise UsageError(f'"{name}" undoes no emission', "Known: fg1, ig1, iq1, fg1^2, fg1+ and such.")
    opened = open_store(store)
    measured = {name: measure_ansatz(opened, name, split) for name in blocks}
    document = {
        "store": str(store),
        "dataset_digest": opened.digest,
        "split": split,
        "blocks": {name: points.quality.model_dump(mode="json") for name, points in measured.items()},
    }
    width = max(map(len, blocks))
    lines = [
        "ln(exact / ansatz): median, standard deviation, half of the central 68 %; points within a factor 2 of it",
        "",
        f"{'':{width}}  {'points':>8} {'median':>8} {'deviation':>10} {'68 %':>8} {'factor 2':>9}",
    ]
    for name, points in measured.items():
        q = points.quality
        numbers = f"{q.points:8} {q.median:8.3f} {q.deviation:10.3f} {q.spread68:8.3f} {q.within_factor_2:9.1%}"
        lines.append(f"{name:{width}}  {numbers}")
    text = "\n".join(lines)
    if out is None:
        return Result(document, text)

    def write() -> str:
        from ampcli.plots.ansatz import plot_ansatz

        written = plot_ansatz(measured, out)
        save_configuration(out, "ansatz")
        return f"\n{len(written)} files in {out}"

    return Result(document, text, write)
