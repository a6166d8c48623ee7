"""Les Houches event files (hep-ph/0609017) as momenta of one process, read as a stream."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import numpy.typing as npt

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.process import Process

_INCOMING, _OUTGOING = -1, 1  # status codes


def is_lhe(path: Path) -> bool:
    """Whether a file's name says that it is an event file."""
    return path.name.endswith((".lhe", ".lhe.gz"))


@dataclass(frozen=True)
class LheEvents:
    """Events of an ``.lhe`` or ``.lhe.gz`` file, legs ordered as in the process, first incoming leg towards +z."""

    path: Path
    process: Process
    rows: int

    @classmethod
    def open(cls, path: Path, process: Process) -> LheEvents:
        """Count the events of a file.

        Raises:
            NotFoundError: there is no such file.
            UsageError: it holds no event.
            IntegrityError: it cannot be read.
        """
        if not path.is_file():
            raise NotFoundError(f"no file {path}")
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            with opener(path, "rt", encoding="utf-8", errors="replace") as lines:
                rows = sum(line.lstrip().startswith("<event>") or line.lstrip().startswith("<event ") for line in lines)
        except (OSError, EOFError) as error:
            raise IntegrityError(f"{path} cannot be read: {error}") from None
        if rows == 0:
            raise UsageError(f"{path} holds no event", "A Les Houches event file has <event> blocks.")
        return cls(path, process, rows)

    def batches(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Momenta (batch, n_external, 4), in order.

        Raises:
            UsageError: an event of another process.
            IntegrityError: a damaged file.
        """
        import pylhe

        pending: list[npt.NDArray[np.float64]] = []
        read = 0
        try:
            for event in _strict(iter(pylhe.LHEFile.fromfile(self.path, with_attributes=False, generator=True).events)):
                pending.append(self._momenta(event, read))
                read += 1
                if len(pending) == size:
                    yield np.stack(pending)
                    pending = []
        except (ParseError, RuntimeWarning, ValueError, IndexError, OSError, EOFError) as error:
            raise IntegrityError(f"{self.path} cannot be read beyond event {read}: {error}") from None
        if read != self.rows:
            raise IntegrityError(f"{self.path} ends after {read} of {self.rows} events", "It is damaged or truncated.")
        if pending:
            yield np.stack(pending)

    def read(self) -> npt.NDArray[Any]:
        """All momenta (n, n_external, 4)."""
        return np.concatenate(list(self.batches(65536)))

    def _momenta(self, event: Any, number: int) -> npt.NDArray[np.float64]:
        particles = [p for p in event.particles if p.status in (_INCOMING, _OUTGOING)]
        incoming = [p for p in particles if p.status == _INCOMING]
        outgoing = [p for p in particles if p.status == _OUTGOING]
        wanted = [leg.pdg for leg in self.process.incoming]
        turned = [p.id for p in incoming] == wanted[::-1] != wanted
        ordered = incoming[::-1] if turned else incoming
        left = list(outgoing)
        for leg in self.process.outgoing:
            match = next((p for p in left if p.id == leg.pdg), None)
            if match is not None:
                left.remove(match)
                ordered.append(match)
        if [p.id for p in ordered] != [leg.pdg for leg in self.process.legs] or left:
            found = " ".join(str(p.id) for p in incoming) + " > " + " ".join(str(p.id) for p in outgoing)
            raise UsageError(f"{self.path}: event {number} (from 0) is {found}, not {self.process}")
        momenta = np.array([[p.e, p.px, p.py, p.pz] for p in ordered])
        # By the files' convention the first incoming particle flies along +z; half a turn about the x axis restores it.
        if momenta[0, 3] < 0:
            momenta[:, 2:] *= -1.0
        return momenta


def _strict(events: Iterator[Any]) -> Iterator[Any]:
    """What pylhe only warns of, a file that ends too early, is an error."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                event = next(events)
            except StopIteration:
                return
        yield event
