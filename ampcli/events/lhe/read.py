"""Les Houches event files (hep-ph/0109068, hep-ph/0609017) as momenta of one process, read as a stream."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ampcli.errors import IntegrityError, UsageError, setting
from ampcli.events.batch import Batch
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.legs import legs_of
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheParticle, parse_event
from ampcli.process import Process

_MOST_KINDS = 1000  # subprocesses that are counted apart


@dataclass
class LheEvents:
    """Events of one process in an event file, legs ordered as in the process, first incoming leg towards +z.

    A process that names a resonance of the file (``z``) takes it, and leaves out what it decayed into; one that names
    its decay products takes these (`ampcli.events.lhe.legs`).

    Args:
        process_only: count events of other processes instead of refusing them.
    """

    path: Path
    process: Process
    process_only: bool = False
    others: Counter[str] = field(default_factory=Counter)
    """Events of other processes, so far."""
    read: int = 0
    """Events of any process, so far."""
    ended: bool = True
    """Whether what was read has its closing tag; known after the last batch."""

    @property
    def rows(self) -> None:
        """Known only after the last batch."""
        return None

    def batches(self, size: int) -> Iterator[Batch]:
        """Events in batches of at most `size`.

        Raises:
            FileNotFoundError: no such file.
            UsageError: an event of another process, or no event of this one.
            IntegrityError: a damaged file.
        """
        self.others, self.read = Counter(), 0
        self._names: dict[tuple[tuple[int, ...], ...], str] = {}
        blocks = EventBlocks(self.path)
        pending: list[tuple[int, float, list[LheParticle]]] = []
        for block in blocks:
            number, self.read = self.read, self.read + 1
            event = parse_event(block, number, where := f"{self.path}: event {number} (from 0)")
            if not math.isfinite(event.weight):
                raise IntegrityError(f"{where}: its weight is {event.weight}, not a finite weight", "It is damaged.")
            if (legs := self._legs(event)) is not None:
                pending.append((number, event.weight, legs))
            if len(pending) == size:
                yield _batch(pending)
                pending = []
        self.ended = blocks.ended
        if pending:
            yield _batch(pending)
        if not self.read:
            raise UsageError(f"{self.path} holds no event", "A Les Houches event file has <event> blocks.")
        if self.read == self.others.total():
            raise UsageError(f"{self.path} holds no event of {self.process}, only {self.others_text(5)}")

    def others_text(self, most: int) -> str:
        """The commonest other processes with their numbers, in words."""
        listed = [f"{count} of {name}" for name, count in self.others.most_common(most)]
        rest = len(self.others) - len(listed)
        return ", ".join(listed) + (f", and {rest} more" if rest else "")

    def _legs(self, event: LheEvent) -> list[LheParticle] | None:
        """Particles in the order of the process; None for another one."""
        if (legs := legs_of(event, self.process)) is not None:
            return legs
        sides = event.with_status(INCOMING), event.with_status(OUTGOING)
        if self.process_only:
            self._count(*sides)
            return None
        raise UsageError(
            f"{self.path}: event {event.number} (from 0) is {_name(*sides)}, not {self.process}",
            f"Take the events of the process, and count the others, with {setting('process_only')}.",
        )

    def _count(self, incoming: list[LheParticle], outgoing: list[LheParticle]) -> None:
        kind = tuple(tuple(sorted(p.pdg for p in side)) for side in (incoming, outgoing))
        if len(self._names) < _MOST_KINDS:
            self._names.setdefault(kind, _name(incoming, outgoing))
        self.others[self._names.get(kind, "others")] += 1


def _name(incoming: list[LheParticle], outgoing: list[LheParticle]) -> str:
    return " > ".join(" ".join(str(p.pdg) for p in side[:20]) for side in (incoming, outgoing))


def _batch(events: list[tuple[int, float, list[LheParticle]]]) -> Batch:
    momenta = np.array([[leg.momentum for leg in legs] for _, _, legs in events])
    # By the files' convention the first incoming particle flies along +z; half a turn about the x axis restores it.
    momenta[momenta[:, 0, 3] < 0, :, 2:] *= -1.0
    return Batch(
        momenta,
        np.array([number for number, _, _ in events]),
        np.array([weight for _, weight, _ in events]),
        np.array([[leg.mass for leg in legs] for _, _, legs in events]),
    )
