"""Trials, their verdicts, and the loop that runs and records them."""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import numpy as np


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


@dataclass(frozen=True)
class Judged:
    """What became of a trial.

    Attributes:
        case: what was tried on what, in a few words; counts are by its part before a colon.
        note: why, for harmless ones and faults.
    """

    case: str
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """One line of the record."""

    campaign: str
    number: int
    case: str
    verdict: Verdict
    note: str
    seconds: float


class Campaign(ABC):
    """Trials of one kind, numbered from 0."""

    name: str
    #: How many trials `--short` takes.
    short: int

    def __init__(self, room: Path) -> None:
        """Make what trials start from, in the folder `room`."""
        self.room = room

    @property
    @abstractmethod
    def count(self) -> int:
        """How many trials there are."""

    @abstractmethod
    def play(self, number: int, rng: np.random.Generator) -> Judged:
        """One trial.

        Raises:
            Fault: ampcli failed.
        """

    def played(self, numbers: Iterable[int]) -> Iterator[Trial]:
        """Trials by their numbers."""
        for number in numbers:
            started = time.monotonic()
            try:
                judged = self.play(number, self.generator(number))
            except Fault as fault:
                judged = Judged(self.describe(number), fault.verdict, fault.note)
            seconds = round(time.monotonic() - started, 3)
            yield Trial(self.name, number, judged.case, judged.verdict, judged.note, seconds)

    def describe(self, number: int) -> str:
        """The case of a trial, before it was run."""
        return "?"

    def generator(self, number: int) -> np.random.Generator:
        """The random numbers of a trial."""
        return np.random.default_rng([zlib.crc32(self.name.encode()), number])

    def fresh(self, start: Path | None = None) -> Path:
        """An empty folder for a trial, or a copy of `start`."""
        trial = self.room / "trial"
        shutil.rmtree(trial, ignore_errors=True)
        if start is None:
            trial.mkdir(parents=True)
        else:
            shutil.copytree(start, trial, symlinks=True)
        return trial


def record(trials: Iterable[Trial], lines: TextIO, total: int) -> Counter[Verdict]:
    """Write one JSON line for each trial; faults and progress are told on stderr."""
    counts: Counter[Verdict] = Counter()
    for done, trial in enumerate(trials, start=1):
        lines.write(json.dumps(asdict(trial)) + "\n")
        lines.flush()
        counts[trial.verdict] += 1
        if trial.verdict not in FINE:
            print(
                f"{trial.verdict}: --only {trial.campaign} --trial {trial.number}: {trial.case}: {trial.note}",
                file=sys.stderr,
            )
        elif done % max(total // 20, 1) == 0:
            print(f"{trial.campaign}: {done} of {total}", file=sys.stderr)
    return counts


def told(error: BaseException) -> str:
    """An exception and where it was raised, in a line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "/ampcli/" in f.filename]
    return f"{type(error).__name__} at {place} (from {ours[-1] if ours else '?'}): {error}"[:400]
