"""One exception class per kind of failure, each with the exit code users script against.

`ampcli.cli.main` is the only place that turns them into messages and exit codes.
"""

from __future__ import annotations

import re

_MARK = "\ue000"  # for private use: in nobody's text


def setting(name: str) -> str:
    """A setting in the text of an error, by its name in Python: there `y_cut`, on the command line ``--y-cut``."""
    return _MARK + name


def with_flags(text: str) -> str:
    """A text about settings as the command line shows it."""
    return re.sub(rf"{_MARK}(\w+)", lambda found: "--" + found[1].replace("_", "-"), text)


class AmpcliError(Exception):
    """Something failed.  `what` says what and where, `hint` what to do about it; both may name a `setting`."""

    exit_code = 1

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return self._text.replace(_MARK, "")

    @property
    def on_command_line(self) -> str:
        """The message with flags instead of names of settings."""
        return with_flags(self._text)

    @property
    def _text(self) -> str:
        return self.what if self.hint is None else f"{self.what}\n  {self.hint}"

    def __reduce__(self) -> tuple[type[AmpcliError], tuple[str, str | None]]:
        return type(self), (self.what, self.hint)  # worker processes send errors home pickled


class UsageError(AmpcliError):
    """The request itself is wrong: a process string, an option, momenta, a shape."""

    exit_code = 2


class BarNotMetError(AmpcliError):
    """A bar that the user required was not met."""

    exit_code = 3


class NotFoundError(AmpcliError):
    """A store, model, alias or file that is not there."""

    exit_code = 4


class IntegrityError(AmpcliError):
    """Stored data do not match their checksum, schema or digest."""

    exit_code = 5


class LockedError(AmpcliError):
    """Another process holds what this one needs."""

    exit_code = 6


class InterruptedRun(AmpcliError):
    """Stopped by a signal; what is finished is kept and the same command resumes."""

    exit_code = 75
