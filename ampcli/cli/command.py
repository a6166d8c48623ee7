"""What every subcommand shares: ``--json``, ``-q``, ``-v``, ``--config``, and how a result is shown.

A command is a thin function decorated with `command`; it parses, imports late, makes one core call and
returns a `Result`.  Precedence of an option's value: flag > ``AMPCLI_...`` variable > ``--config`` file > default.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand

from ampcli import interrupt
from ampcli.cli.configuration import check_variables, configuration_text, read_config, write_configuration
from ampcli.cli.effect import effective, effects, refuse_without_effect
from ampcli.cli.executor import AsJobs
from ampcli.cli.output import Unfailing, say, shown, write_document, write_text
from ampcli.errors import AmpcliError, InterruptedRun
from ampcli.objects import place
from ampcli.system_errors import explain


@dataclass
class Result:
    """What a command found: `document` for ``--json``, `text` for people.

    `write` makes files (plots) and says so in a line; it runs once the rest is shown, so that nothing is lost with it.
    `found`: what the document was made of (manifests of published models, evaluations, a report), for whom it concerns.
    """

    document: dict[str, Any]
    text: str
    write: Callable[[], str] | None = None
    found: tuple[Any, ...] = ()


_WIPED = "\r\x1b[K"  # what stands in the line of a terminal

#: Arguments and options of this run that have an effect (one process runs one command).
_parameters: dict[str, Any] = {}

RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        envvar="AMPCLI_REGISTRY",
        help="Registry folder, or several with : between them: all are read, the first is written to.",
        show_default="./registry",
    ),
]

_Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]
_Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="More on stderr; -vv shows tracebacks.")]


_Config = Annotated[
    Path | None,
    typer.Option("--config", is_eager=True, callback=read_config, help="TOML file with this command's options."),
]

#: Options of all commands.
COMMON = {
    "config": (_Config, None),
    "json": (_Json, False),
    "quiet": (_Quiet, False),
    "verbose": (_Verbose, 0),
}


#: Parameters that are made when a command is asked for, not when the application is built.
Late = Callable[[], Sequence[inspect.Parameter]]


def command(
    app: typer.Typer, name: str, example: str, late: Late = tuple, jobs: AsJobs | None = None
) -> Callable[[Callable[..., Result]], Callable[..., None]]:
    """Register a subcommand; `example` is shown below its help.

    Args:
        late: parameters beside those of the function, which takes them as ``**options``, or in the place of those of
            the same name: for what is known once catalogues or heavy modules are read, which other commands, and the
            help of all of them, need not.
        jobs: how it becomes jobs (``--executor``).
    """

    def register(function: Callable[..., Result]) -> Callable[..., None]:
        epilog = f"Example: {example}"

        def complete() -> TyperCommand:
            alone = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
            alone.command(name, epilog=epilog)(_runner(function, late(), jobs))
            return cast(TyperCommand, typer.main.get_command(alone))

        run = _runner(function, (), jobs)
        app.command(name, epilog=epilog, cls=TyperCommand if late is tuple else _late_command(complete))(run)
        return run

    return register


def names_of(function: Callable[..., Result]) -> set[str]:
    """Names of the options that a command has of its own, and of those that all have."""
    return {*inspect.signature(function).parameters, *COMMON}


def _late_command(complete: Callable[[], TyperCommand]) -> type[TyperCommand]:
    """A command with name and help; for everything else there is the complete one, which is made then."""
    made = functools.cache(complete)

    class LateCommand(TyperCommand):
        params = property(lambda self: made().params, lambda self, few: None)

        def make_context(self, *args: Any, **kwargs: Any) -> Any:
            return made().make_context(*args, **kwargs)

    return LateCommand


def _runner(
    function: Callable[..., Result], late: Sequence[inspect.Parameter], jobs: AsJobs | None
) -> Callable[..., None]:
    """What Typer calls: `function` with the options that all commands share, those made late, and those of jobs."""
    signature = inspect.signature(function, eval_str=True)
    own = {p.name: p for p in signature.parameters.values() if p.kind != inspect.Parameter.VAR_KEYWORD}
    own |= {p.name: p for p in late}
    of_jobs = {} if jobs is None else jobs.parameters
    own |= of_jobs
    needs = effects(own.values())

    @functools.wraps(function)
    def run(ctx: typer.Context, **values: Any) -> None:
        shown.json, shown.quiet, shown.verbose = (values.pop(name) for name in ("json", "quiet", "verbose"))
        values.pop("config")
        check_variables(ctx)
        values = {name: place(value) if isinstance(value, Path) else value for name, value in values.items()}
        refuse_without_effect(ctx, needs, values)
        _parameters.clear()
        _parameters.update({name: v for name, v in effective(needs, values).items() if name not in of_jobs})
        level = logging.INFO if shown.verbose else logging.ERROR if shown.quiet else logging.WARNING
        logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
        # Zarr's unfinished reads, after an error or a signal
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        if jobs is not None and values["executor"] is not None:
            result = jobs.run(ctx, values)
        else:
            result = function(**{name: value for name, value in values.items() if name not in of_jobs})
        show(result)
        if result.write is not None:
            with interrupt.held():  # a set of files is written to its end
                line = result.write()
            show(Result({}, line))

    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own.values()),
        *(
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in COMMON.items()
        ),
    ]
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=None
    )
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def show(result: Result) -> None:
    """Print a command's result: the document with ``--json``, the text otherwise, nothing with ``-q``."""
    if shown.json:
        if result.document:
            write_document(json.dumps(result.document, indent=2, allow_nan=False) + "\n")
    elif not shown.quiet and result.text:
        write_text(result.text.rstrip("\n") + "\n")


def silence() -> None:
    """From now on this run says nothing but errors: another process says the same."""
    shown.json, shown.quiet = False, True
    logging.getLogger().setLevel(logging.ERROR)


def configuration(name: str) -> str:
    """This command's arguments, and the options that had an effect, as TOML for ``--config``."""
    return configuration_text(name, _parameters)


def save_configuration(folder: Path, name: str, leave_out: Collection[str] = ()) -> None:
    """Save this command's arguments, and the options that had an effect, as FOLDER/NAME.toml for ``--config``."""
    kept = {key: value for key, value in _parameters.items() if key not in leave_out}
    write_configuration(folder / f"{name}.toml", name, kept)


@contextmanager
def progress_bar(unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, on a terminal and without ``-q``; yields the function that advances it."""
    from tqdm import tqdm

    tqdm.monitor_interval = (
        0  # its thread, which cannot start where memory is short, would be for bars that stand still
    )
    drawn = sys.stderr.isatty() and not shown.quiet
    options = {"unit": f" {unit}", "unit_scale": True, "disable": not drawn, "file": Unfailing(sys.stderr)}
    with tqdm(total=total, leave=None, **options) as bar:  # of a bar within another, nothing is left

        def advance(amount: int) -> None:
            bar.update(amount)
            interrupt.check()

        yield advance


def say_above(line: str) -> None:
    """Say a line on stderr, where a bar may stand: it comes again below."""
    say(f"{_WIPED if sys.stderr.isatty() else ''}{line}\n")


@contextmanager
def resumable(kept: str, how: str) -> Iterator[None]:
    """Work that a signal ends with exit code 75, saying what is kept and how to go on; and so does a full disk."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRun(f"interrupted; {kept}", how) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        what, hint = explain(error, again=how)
        raise AmpcliError(f"{what}; {kept}", hint) from error
