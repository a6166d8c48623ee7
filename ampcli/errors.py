"""One exception class per kind of failure, each with the exit code users script against.

`ampcli.cli.main` is the only place that turns them into messages and exit codes.

Texts name settings by `setting`: who calls a function reads its parameter (y_cut), the command line its flag (--y-cut).

    raise UsageError(f"{setting('y_cut')} {y_cut:g}: a share of s is needed", f"Leave out {setting('perturb')}.")
"""

from __future__ import annotations

import re
from collections.abc import Callable

_MARK = "\x1f"  # ASCII's unit separator: nobody writes it
_SETTING = re.compile(f"{_MARK}([a-z][a-z0-9_]*){_MARK}")


def setting(name: str) -> str:
    """The name of a parameter, within the text of an error."""
    return f"{_MARK}{name}{_MARK}"


class AmpcliError(Exception):
    """Something failed.  `what` says what and where, `hint` what to do about it; both as `setting` marks them."""

    exit_code = 1
    said_elsewhere = False
    """Another process of the same command says it."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return self.told(lambda name: name)

    def told(self, called: Callable[[str], str]) -> str:
        """The message, with what settings are called by their names in Python."""
        text = self.what if self.hint is None else f"{self.what}\n  {self.hint}"
        return _SETTING.sub(lambda found: called(found[1]), text)

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
