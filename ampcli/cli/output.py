"""Text on stdout and stderr, whatever they are: closed, a broken pipe, a terminal that knows only ASCII."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ampcli.errors import AmpcliError

if TYPE_CHECKING:
    from typing import Any, TextIO


@dataclass
class Shown:
    """How talkative this run is (a process runs one command at a time)."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0


shown = Shown()


@contextmanager
def one_run() -> Iterator[None]:
    """A run starts with the defaults of `shown`; afterwards it is as before."""
    before = dict(vars(shown))
    vars(shown).update(vars(Shown()))
    try:
        yield
    finally:
        vars(shown).update(before)


_ASCII = str.maketrans({"±": "+-", "–": "-", "—": "-", "×": "x", "≤": "<=", "≥": ">=", "…": "..."})

_closed: set[str] = set()


def open_standard_streams() -> None:
    """Send what is closed to /dev/null: else the next file that is opened would take its place, and its output."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            _closed.add(name)
            setattr(sys, name, open(os.devnull, "r+" if name == "stdin" else "w"))  # noqa: SIM115


_WIDTH = 120


def width() -> int:
    """Of the terminal, in characters: COLUMNS, or what it says, or in a pipe or a file what people can read."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH


def flag(name: str) -> str:
    """The option of the command line for a parameter."""
    return "--" + name.replace("_", "-")


def write_text(text: str) -> None:
    """Write for people: characters that the terminal does not know are spelled out, control characters shown.

    Raises:
        OSError: the disk behind stdout is full, or its reader has gone.
    """
    _write(
        "".join(
            character if character in "\n\t" or character.isprintable() else _escaped(character) for character in text
        )
    )


def write_document(text: str) -> None:
    """Write for programs.

    Raises:
        AmpcliError: stdout is closed.
        OSError: the disk behind stdout is full, or its reader has gone.
    """
    if "stdout" in _closed:
        raise AmpcliError("stdout is closed, and --json writes to it", "Send it to a file, or leave out --json.")
    _write(text)


def say(message: str) -> None:
    """Write to stderr, if anyone can still read it."""
    with suppress(OSError, ValueError):
        sys.stderr.write(_encodable(message, sys.stderr.encoding))
        sys.stderr.flush()


class Unfailing:
    """A stream whose failures are ignored: a run does not end because its terminal has gone."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self.stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _write(text: str) -> None:
    sys.stdout.write(_encodable(text, sys.stdout.encoding))
    sys.stdout.flush()


def _encodable(text: str, encoding: str | None) -> str:
    codec = encoding or "ascii"
    try:
        text.encode(codec)
        return text
    except UnicodeEncodeError:
        import unicodedata

        plain = unicodedata.normalize("NFKD", text.translate(_ASCII))
        plain = "".join(character for character in plain if not unicodedata.combining(character))
        return plain.encode(codec, "backslashreplace").decode(codec)


def _escaped(character: str) -> str:
    return character if "\udc80" <= character <= "\udcff" else character.encode("unicode_escape").decode()
