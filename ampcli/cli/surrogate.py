"""`ampcli surrogate`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command, resumable


def add(app: typer.Typer) -> None:
    command(app, "surrogate", 'ampcli surrogate "d d~ > z g g g g g" --events 1e8 --tolerance 0.03:1e-3')(surrogate)


#: Options of `ampcli gen` that this command sets.
_OWN = ("--points", "--workers", "--resume", "--seed", "--part", "--dry-run", "--config", "--json", "--quiet", "-q")


def surrogate(
    process: Annotated[str, typer.Argument(help='One channel in MadGraph syntax: "d d~ > z g g g g".')],
    events: Annotated[str, typer.Option(help="How many amplitudes are needed, for example 1e8 or 50M.")],
    tolerance: Annotated[
        str,
        typer.Option(help="ACCURACY:FRACTION: at most this fraction of events may be off by more than the accuracy."),
    ] = "0.03:1e-3",
    gen: Annotated[
        str | None,
        typer.Option(
            help='Which events, in options of `ampcli gen`: "--beams lhc13 --unweighted --pt-min 30".',
            show_default='"--unweighted --overweight FRACTION/4", of partons with --beams lhc13',
        ),
    ] = None,
    points: Annotated[
        str | None, typer.Option(help="Events to generate for the training.", show_default="the cheapest number")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the registry.", show_default="that of the process")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for stores, trials and reports.", show_default="surrogate-NAME")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of `ampcli gen`.", show_default="cores")] = None,
    registry: RegistryOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the forecast.")] = False,
) -> Result:
    """Find out whether a surrogate pays for a process, and if so make it: trials, forecast, training, check."""
    from ampcli.automation.report import text
    from ampcli.automation.surrogate import Request, make_surrogate
    from ampcli.cli.numbers import parse_count, parse_tolerance
    from ampcli.device import usable_cores
    from ampcli.errors import UsageError
    from ampcli.registry.naming import check_name
    from ampcli.registry.search import find_registry

    accuracy, fraction = parse_tolerance("--tolerance", tolerance)
    named = check_name(_name_of(process) if name is None else name)
    folder = Path(f"surrogate-{named}") if out is None else out
    numbers = {"--events": events} | ({} if points is None else {"--points": points})
    counts = {option: parse_count(option, text) for option, text in numbers.items()}
    if empty := [option for option, count in counts.items() if count == 0]:
        raise UsageError(f"{empty[0]} 0: at least one event is needed")
    request = Request(
        process=process,
        events=counts["--events"],
        accuracy=accuracy,
        tolerance=fraction,
        name=named,
        registry=find_registry(registry),
        folder=folder,
        gen=_options(process, gen, fraction),
        points=counts.get("--points"),
        workers=usable_cores() if workers is None else workers,
        dry_run=dry_run,
    )
    with resumable(f"{folder} keeps what is done", "Run the same command again."):
        found, made = make_surrogate(request)
    document = {"forecast": found.model_dump(mode="json"), "made": None if made is None else made.model_dump()}
    return Result(document, text(found, made))


def _options(process: str, given: str | None, tolerance: float) -> tuple[str, ...]:
    """Options of `ampcli gen`; excess weights carry little of the tolerance, or nothing could be certified.

    Raises:
        UsageError: words that no shell would understand, an option that is set here, or multiparticles.
    """
    from ampcli.channels.multiparticles import named_definitions, used
    from ampcli.errors import UsageError
    from ampcli.process import parse_process

    if used(process, named_definitions([])):
        raise UsageError(f'"{process}" stands for many channels', 'Name one of them, such as "d d~ > z g g g".')
    if given is None:
        leptons = all(leg.kind == "lepton" for leg in parse_process(process).incoming)
        beams = () if leptons else ("--beams", "lhc13")
        return (*beams, "--unweighted", "--overweight", f"{tolerance / 4:g}")
    try:
        words = tuple(shlex.split(given))
    except ValueError as error:
        raise UsageError(f"--gen {given}: {error}", 'Write it as in a shell: "--beams lhc13 --pt-min 30".') from None
    if own := [word for word in words if word.split("=")[0] in _OWN]:
        raise UsageError(f"--gen {given}: {own[0]} is set by this command", "Leave it out.")
    return words


def _name_of(process: str) -> str:
    """A model's name for a process: ddx-zgggg."""
    sides = [side.split() for side in process.lower().split(">")]
    plain = ["".join(word.replace("~", "x").replace("+", "p").replace("-", "m") for word in side) for side in sides]
    return "-".join(plain)
