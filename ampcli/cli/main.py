"""The entry point: assembles the subcommands and maps every failure to a message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import typer

from ampcli import __version__
from ampcli.cli.command import shown
from ampcli.cli.completion import COMPLETE_VARIABLE
from ampcli.errors import AmpcliError

INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ampcli {__version__}\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_version, help="Show the version."),
) -> None:
    """Fast, factorisation-aware surrogates of exact scattering amplitudes."""


def build_app() -> typer.Typer:
    """The application with all its subcommands.  Nothing heavy (torch, zarr, matplotlib) is imported here."""
    from ampcli.cli import (
        ansatz,
        calibrate,
        completion,
        demo,
        doctor,
        ensemble,
        eval,
        export,
        features,
        gen,
        predict,
        registry,
        speedup,
        train,
        trajectory,
    )

    app = typer.Typer(
        name="ampcli",
        no_args_is_help=True,
        add_completion=False,  # `ampcli completion SHELL` prints the script
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"auto_envvar_prefix": "AMPCLI", "help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in (
        gen,
        features,
        ansatz,
        train,
        ensemble,
        calibrate,
        eval,
        trajectory,
        speedup,
        predict,
        export,
        demo,
        doctor,
        completion,
    ):
        module.add(app)
    app.add_typer(registry.app, name="registry")
    return app


def main() -> None:
    """Run the command line and leave with its exit code (`design`: 0 1 2 3 4 5 6 75 130)."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code after printing at most one clear error."""
    if COMPLETE_VARIABLE in os.environ:  # the shell asks for completions
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        outcome = typer.main.get_command(build_app()).main(arguments, prog_name="ampcli", standalone_mode=False)
        if outcome == INTERRUPTED:  # typer turns Ctrl-C into this outcome
            return _fail("interrupted", INTERRUPTED)
        return outcome if isinstance(outcome, int) else 0
    except AmpcliError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:  # unknown option, missing argument, a value of the wrong type
        if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help itself
            sys.stderr.write(error.format_message() + "\n")
            return 2
        return _fail(error.format_message(), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except OSError as error:
        return _fail(_explain_os_error(error), 4 if isinstance(error, FileNotFoundError) else 1)
    except MemoryError:
        return _fail("out of memory", 1)
    except Exception as error:
        return _fail(f"internal error: {type(error).__name__}: {error} (-vv shows the traceback)", 1)


def _explain_os_error(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space left on the disk{where}\n  Free some space and run the same command again."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"no permission to write{where}\n  Choose another place, or ask for write access."
    return f"{error.strerror or error}{where}"


def _fail(message: str, code: int) -> int:
    if shown.verbose >= 2:
        traceback.print_exc()
    sys.stderr.write(f"ampcli: error: {message}\n")
    return code
