"""What is found wrong with an event file, kind by kind, with the events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ampcli.errors import UsageError

Check = Literal[
    "file", "mothers", "charges", "shells", "momentum", "colours", "beams", "weights", "sections", "scales", "alpha_s",
    "amplitudes",
]  # fmt: skip

CHECKS: tuple[Check, ...] = get_args(Check)

_MOST_EVENTS = 1000  # that are named
_SHOWN = 10  # in a line of text


@dataclass
class Finding:
    """One kind of thing that is found in a file.

    Attributes:
        what: in words, the same for all events.
        example: of the first event, with its numbers.
        wrong: whether it is a fault; else worth knowing.
        count: events that have it; 0: it belongs to the whole file.
        events: numbers of the first of them, from 0.
    """

    check: Check
    what: str
    example: str
    wrong: bool
    count: int = 0
    events: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        """In a line."""
        return f"{self.named} ({self.example})" if self.example else self.named

    @property
    def named(self) -> str:
        """What it is, and which events have it."""
        where = ""
        if self.count:
            named = ", ".join(map(str, self.events[:_SHOWN])) + (", ..." if self.count > _SHOWN else "")
            where = f"event {named}: " if self.count == 1 else f"{self.count} events ({named}): "
        return f"{self.check}: {where}{self.what}"

    @property
    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "check": self.check,
            "what": self.what,
            "example": self.example,
            "wrong": self.wrong,
            "count": self.count,
            "events": self.events,
        }


class Findings:
    """Collects what is found.

    Args:
        skipped: checks whose findings are not wanted.
    """

    def __init__(self, skipped: Collection[Check] = ()) -> None:
        self._skipped = frozenset(skipped)
        self._found: dict[tuple[Check, str], Finding] = {}

    def of_event(self, check: Check, event: int, what: str, example: str = "", wrong: bool = True) -> None:
        """An event has it; once for each event."""
        if (found := self._kind(check, what, example, wrong)) is None or found.events[-1:] == [event]:
            return
        found.count += 1
        if len(found.events) < _MOST_EVENTS:
            found.events.append(event)

    def of_file(self, check: Check, what: str, example: str = "", wrong: bool = True) -> None:
        """The file has it."""
        self._kind(check, what, example, wrong)

    def _kind(self, check: Check, what: str, example: str, wrong: bool) -> Finding | None:
        if check in self._skipped:
            return None
        return self._found.setdefault((check, what), Finding(check, what, example, wrong))

    @property
    def wrong(self) -> list[Finding]:
        """Faults, in the order of the checks."""
        return self._sorted(True)

    @property
    def notes(self) -> list[Finding]:
        """What is worth knowing."""
        return self._sorted(False)

    def _sorted(self, wrong: bool) -> list[Finding]:
        found = [finding for finding in self._found.values() if finding.wrong is wrong]
        return sorted(found, key=lambda finding: CHECKS.index(finding.check))


def checks_named(names: Collection[str]) -> list[Check]:
    """Checks by their names.

    Raises:
        UsageError: there is no such check.
    """
    for name in names:
        if name not in CHECKS:
            raise UsageError(f'there is no check "{name}"', f"Known: {', '.join(CHECKS)}.")
    return [check for check in CHECKS if check in names]
