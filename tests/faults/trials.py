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
from pathlib import Path
from typing import TextIO

import numpy as np

from faults.starts import Starts
from faults.verdicts import FINE, Fault, Verdict


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
    """Trials of one kind, numbered from 0.

    Args:
        room: a folder for all that they make.
    """

    name: str
    #: How many trials `--short` takes.
    short: int

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot run here."""
        return None

    def __init__(self, room: Path) -> None:
        self.room = room
        self.starts = Starts(room.parent / "starts")

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
