"""What files of events are read as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray


@dataclass
class Batch:
    """Events of a file, in its order.

    Attributes:
        momenta: (n, legs, 4) in GeV, as the file has them.
        event: the number of each in the file, from 0; (n,).
        weight: the file's own weights (n,), where it has some.
        masses: (n, n_external) in GeV as the file states them, where it does.
        member: whose events they are, where several serve a file (`ampcli.events.served`): its number.
    """

    momenta: npt.NDArray[Any]
    event: npt.NDArray[np.int64]
    weight: FloatArray | None = None
    masses: FloatArray | None = None
    member: int = 0

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """What belongs to events besides momenta, by the names that it has in outputs and stores."""
        return {"event": self.event} | ({} if self.weight is None else {"event_weight": self.weight})

    def chosen(self, rows: npt.NDArray[np.bool_]) -> Batch:
        """Some of them."""
        if rows.all():
            return self
        weight, masses = (None if array is None else array[rows] for array in (self.weight, self.masses))
        return Batch(self.momenta[rows], self.event[rows], weight, masses, self.member)


class Events(Protocol):
    """A file or a store of events."""

    @property
    def path(self) -> Path: ...

    @property
    def rows(self) -> int | None:
        """How many there are, where that is known before they are read."""
        ...

    def batches(self, size: int) -> Iterator[Batch]:
        """All events, at most `size` at a time."""
        ...
