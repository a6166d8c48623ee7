"""What can become of a trial."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """How a trial ended; the capital ones are faults of ampcli."""

    SURVIVED = "survived"  # the next run ends with what an undisturbed one makes
    DETECTED = "detected"  # one clear error with its exit code
    HARMLESS = "harmless"  # the same result, because nothing depends on what was changed
    WRONG = "WRONG"  # another result, and nobody was told
    LOST = "LOST"  # the next run does not end with what an undisturbed one makes, or leaves something behind
    INTERNAL = "INTERNAL"  # a traceback, an internal error, no clear message, or a crash
    HANG = "HANG"


FINE = (Verdict.SURVIVED, Verdict.DETECTED, Verdict.HARMLESS)


class Fault(Exception):
    """Ends a trial with the verdict that ampcli failed."""

    def __init__(self, verdict: Verdict, note: str) -> None:
        super().__init__(note)
        self.verdict = verdict
        self.note = note
