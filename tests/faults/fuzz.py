"""Nonsense as input, in process: taken, or refused by one of ampcli's own errors, in time and in little memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from faults.mutators import Run
from faults.readers import READERS
from faults.trials import Campaign as _Campaign
from faults.trials import Judged, Trial, told
from faults.verdicts import Verdict

_LIMIT = 60.0  # seconds for one input, on a machine that may be busy
_MEMORY = 1 << 31  # bytes that a process may take besides what it has
_GROWTH = 200 << 20  # bytes that one input, or many together, may leave
_CHUNK = 1000  # inputs of one process


class Campaign(_Campaign):
    name = "fuzz"
    short = 600

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        for name in ("registry", "archive", "checkpoint", "set", "parts"):
            self.starts(name)
        tried = [((i + 0.5) / count, name, i) for name, (count, _) in READERS.items() for i in range(count)]
        self.trials = [trial[1:] for trial in sorted(tried)]

    @property
    def count(self) -> int:
        return len(self.trials)

    def describe(self, number: int) -> str:
        return f"{self.trials[number][0]}: input {self.trials[number][1]}"

    def play(self, number: int, rng: np.random.Generator) -> Judged:
        raise NotImplementedError("inputs run in processes of their own")

    def played(self, numbers: Iterable[int]) -> Iterator[Trial]:
        """In processes that end with their chunk: one that dies or hangs takes no other input along.

        Inputs of one kind follow each other: what reads them is loaded once.
        """
        ordered = sorted(numbers, key=lambda number: (self.trials[number][0], number))
        while ordered:
            target = self.trials[ordered[0]][0]
            chunk = [number for number in ordered[:_CHUNK] if self.trials[number][0] == target]
            done = 0
            for trial in self._in_a_process(chunk):
                yield trial
                done += 1
            ordered = ordered[done:]

    def _in_a_process(self, chunk: list[int]) -> Iterator[Trial]:
        """Trials up to the first that ends the process."""
        receiver, sender = multiprocessing.Pipe(duplex=False)
        pid = os.fork()
        if pid == 0:
            receiver.close()
            self._child(chunk, sender)
        sender.close()
        try:
            for number in chunk:
                try:
                    trial = receiver.recv() if receiver.poll(_LIMIT) else None
                except EOFError:
                    yield self._trial(number, Judged(self.describe(number), Verdict.INTERNAL, "the process died"))
                    return
                if trial is None:
                    yield self._trial(number, Judged(self.describe(number), Verdict.HANG, f"over {_LIMIT:g} s"))
                    return
                yield trial
        finally:
            receiver.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
            os.waitpid(pid, 0)

    def _trial(self, number: int, judged: Judged, seconds: float = 0.0) -> Trial:
        return Trial(self.name, number, judged.case, judged.verdict, judged.note, seconds)

    def _child(self, chunk: list[int], sender: Connection) -> None:
        import warnings

        warnings.simplefilter("ignore")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.chdir(self.fresh())
        with contextlib.suppress(BaseException):
            run = READERS[self.trials[chunk[0]][0]][1](self.starts)
            size = _pages(0)
            resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
            for number in chunk:
                before = _pages(1)
                judged = self._judged(number, run)
                if _pages(1) - before > _GROWTH and judged.verdict is not Verdict.INTERNAL:
                    grown = (_pages(1) - before) >> 20
                    judged = Judged(judged.case, Verdict.INTERNAL, f"the memory grew by {grown} MB")
                sender.send(self._trial(number, judged))
        os._exit(0)

    def _judged(self, number: int, run: Run) -> Judged:
        from ampcli.errors import AmpcliError

        case = self.describe(number)
        try:
            run(self.generator(number))
        except AmpcliError as error:
            if not str(error).strip():
                return Judged(case, Verdict.INTERNAL, f"an error without words: {type(error).__name__}")
            return Judged(case, Verdict.DETECTED, f"{type(error).__name__}")
        except BaseException as error:
            return Judged(case, Verdict.INTERNAL, told(error))
        return Judged(case, Verdict.HARMLESS, "taken")


def _pages(field: int) -> int:
    """Bytes of this process: its address space (0), or what is resident (1)."""
    pages = int(Path("/proc/self/statm").read_text().split()[field])
    return pages * os.sysconf("SC_PAGE_SIZE")
