"""Les Houches event files (hep-ph/0109068, hep-ph/0609017) as momenta of the processes asked for, read as a stream."""

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
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheParticle, parse_event
from ampcli.events.served import Found, Served

_MOST_KINDS = 1000  # subprocesses that are counted apart
_MOST_WAITING = 4  # batches of events, of all members together

#: Number and weight of an event, and whose it is.
_Waiting = tuple[int, float, Found]


@dataclass
class LheEvents:
    """Events of the processes asked for in a file, legs in the order of these, first incoming leg towards +z.

    A process that names a resonance of the file (``z``) takes it, and leaves out what it decayed into; one that names
    its decay products takes these (`ampcli.events.lhe.legs`).

    Args:
        process_only: count events of other processes instead of refusing them.
    """

    path: Path
    served: Served
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
        pending: dict[int, list[_Waiting]] = {}  # by members
        waiting = 0
        for block in blocks:
            number, self.read = self.read, self.read + 1
            event = parse_event(block, number, where := f"{self.path}: event {number} (from 0)")
            if not math.isfinite(event.weight):
                raise IntegrityError(f"{where}: its weight is {event.weight}, not a finite weight", "It is damaged.")
            if (found := self._found(event)) is None:
                continue
            own = pending.setdefault(found.member, [])
            own.append((number, event.weight, found))
            waiting += 1
            if len(own) == size:
                yield _batch(pending.pop(found.member))
                waiting -= size
            elif waiting == _MOST_WAITING * size:
                yield from map(_batch, pending.values())
                pending, waiting = {}, 0
        self.ended = blocks.ended
        yield from map(_batch, pending.values())
        if not self.read:
            raise UsageError(f"{self.path} holds no event", "A Les Houches event file has <event> blocks.")
        if self.read == self.others.total():
            raise UsageError(f"{self.path} holds no event of {self.served.name}, only {self.others_text(5)}")

    def others_text(self, most: int) -> str:
        """The commonest other processes with their numbers, in words."""
        listed = [f"{count} of {name}" for name, count in self.others.most_common(most)]
        rest = len(self.others) - len(listed)
        return ", ".join(listed) + (f", and {rest} more" if rest else "")

    def _found(self, event: LheEvent) -> Found | None:
        """Particles in the order of a process that was asked for; None for another one."""
        found = self.served.find(event)
        if isinstance(found, Found):
            return found
        sides = event.with_status(INCOMING), event.with_status(OUTGOING)
        if self.process_only:
            self._count(*sides)
            return None
        why = f": {found}" if found else ""
        raise UsageError(
            f"{self.path}: event {event.number} (from 0) is {_name(*sides)}, not {self.served.name}{why}",
            f"Take the events of the process, and count the others, with {setting('process_only')}.",
        )

    def _count(self, incoming: list[LheParticle], outgoing: list[LheParticle]) -> None:
        kind = tuple(tuple(sorted(p.pdg for p in side)) for side in (incoming, outgoing))
        if len(self._names) < _MOST_KINDS:
            self._names.setdefault(kind, _name(incoming, outgoing))
        self.others[self._names.get(kind, "others")] += 1


def _name(incoming: list[LheParticle], outgoing: list[LheParticle]) -> str:
    return " > ".join(" ".join(str(p.pdg) for p in side[:20]) for side in (incoming, outgoing))


def _batch(events: list[_Waiting]) -> Batch:
    """Events of one member."""
    momenta = np.array([[leg.momentum for leg in found.legs] for _, _, found in events])
    # By the files' convention the first incoming particle flies along +z; half a turn about the x axis restores it.
    momenta[momenta[:, 0, 3] < 0, :, 2:] *= -1.0
    mirrored = np.array([found.target.mirrored for _, _, found in events])
    momenta[mirrored, :, 2] *= -1.0
    return Batch(
        momenta,
        np.array([number for number, _, _ in events]),
        np.array([weight for _, weight, _ in events]),
        np.array([[leg.mass for leg in found.legs] for _, _, found in events]),
        events[0][-1].member,
    )
