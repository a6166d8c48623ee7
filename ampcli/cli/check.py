"""`ampcli check`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from ampcli.cli.command import Result, command, progress_bar, show
from ampcli.cli.event_options import OnShellOption
from ampcli.cli.names import provider_names, starting_with


def add(app: typer.Typer) -> None:
    command(app, "check", "ampcli check events.lhe.gz", late=_late)(check)


def _late() -> list[inspect.Parameter]:
    """The names of checks and of providers."""
    from ampcli.events.check.findings import CHECKS

    *names, auto = provider_names()
    skip = typer.Option(help=f"Leave out a check (repeatable): {', '.join(CHECKS)}.", autocompletion=_starting(CHECKS))
    provider = typer.Option(
        help=f"Who computes |M|^2: {', '.join(names)} (which generates code, where that is needed), {auto}: those that "
        "need no preparation, or none.",
        autocompletion=starting_with(lambda: [*provider_names(), "none"]),
    )
    only = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter("skip", only, default=None, annotation=Annotated[list[str] | None, skip]),
        inspect.Parameter("provider", only, default=auto, annotation=Annotated[str, provider]),
    ]


def _starting(names: Any) -> Any:
    return starting_with(lambda: list(names))


def check(
    events: Annotated[Path, typer.Argument(help="Les Houches event file, also packed (gzip, zstd).")],
    skip: list[str] | None = None,
    provider: str = "auto",
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the provider, such as m_z=91.1876.")
    ] = None,
    on_shell: OnShellOption = False,
) -> Result:
    """Check an event file of any generator: |M|^2, momenta, mass shells, colours, weights, scales, alpha_s, beams.

    Ends with exit code 3, naming the events, if something is wrong.
    """
    from ampcli.cli.numbers import parse_parameters
    from ampcli.errors import BarNotMetError
    from ampcli.events.check.findings import checks_named
    from ampcli.events.check.report import report
    from ampcli.events.check.run import check_file
    from ampcli.events.exact import Choice

    choice = Choice(provider, parse_parameters("--parameter", parameter or []), on_shell)
    choice.require_possible()
    skipped = checks_named(skip or [])
    with progress_bar("events", None) as advance:
        checked = check_file(events, choice, skipped, advance)
    result = Result(checked.document, report(checked))
    if wrong := checked.findings.wrong:
        show(result)
        raise BarNotMetError(
            f"{events} has {len(wrong)} kind{'s' if len(wrong) > 1 else ''} of faults: "
            + "; ".join(finding.named for finding in wrong)
        )
    return result
