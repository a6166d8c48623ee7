"""`ampcli ansatz`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ampcli.cli.command import Result, command, save_configuration
from ampcli.cli.over_channels import Values, over_channels
from ampcli.text_table import aligned


def add(app: typer.Typer) -> None:
    command(app, "ansatz", "ampcli ansatz z4.zarr fg1 fg2 fg3 --out plots/ansatz")(ansatz)


def _at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    return {"store": store, "out": None if values["out"] is None else values["out"] / channel}


@over_channels(lambda values: values["store"], _at)
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
    from ampcli.extras import require
    from ampcli.features.blocks import kind_of
    from ampcli.store.reader import open_store

    if out is not None:
        require("plots")
    for name in blocks:
        if not kind_of(name).undoes_emissions(name):
            raise UsageError(f'"{name}" undoes no emission', "Name emissions, such as fg1, iq1, fg1^2 or fg1+.")
    opened = open_store(store)
    measured = {name: measure_ansatz(opened, name, split) for name in blocks}
    document = {
        "store": str(store),
        "dataset_digest": opened.digest,
        "split": split,
        "blocks": {name: points.quality.model_dump(mode="json") for name, points in measured.items()},
    }
    rows = [["", "points", "median", "deviation", "68 %", "factor 2"]]
    for name, points in measured.items():
        q = points.quality
        numbers = [f"{number:.3f}" for number in (q.median, q.deviation, q.spread68)]
        rows.append([name, str(q.points), *numbers, f"{q.within_factor_2:.1%}"])
    about = "ln(exact / ansatz): median, standard deviation, half of the central 68 %; points within a factor 2 of it"
    text = "\n".join([about, "", *aligned(rows)])
    if out is None:
        return Result(document, text)

    def write() -> str:
        from dataclasses import replace

        from ampcli.evaluation.about import about_split
        from ampcli.plots.ansatz import plot_ansatz
        from ampcli.plots.style import save

        points = max(each.quality.points for each in measured.values())
        written = save(replace(plot_ansatz(measured), about=about_split(opened, split, points)), out)
        save_configuration(out, "ansatz")
        return f"\n{len(written)} files in {out}"

    return Result(document, text, write)
