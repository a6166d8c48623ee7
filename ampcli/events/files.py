"""Files of events: momenta in npz files, Les Houches event files and stores, read in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ampcli.errors import NotFoundError, UsageError, setting
from ampcli.events.batch import Batch, Events
from ampcli.events.lhe.read import LheEvents
from ampcli.events.npz import NpzEvents
from ampcli.events.served import Served
from ampcli.files import require_ordinary
from ampcli.process import Process
from ampcli.store.reader import Store, open_store


def open_events(path: Path, asked: Process | Served, process_only: bool = False) -> Events:
    """Open an npz file with the array ``momenta`` (n, legs, 4), a Les Houches event file, or a store.

    What a file is shows in its first bytes; only npz files are known by their name as well.

    Args:
        asked: whose events they are: those of one process, or of all that the members of a set serve.
        process_only: leave out events of other processes, and count them.

    Raises:
        NotFoundError: nothing there, or no such array in it.
        UsageError: another kind of file, or several processes or `process_only` where nothing tells these apart.
        IntegrityError: a damaged file, or no ordinary one.
    """
    if not path.exists():
        raise NotFoundError(f"no file {path}")
    served = asked if isinstance(asked, Served) else Served.exactly(asked)
    if not path.is_dir():
        require_ordinary(path)
        with path.open("rb") as file:
            zipped = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
        if not zipped and path.suffix.lower() != ".npz":
            return LheEvents(path, served, process_only)
    if process_only:
        raise UsageError(
            f"{setting('process_only')} is for Les Houches event files; {path} does not name the "
            "particles of its events",
            "Leave it out.",
        )
    if len(served.processes) > 1:
        raise UsageError(
            f"{path} does not name the particles of its events, which are to tell {served.name} apart",
            "Name one model, or give a Les Houches event file.",
        )
    return StoredEvents(open_store(path)) if path.is_dir() else NpzEvents.open(path, served.processes[0])


def expected_rows(events: Events) -> int | None:
    """How many events there are, of event files about; None where only reading all of them would tell.

    Raises:
        IntegrityError: a damaged file.
    """
    return events.expected() if isinstance(events, LheEvents) else events.rows


@dataclass(frozen=True)
class StoredEvents:
    """The final-state momenta of a store."""

    store: Store

    @property
    def path(self) -> Path:
        return self.store.path

    @property
    def rows(self) -> int:
        return self.store.rows

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, self.rows, size):
            momenta = self.store.read("momenta", slice(start, start + size))
            yield Batch(momenta, np.arange(start, start + len(momenta)))
