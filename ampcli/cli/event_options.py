"""Options of commands that read files of events."""

from __future__ import annotations

from typing import Annotated

import typer

ProcessOnlyOption = Annotated[
    bool,
    typer.Option("--process-only", help="Take the events of the process from a .lhe file, and count the others."),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out events that are not physical, and count them.")
]
RepairOption = Annotated[
    bool, typer.Option("--repair", help="Put right momenta of too few digits (to 1e-5), and say how far they moved.")
]
OnShellOption = Annotated[
    bool,
    typer.Option(
        "--on-shell",
        help="Move legs of other masses (heavy quarks, a Z off its peak) onto ampcli's mass shells at the energy of "
        "the event, and say how far they moved.",
    ),
]
