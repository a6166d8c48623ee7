"""Phase-space points that are taken from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.table import Table
from ampcli.amplitudes.values import usable
from ampcli.collisions import AnyCollisions
from ampcli.collisions.given import Column, GivenEvents
from ampcli.errors import UsageError, setting
from ampcli.events.batch import Batch
from ampcli.events.files import open_events
from ampcli.events.intake import Intake
from ampcli.events.lhe.read import LheEvents
from ampcli.events.table import column_names, read_column
from ampcli.generation.points import Points
from ampcli.generation.trial import ROWS, Trial
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.progress import Bars, unseen

_BATCH = 16384


@dataclass(frozen=True)
class GivenFile:
    """What the user chose: a file of events, and what to do with those that are of other processes or not physical."""

    file: Path
    process_only: bool = False
    skip_bad: bool = False
    repair: bool = False
    on_shell: bool = False

    note: ClassVar[None] = None

    def require_possible(self, process: Process) -> None:
        """Nothing that the file does not say itself."""

    def points(self, process: Process, provider: Provider, seed: int) -> GivenPoints:
        """See `ampcli.generation.points.Settings`."""
        return GivenPoints(process, self, provider if isinstance(provider, Table) else None)


@dataclass(frozen=True)
class GivenPoints:
    """Points of a file, and |M|^2 where it has that too; their weight is 1, so sums over them are not cross sections.

    The file is read once, batch by batch; what is kept are the events that are taken.
    """

    process: Process
    given: GivenFile
    table: Table | None = None
    """The column of the file with |M|^2 of its events in GeV^(4 - 2 n_final)."""
    failed: tuple[int, ...] = ()
    """Events of the file that are left out because the provider fails there, from 0."""

    @cached_property
    def intake(self) -> Intake:
        opened = open_events(self.given.file, self.process, self.given.process_only)
        return Intake(opened, (self.process,), self.given.skip_bad, self.given.repair, on_shell=self.given.on_shell)

    @cached_property
    def _events(self) -> Batch:
        """All events that are taken.

        Raises:
            UsageError, NotFoundError, IntegrityError: as the file is.
        """
        batches = list(self.intake.batches(_BATCH))
        columns = {name: np.concatenate([batch.columns[name] for batch in batches]) for name in batches[0].columns}
        events = Batch(
            np.concatenate([batch.momenta for batch in batches]), columns["event"], columns.get("event_weight")
        )
        return events.chosen(~np.isin(events.event, self.failed)) if self.failed else events

    @property
    def momenta(self) -> FloatArray:
        """(n, n_external, 4) in GeV, physical."""
        return self._events.momenta

    @cached_property
    def amplitude(self) -> FloatArray | None:
        """|M|^2 of the events that are taken, where it stands in the file; (n,).

        Raises:
            UsageError: an unusable value, naming the event.
        """
        if self.table is None:
            return None
        values = self._column(self.table.column)
        squared = f"It has to be a squared amplitude: finite and positive. {setting('signed')} takes either sign."
        wanted = "It has to be finite, and not 0." if self.table.signed else squared
        self._require(usable(values, self.table.signed), self.table.column, values, wanted)
        return values

    @cached_property
    def amplitude_error(self) -> FloatArray | None:
        """Statistical errors (1 sigma) of `amplitude`, where the file has them: in ``COLUMN_error``; (n,).

        Raises:
            UsageError: an error that is not finite and positive, naming the event.
        """
        if self.table is None or (name := f"{self.table.column}_error") not in column_names(self.intake.events.path):
            return None
        errors = self._column(name)
        self._require(usable(errors, False), name, errors, "A statistical error is finite and positive.")
        return errors

    def _column(self, name: str) -> FloatArray:
        events = self.intake.events
        return read_column(events.path, name, events.rows)[self._events.event]

    def _require(self, good: npt.NDArray[np.bool_], name: str, values: FloatArray, wanted: str) -> None:
        if not good.all():
            row = int(np.argmin(good))
            where = f"{self.intake.events.path}: {name} of event {self._events.event[row]} (from 0)"
            raise UsageError(f"{where} is {values[row]}", wanted)

    @cached_property
    def collisions(self) -> GivenEvents:
        """What identifies these points in a plan."""
        digest = hashlib.sha256(self.momenta.data)
        for column in self._events.columns.values():
            digest.update(column.data)
        for values in (self.amplitude, self.amplitude_error):
            if values is not None:
                digest.update(values.data)
        energies = self.momenta[:, :2, 0]
        same = np.ptp(energies) <= 1e-9 * energies[0, 0]  # all beams of all events of one energy
        events = self.intake.events
        return GivenEvents(
            sha256=digest.hexdigest(),
            sqrt_s=float(2 * energies[0, 0]) if same else None,
            skipped=self.intake.bad,
            others=events.others.total() if isinstance(events, LheEvents) else 0,
            repaired=self.intake.repaired > 0,
            columns=tuple(name for name, values in self._kept.items() if values is not None),
            failed=self.failed,
        )

    @property
    def _kept(self) -> dict[Column, FloatArray | None]:
        """What a store has of the events besides their momenta, (n,) each."""
        return {
            "event": self._events.event.astype(np.float64),
            "event_weight": self._events.weight,
            "amplitude_error": self.amplitude_error,
        }

    def as_begun(self, begun: AnyCollisions) -> GivenPoints:
        """Without the events that were left out of that store."""
        return replace(self, failed=begun.failed) if isinstance(begun, GivenEvents) and begun.failed else self

    def without(self, rows: Sequence[int]) -> GivenPoints:
        """The points without some rows."""
        left_out = self._events.event[np.array(rows)].tolist()
        return replace(self, failed=tuple(sorted({*self.failed, *left_out})))

    def prepare(self, books: Path, bars: Bars = unseen) -> None:
        """Nothing to prepare."""

    def attributes(self, books: Path) -> dict[str, Any]:
        return {}

    def trial(self) -> Trial:
        """See `PointSource`: the first ones, which are known already."""
        points = self.points(0, slice(0, ROWS), Path(), lambda: None)
        return Trial(points, len(points.outgoing), len(points.outgoing), 0.0)

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        momenta = self.momenta[rows]
        points = Points(momenta[:, :2], np.ascontiguousarray(momenta[:, 2:]), np.ones(len(momenta)), len(momenta))
        points.amplitude = None if self.amplitude is None else self.amplitude[rows]
        points.columns = {name: values[rows] for name, values in self._kept.items() if values is not None}
        return points
