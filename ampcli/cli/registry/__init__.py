"""``ampcli registry``: the trained models, a file for each group of commands."""

from __future__ import annotations

import typer

from ampcli.cli.registry import aliases, card, compare, listing, prune, share, show, verify

app = typer.Typer(no_args_is_help=True, help="Trained models: list, show, compare, verify, share, prune.")

for module in (listing, show, card, compare, verify, aliases, share, prune):
    module.add(app)
