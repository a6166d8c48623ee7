"""`ampcli features`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import Result, command, progress_bar, resumable


def add(app: typer.Typer) -> None:
    command(app, "features", "ampcli features ee4.zarr fame")(features)


def features(
    store: Annotated[Path, typer.Argument(help="A finished store.")],
    blocks: Annotated[list[str], typer.Argument(help="Blocks: fame, invariants, fg1, fq1, ig2, iq1^2, ...")],
    replace: Annotated[bool, typer.Option("--replace", help="Write blocks that are there anew.")] = False,
    kernel: Annotated[
        str, typer.Option(help="Splitting kernels of fg1 and the like: corrected, or paper (as printed).")
    ] = "corrected",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
) -> Result:
    """Compute feature blocks for every point of a store."""
    from ampcli.device import choose_device, set_threads
    from ampcli.errors import UsageError
    from ampcli.features.write import new_block, write_features
    from ampcli.store.reader import open_store

    if kernel not in ("corrected", "paper"):
        raise UsageError(f"--kernel {kernel}: unknown", "Known: corrected, paper.")
    chosen = choose_device(device)
    set_threads(threads)
    opened = open_store(store)
    for block in blocks:
        new_block(opened, block, kernel)  # refuses unknown ones before anything is written
    written = []
    for block in blocks:
        with (
            resumable(f"{store} is as it was", "Run the same command again."),
            progress_bar("points", opened.rows) as advance,
        ):
            written.append(write_features(opened, block, chosen, replace, kernel, advance))
    names = ", ".join(blocks)
    return Result({"store": str(store), "blocks": written}, f"{store}: {opened.rows} rows of features {names}")
