"""What every subcommand shares: ``--json``, ``-q``, ``-v``, ``--config``, and how a result is shown.

A command is a thin function decorated with `command`; it parses, imports late, makes one core call and
returns a `Result`.  Precedence of an option's value: flag > ``AMPCLI_...`` variable > ``--config`` file > default.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from ampcli.cli.configuration import check_variables, read_config, write_configuration
from ampcli.cli.effect import effective, effects, refuse_without_effect
from ampcli.errors import InterruptedRun


@dataclass
class Result:
    """What a command found: `document` for ``--json``, `text` for people."""

    document: dict[str, Any]
    text: str


@dataclass
class Shown:
    """How talkative this run is (one process runs one command)."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)


shown = Shown()

_asked_to_stop = threading.Event()

RegistryOption = Annotated[
    Path | None,
    typer.Option("--registry", envvar="AMPCLI_REGISTRY", help="Registry folder.", show_default="./registry"),
]

_Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]
_Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="More on stderr; -vv shows tracebacks.")]


_Config = Annotated[
    Path | None,
    typer.Option("--config", is_eager=True, callback=read_config, help="TOML file with this command's options."),
]

_COMMON = {
    "config": (_Config, None),
    "json": (_Json, False),
    "quiet": (_Quiet, False),
    "verbose": (_Verbose, 0),
}


def command(app: typer.Typer, name: str, example: str) -> Callable[[Callable[..., Result]], Callable[..., None]]:
    """Register a subcommand; `example` is shown below its help."""

    def register(function: Callable[..., Result]) -> Callable[..., None]:
        needs = effects(function)

        @functools.wraps(function)
        def run(ctx: typer.Context, **values: Any) -> None:
            shown.json, shown.quiet, shown.verbose = (values.pop(name) for name in ("json", "quiet", "verbose"))
            values.pop("config")
            check_variables(ctx)
            refuse_without_effect(ctx, needs, values)
            shown.parameters = effective(needs, values)
            level = logging.WARNING if shown.verbose == 0 else logging.INFO
            logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
            show(function(**values))

        signature = inspect.signature(function, eval_str=True)
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in _COMMON.items()
        ]
        context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]
        parameters = [context, *own, *common]
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=parameters, return_annotation=None
        )
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name, epilog=f"Example: {example}")(run)
        return run

    return register


def show(result: Result) -> None:
    """Print a command's result: the document with ``--json``, the text otherwise, nothing with ``-q``."""
    if shown.json:
        sys.stdout.write(json.dumps(result.document, indent=2, allow_nan=False) + "\n")
    elif not shown.quiet and result.text:
        sys.stdout.write(result.text.rstrip("\n") + "\n")


def save_configuration(folder: Path, name: str) -> None:
    """Save this command's arguments, and the options that had an effect, as FOLDER/NAME.toml for ``--config``."""
    write_configuration(folder / f"{name}.toml", name, shown.parameters)


@contextmanager
def progress_bar(unit: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, on a terminal and without ``-q``; yields the function that advances it."""
    from tqdm import tqdm

    drawn = sys.stderr.isatty() and not shown.quiet
    with tqdm(total=total, unit=f" {unit}", unit_scale=True, disable=not drawn, file=sys.stderr) as bar:

        def advance(amount: int) -> None:
            bar.update(amount)
            if _asked_to_stop.is_set():
                raise KeyboardInterrupt

        yield advance


@contextmanager
def resumable(kept: str, how: str) -> Iterator[None]:
    """Ctrl-C and SIGTERM (batch systems) end the run with exit code 75 and say how to go on."""

    def stop(number: int, frame: FrameType | None) -> None:
        _asked_to_stop.set()
        if not _in_destructor(frame):  # there an exception is printed and lost: the next step of progress raises it
            raise KeyboardInterrupt

    _asked_to_stop.clear()

    # SIGINT too: shells start background jobs with it ignored, and then Python does not turn it into an exception.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRun(f"interrupted; {kept}", how) from None
    finally:
        _asked_to_stop.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_destructor(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
