"""Where phase-space points come from: what `gen` asks of a class of collisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.protocol import Provider
from ampcli.collisions import AnyCollisions
from ampcli.errors import UsageError, setting
from ampcli.events.intake import Intake
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.progress import Bars, unseen

if TYPE_CHECKING:
    from ampcli.generation.trial import Trial


def require_positive(provider: Provider) -> None:
    """Make sure that events can be drawn by |M|^2.

    Raises:
        UsageError: its values have either sign.
    """
    if provider.signed:
        raise UsageError(
            f"values of {provider.identity().name} may have either sign: events cannot be drawn by them",
            f"Make events with a squared amplitude, and give them with {setting('momenta')} FILE.",
        )


@dataclass
class Points:
    """Phase-space points before their amplitudes are known."""

    incoming: FloatArray  # (n, 2, 4)
    outgoing: FloatArray  # (n, n_final, 4), C-contiguous
    weight: FloatArray  # (n,)
    tried: int
    amplitude: FloatArray | None = None  # (n,), where sampling needed it
    exact: int | None = None  # exact amplitudes that sampling took, where they were counted
    columns: dict[str, FloatArray] = field(default_factory=dict)  # `AnyCollisions.arrays`, (n, ...) each

    def batch(self, rows: slice, out: FloatArray | None = None) -> FloatArray:
        """Momenta (batch, n_external, 4) of some rows, incoming first; `out` is memory for them."""
        return np.concatenate([self.incoming[rows], self.outgoing[rows]], axis=1, out=out)

    def chosen(self, rows: npt.NDArray[np.int64], amplitude: FloatArray) -> Points:
        """Some of the points, with their amplitudes, which are given for all of them, (n,); as many were tried."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        outgoing = np.ascontiguousarray(self.outgoing[rows])
        return Points(self.incoming[rows], outgoing, self.weight[rows], self.tried, amplitude[rows], None, columns)


class PointSource(Protocol):
    """Picklable; every part's points are a function of the part alone."""

    @property
    def collisions(self) -> AnyCollisions:
        """The record for a store's plan."""
        ...

    @property
    def intake(self) -> Intake | None:
        """How events of a file were taken; None where points are drawn."""
        ...

    def as_begun(self, begun: AnyCollisions) -> PointSource:
        """The source for a store that was begun with these collisions: with the sampler that an older ampcli had."""
        ...

    def prepare(self, books: Path, bars: Bars = unseen) -> None:
        """What comes before the first part, once for a store.

        Args:
            books: the folder to keep it in.
            bars: show how far it is.
        """
        ...

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        """The points of a part; `on_pass` is called now and then, and may raise to stop."""
        ...

    def attributes(self, books: Path) -> dict[str, Any]:
        """What a finished store's attributes say of how its points were drawn."""
        ...

    def trial(self) -> Trial:
        """Some points, drawn in memory, and what they cost.

        Raises:
            UsageError: next to no point passes the cuts.
        """
        ...


class Settings(Protocol):
    """What the user asks of a class of collisions."""

    def require_possible(self, process: Process) -> None:
        """Refuse what cannot be, before an amplitude is made.

        Raises:
            UsageError: impossible settings, or a process that these collisions cannot have.
        """
        ...

    def points(self, process: Process, provider: Provider, seed: int) -> PointSource:
        """The points of a process.

        Raises:
            UsageError: as `require_possible`.
        """
        ...

    @property
    def note(self) -> str | None:
        """What the user should know of these settings."""
        ...
