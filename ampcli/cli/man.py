"""`ampcli man`: the manual page, made of the help of all commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import typer

from ampcli import __version__
from ampcli.cli.command import COMMON

_EXIT_CODES = {
    0: "done",
    1: "failure: a full disk, no permission, a lost worker process",
    2: "usage: a wrong process, option, shape or momentum",
    3: "a required bar was not met",
    4: "not found: a store, model, alias, file or feature block",
    5: "integrity: a checksum, digest or schema does not match",
    6: "locked: another process holds what this one needs",
    75: "interrupted; the same command goes on",
    130: "interrupted by Ctrl-C, where there is nothing to go on with",
}
_VARIABLES = {
    "AMPCLI_REGISTRY": "where models are found, and where new ones go",
    "AMPCLI_CACHE": "generated code of amplitudes",
    "AMPCLI_COMMAND_OPTION": "the value of an option, for example AMPCLI_GEN_Y_CUT=1e-3",
}


def add(app: typer.Typer) -> None:
    app.command("man", epilog="Example: ampcli man > ~/.local/share/man/man1/ampcli.1")(man)


def man(ctx: typer.Context) -> None:
    """Print the manual page (roff)."""
    root = ctx.find_root()
    sys.stdout.write("\n".join(_page(root)) + "\n")


def _page(root: Any) -> Iterator[str]:
    yield f'.TH AMPCLI 1 "" "ampcli {__version__}" "User Commands"'
    yield ".SH NAME"
    yield _text(f"ampcli - {root.command.help[0].lower()}{root.command.help[1:].rstrip('.')}")
    yield ".SH SYNOPSIS"
    yield r"\fBampcli\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]"
    yield ".SH COMMANDS"
    for name, command in root.command.commands.items():
        yield from _command(command, root, name)
    yield ".SH OPTIONS OF ALL COMMANDS"
    features = root.command.commands["features"].make_context("features", [], parent=root, resilient_parsing=True)
    yield from _entries(_options(features, of_all=True))
    yield ".SH EXIT STATUS"
    yield from _entries({str(code): meaning for code, meaning in _EXIT_CODES.items()})
    yield ".SH ENVIRONMENT"
    yield from _entries(_VARIABLES)


def _command(command: Any, parent: Any, name: str) -> Iterator[str]:
    """A command, or all commands of a group."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    if hasattr(command, "commands"):
        for inner, inner_command in command.commands.items():
            yield from _command(inner_command, context, inner)
        return
    arguments = [piece for parameter in command.params for piece in parameter.get_usage_pieces(context)]
    yield f".SS {_text(' '.join([context.command_path, *arguments]))}"
    yield _text(command.help)
    yield from _entries(_options(context, of_all=False))
    if command.epilog:
        example = command.epilog.partition(": ")[2]
        yield from (".P", "Example:", ".EX", _text(example), ".EE")


def _options(context: Any, of_all: bool) -> dict[str, str]:
    """How options are written, and what they do: those that all commands have, or the others.

    The variables that set options have names by one rule, which stands in the section on variables.
    """
    chosen = [p for p in context.command.params if (p.name in (*COMMON, "help")) == of_all]
    records = dict(filter(None, (parameter.get_help_record(context) for parameter in chosen)))
    return {name: re.sub(r" *\[env var: [A-Z_]+\]|env var: [A-Z_]+; ", "", text) for name, text in records.items()}


def _entries(entries: dict[str, str]) -> Iterator[str]:
    for term, meaning in entries.items():
        yield ".TP"
        yield rf"\fB{_text(term)}\fR"
        yield _text(meaning)


def _text(words: str | None) -> str:
    """Text as roff: on one line, no character of it is a command."""
    line = re.sub(r"\s+", " ", words or "").strip().replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{line}" if line[:1] in (".", "'") else line
