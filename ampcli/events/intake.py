"""Events of a file on their way into ampcli: those of the process, physical, put right if that was asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError, setting
from ampcli.events.batch import Batch, Events
from ampcli.events.lhe.read import LheEvents
from ampcli.events.project import project
from ampcli.events.repair import Repaired, repair
from ampcli.kinematics import REPAIRABLE, at_rest, beams_along_z, find_fault, mass_hint, physical_events, with_beams
from ampcli.process import Process

BoolArray = npt.NDArray[np.bool_]

_LEAVE_OUT = f"Remove such events, or leave them out with {setting('skip_bad')}."


_MOST_REASONS = 10  # that are shown


@dataclass
class Intake:
    """Reads events and keeps count of them.

    Args:
        processes: that the file was asked for; a batch is of one of them (`Batch.member`).
        skip_bad: leave out events that are not physical instead of stopping at the first one.
        repair: put right what rounding did (`ampcli.events.repair`); single precision always is.
        on_shell: move legs of other masses onto ours (`ampcli.events.project`), which puts rounding right too.
        sqrt_s: energy in GeV that the collisions must have, at rest, if any.
        model: whose energy that is.
    """

    events: Events
    processes: Sequence[Process]
    skip_bad: bool = False
    repair: bool = False
    sqrt_s: float | None = None
    model: str = "the model"
    on_shell: bool = False
    taken: int = 0
    bad: int = 0
    first_bad: str = ""
    """What is wrong with the first of them."""
    reasons: Counter[str] = field(default_factory=Counter)
    """What is wrong with each of them, without numbers."""
    _hint: str | None = None
    repaired: int = 0
    """Events that moved by more than double precision explains."""
    shift: float = 0.0
    """How far the leg that moved most has moved, relative to its energy."""
    masses: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Particles whose mass in the file was another one: theirs and ours in GeV."""

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches with momenta (n, n_external, 4) in float64, proven physical, beams along the z axis.

        Raises:
            UsageError: an event that is not physical, naming it, or none that is.
        """
        for batch in self.events.batches(size):
            momenta, good, repaired = self._external(batch)
            with np.errstate(invalid="ignore", over="ignore"):
                good &= physical_events(momenta, self._process(batch)) & beams_along_z(momenta)
                if self.sqrt_s is not None:
                    good &= at_rest(momenta, self.sqrt_s)
            self.taken += len(batch.event)
            if not good.all():
                with np.errstate(invalid="ignore", over="ignore"):
                    faults = (self._fault(batch, momenta, int(row), repaired) for row in np.flatnonzero(~good))
                    what, hint = next(faults)
                    self.leave_out(batch, good, what, hint, (other for other, _ in faults))
            if repaired is not None:
                self._note_repair(batch, repaired, good)
            if good.any():
                yield replace(batch, momenta=momenta).chosen(good)
        self.require_some()

    def leave_out(
        self, batch: Batch, good: BoolArray, what: str, hint: str | None, others: Iterable[str] | None = None
    ) -> None:
        """Count some of the events that were taken as bad ones, or stop there.

        Args:
            good: which events of the batch are not bad; (n,).
            what: what is wrong with the first bad one.
            others: what is wrong with the other bad ones (default: the same).

        Raises:
            UsageError: bad events are not to be skipped.
        """
        named = f"{self.events.path}: event {batch.event[np.argmin(good)]} (from 0): {what}"
        if not self.skip_bad:
            raise UsageError(named, hint)
        bad = int((~good).sum())
        self.taken, self.bad = self.taken - bad, self.bad + bad
        self.reasons.update(map(_reason, repeat(what, bad) if others is None else chain([what], others)))
        if not self.first_bad:
            self.first_bad, self._hint = named, hint

    def require_some(self) -> None:
        """Make sure that there is something to do.

        Raises:
            UsageError: no event was taken.
        """
        if not self.taken:
            raise UsageError(f"no event of the file is usable; {self.first_bad}", self._hint)

    def _process(self, batch: Batch) -> Process:
        return self.processes[batch.member]

    def _external(self, batch: Batch) -> tuple[npt.NDArray[np.float64], BoolArray, Repaired | None]:
        """Momenta with beams, which of them make sense, and what repairing did."""
        process = self._process(batch)
        if self.on_shell:
            projected = project(batch.momenta, process, self.sqrt_s)
            return projected.momenta, projected.good.copy(), projected
        if self.repair or batch.momenta.dtype.itemsize == 4:
            repaired = repair(batch.momenta, process, self.sqrt_s)
            return repaired.momenta, repaired.good.copy(), repaired
        with np.errstate(invalid="ignore", over="ignore"):
            momenta = np.ascontiguousarray(batch.momenta, dtype=np.float64)
            if momenta.shape[1] == process.n_final:
                momenta = with_beams(momenta)
        return momenta, np.ones(len(momenta), dtype=bool), None

    def _fault(
        self, batch: Batch, momenta: npt.NDArray[np.float64], row: int, repaired: Repaired | None
    ) -> tuple[str, str | None]:
        finite = np.isfinite(batch.momenta[row]).all(axis=1)
        if not finite.all():
            leg = int(np.argmin(finite))
            return f"leg {leg} has values that are not finite: {batch.momenta[row, leg].tolist()}", _LEAVE_OUT
        if not self.on_shell and (other := self._other_mass(batch, row)):
            return other
        if repaired is not None and not repaired.good[row]:
            return repaired.fault(row), _LEAVE_OUT if self.on_shell else "Give physical momenta in double precision."
        if fault := find_fault(momenta[row], self._process(batch)):
            return fault
        if not beams_along_z(momenta[row : row + 1])[0]:
            return (
                "the beams are not massless along the z axis, leg 0 towards +z",
                "Boost and rotate the events; |M|^2 does not change.",
            )
        if self.sqrt_s is None:
            return "it is at the edge of what passes for physical", "Give momenta with more digits."
        total = momenta[row, 2:].sum(axis=0).tolist()
        return (
            f"it has the total momentum {total} GeV; {self.model} was trained at rest with E = {self.sqrt_s:g} GeV",
            "Boost the events to their centre-of-mass frame, or use a model of their energy.",
        )

    def _other_mass(self, batch: Batch, row: int) -> tuple[str, str] | None:
        """The fault that a particle is on another mass shell than ours, where the file says so."""
        if batch.masses is None:
            return None
        p = batch.momenta[row]
        mass2 = p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1)
        for leg, (particle, stated) in enumerate(zip(self._process(batch).legs, batch.masses[row], strict=True)):
            theirs, ours = abs(mass2[leg] - stated**2), abs(mass2[leg] - particle.mass**2)
            if theirs < 0.5 * ours and ours > 1e-8 * p[leg, 0] ** 2:
                return (
                    f"leg {leg} ({particle.name}) has the mass {stated:.8g} GeV in the file, and "
                    f"{particle.mass:.8g} GeV in ampcli",
                    mass_hint(particle, float(stated))
                    + f" Or {setting('repair' if ours <= REPAIRABLE * p[leg, 0] ** 2 else 'on_shell')} moves it there.",
                )
        return None

    def _note_repair(self, batch: Batch, repaired: Repaired, good: BoolArray) -> None:
        moved = repaired.shift[good]
        if len(moved):
            self.repaired += int((moved > 1e-12).sum())
            self.shift = max(self.shift, float(moved.max()))
        if batch.masses is not None:
            for particle, stated in zip(self._process(batch).legs, batch.masses[good].T, strict=True):
                off = np.abs(stated - particle.mass)
                if off.max(initial=0.0) > (1e-6 * particle.mass or 1e-3):
                    self.masses.setdefault(particle.name, (float(stated[np.argmax(off)]), particle.mass))

    @property
    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        lhe = self.events if isinstance(self.events, LheEvents) else None
        return {
            "taken": self.taken,
            "in_file": self.taken + self.bad + (lhe.others.total() if lhe else 0),
            "not_physical": self.bad,
            "reasons": dict(self.reasons.most_common()),
            "other_processes": dict(lhe.others.most_common()) if lhe else {},
            "repaired": self.repaired,
            "largest_shift": self.shift,
        }

    @property
    def text(self) -> list[str]:
        """What is worth saying about the events, line by line."""
        lines = []
        if isinstance(self.events, LheEvents):
            if self.events.others:
                lines.append(f"{self.events.others.total()} events of other processes were left out: "
                             + self.events.others_text(5))  # fmt: skip
            if not self.events.ended:
                lines.append(f"{self.events.path} has no </LesHouchesEvents> at its end: it may have lost events")
        if self.bad:
            lines.append(f"{self.bad} events that are not physical were left out; the first: {self.first_bad}")
            if len(self.reasons) > 1:
                counted = [f"{count} x {reason}" for reason, count in self.reasons.most_common(_MOST_REASONS)]
                lines.append(f"why: {'; '.join(counted)}")
        if self.repaired:
            lines.append(
                f"{self.repaired} events were repaired: legs moved by {self.shift:.1g} of their energy at most"
            )
        for name, (theirs, ours) in self.masses.items():
            lines.append(f"the mass of {name} was {theirs:.8g} GeV in the file, and is {ours:.8g} GeV now")
        return lines


def _reason(what: str) -> str:
    """What is wrong with an event without its numbers: "a leg is off its mass shell"."""
    found = re.sub(r"\b(leg|beam) \d+", r"a \1", what)
    found = re.sub(r"^a leg \((\S+)\) has the mass .*", r"another mass of \1 than in ampcli", found)
    return re.split(r"[:;(\[]| -?\d", found)[0].strip()
