"""`ampcli export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import Result, command, progress_bar, resumable


def add(app: typer.Typer) -> None:
    command(app, "export", "ampcli export z4.zarr z4.lhe")(export)


def export(
    store: Annotated[Path, typer.Argument(help="A store of proton collisions.")],
    out: Annotated[Path, typer.Argument(help="New event file, .lhe or .lhe.gz.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of colour flows and orientations.")] = 1,
) -> Result:
    """Write the events of a store as a Les Houches event file, with colour flows, for a parton shower."""
    from ampcli.errors import UsageError
    from ampcli.events.lhe.write import write_lhe
    from ampcli.store.reader import open_store

    if not out.name.endswith((".lhe", ".lhe.gz")):
        raise UsageError(f"{out}: the output is a .lhe or .lhe.gz file")
    opened = open_store(store)
    with (
        resumable("nothing was written", "Run the same command again."),
        progress_bar("events", opened.rows) as advance,
    ):
        rows = write_lhe(opened, out, seed, advance)
    text = f"{out}: {rows} events"
    if rows < opened.rows:
        text += f"; {opened.rows - rows} of weight 0 were left out"
    return Result({"store": str(store), "out": str(out), "events": rows}, text)
