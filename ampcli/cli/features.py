"""`ampcli features`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ampcli.cli.command import Result, command, progress_bar, resumable
from ampcli.cli.options import EMISSIONS, MIRRORED, OUTGOING


def add(app: typer.Typer) -> None:
    command(app, "features", "ampcli features ee4.zarr fame")(features)


def features(
    store: Annotated[Path, typer.Argument(help="A finished store.")],
    blocks: Annotated[
        list[str],
        typer.Argument(
            help="Blocks: fame, antenna, invariants, fg1, ig2, iq1^2, ... (fg1+: better choices than the paper's)."
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Write blocks that are there anew.")] = False,
    kernel: Annotated[
        Literal["corrected", "paper"] | None,
        typer.Option(help="Splitting kernels, or those as printed in the paper.", show_default="corrected"),
        EMISSIONS,
    ] = None,
    pair: Annotated[
        Literal["product", "delta-r"] | None,
        typer.Option(
            help="The most singular pair: by p_i.p_j, or by Delta R.", show_default="product; delta-r for blocks with +"
        ),
        EMISSIONS,
        OUTGOING,
    ] = None,
    spectator: Annotated[
        Literal["energetic", "s-ijk"] | None,
        typer.Option(help="Most energetic jet, or largest s_ijk.", show_default="energetic; s-ijk for blocks with +"),
        EMISSIONS,
    ] = None,
    inputs: Annotated[
        Literal["paper", "extended"] | None,
        typer.Option(
            help="Inputs of the network: the paper's, or angles and logarithms as well.",
            show_default="paper; extended for blocks with +",
        ),
        EMISSIONS,
    ] = None,
    orient: Annotated[
        bool | None,
        typer.Option(help="Use the symmetry under exchange of the beams.", show_default="no; yes for blocks with +"),
        EMISSIONS,
        MIRRORED,
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
) -> Result:
    """Compute feature blocks for every point of a store."""
    from ampcli.device import choose_device, set_threads
    from ampcli.features.write import new_block, write_features
    from ampcli.store.reader import open_store

    given = {"kernel": kernel, "pair": pair, "spectator": spectator, "inputs": inputs, "orient": orient}
    choices = {key: value for key, value in given.items() if value is not None}
    chosen = choose_device(device)
    set_threads(threads)
    opened = open_store(store)
    for block in blocks:
        new_block(opened, block, choices)  # refuses unknown ones before anything is written
    written = []
    for block in blocks:
        with (
            resumable(f"{store} is as it was", "Run the same command again."),
            progress_bar("points", opened.rows) as advance,
        ):
            written.append(write_features(opened, block, chosen, replace, choices, advance))
    names = ", ".join(blocks)
    return Result({"store": str(store), "blocks": written}, f"{store}: {opened.rows} rows of features {names}")
