"""The entry point: signals first, then the command, and every failure becomes a message and an exit code.

Nothing that takes time is imported before `main` listens to signals.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ampcli import interrupt
from ampcli.cli.output import flag, one_run, open_standard_streams, say, shown
from ampcli.errors import AmpcliError, InterruptedRun

INTERRUPTED = 130
RESUMABLE = InterruptedRun.exit_code

#: Commands that end with 75 on Ctrl-C too: repeating them goes on, or costs nothing that was kept.
_GO_ON = ("gen", "features", "train", "predict", "export", "reweight", "demo")


def main() -> None:
    """Run the command line and leave with its exit code (docs/commands.md)."""
    try:
        interrupt.listen()
        open_standard_streams()
        import warnings

        # Zarr's, when a signal comes
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        sys.unraisablehook = _unraisable
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _interrupted(sys.argv[1:])
    interrupt.ignore()
    try:
        sys.stdout.flush()
    except OSError:  # said already, or nobody reads it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


def _unraisable(failure: sys.UnraisableHookArgs) -> None:
    """Destructors of what a signal left half built complain; who asked to stop need not read it."""
    if interrupt.asked() is None:
        sys.__unraisablehook__(failure)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code after printing at most one clear error."""
    with interrupt.listening(), one_run():
        try:
            return _run(arguments)
        except SystemExit as error:  # the reader of a pipe has gone
            return error.code if isinstance(error.code, int) else 1
        except BaseException as error:
            return _failed(error, arguments)


def _run(arguments: list[str]) -> int:
    import typer

    from ampcli.cli import app
    from ampcli.cli.completion import COMPLETE_VARIABLE

    application = typer.main.get_command(app.build_app())
    if COMPLETE_VARIABLE in os.environ:  # the shell asks for completions
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
        with _without_warnings():  # on a line that somebody types
            outcome = application.main(arguments, prog_name="ampcli", standalone_mode=False)
    else:
        outcome = application.main(arguments, prog_name="ampcli", standalone_mode=False)
    if outcome == INTERRUPTED:  # typer turns Ctrl-C into this outcome
        raise KeyboardInterrupt
    return outcome if isinstance(outcome, int) else 0


@contextmanager
def _without_warnings() -> Iterator[None]:
    import logging

    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _failed(error: BaseException, arguments: list[str]) -> int:
    if isinstance(error, AmpcliError) and error.said_elsewhere:
        return error.exit_code
    if isinstance(error, InterruptedRun):
        return _fail(error.told(flag), error.exit_code)
    if interrupt.asked() is not None or isinstance(error, KeyboardInterrupt):  # whatever came of it on its way here
        return _interrupted(arguments)
    if isinstance(error, AmpcliError):
        return _fail(error.told(flag), error.exit_code)
    if isinstance(error, RuntimeError) and _has_no_thread(error):
        error = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    if isinstance(error, OSError):
        from ampcli.system_errors import explain

        return _fail(AmpcliError(*explain(error)).told(flag), 4 if isinstance(error, FileNotFoundError) else 1)
    if _is_out_of_memory(error):
        return _fail("out of memory\n  Use fewer --workers, smaller batches, or a machine with more memory.", 1)
    if isinstance(error, ImportError):
        return _fail(f"a package cannot be loaded: {error}\n  Raise the limit of memory, or install ampcli again.", 1)

    import typer

    if isinstance(error, typer.TyperException):  # unknown option, missing argument, a value of the wrong type
        if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help itself
            say(error.format_message() + "\n")
            return 2
        return _fail(error.format_message(), 2)
    if isinstance(error, typer.Abort):
        return _interrupted(arguments)
    return _fail(f"internal error: {type(error).__name__}: {error} (-vv shows the traceback)", 1)


def _has_no_thread(error: RuntimeError) -> bool:
    from ampcli.system_errors import NO_THREAD

    return str(error) == NO_THREAD


def _is_out_of_memory(error: BaseException) -> bool:
    said = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError | SystemError)
        and any(words in said for words in ("not enough memory", "out of memory", "allocate memory", "failed to map"))
    )


def _interrupted(arguments: list[str]) -> int:
    from signal import SIGINT

    command = next((word for word in arguments if not word.startswith("-")), "")
    by_hand = interrupt.asked() in (None, SIGINT)
    code = INTERRUPTED if by_hand and command not in _GO_ON else RESUMABLE
    return _fail("interrupted; nothing was written\n  Run the same command again.", code)


def _fail(message: str, code: int) -> int:
    if shown.verbose >= 2:
        import traceback

        traceback.print_exc()
    say(f"ampcli: error: {message}\n")
    return code
