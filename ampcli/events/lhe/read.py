"""Les Houches event files (hep-ph/0109068, hep-ph/0609017) as momenta of the processes asked for, read as a stream."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ampcli.errors import IntegrityError, UsageError, setting
from ampcli.events.batch import Batch
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.packing import unpacked
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheParticle, parse_event, read_table
from ampcli.events.served import Found, Served, Target
from ampcli.kinematics import FloatArray

_MOST_KINDS = 1000  # subprocesses that are counted apart
_MOST_WAITING = 4  # batches of events, of all members together

_SEEN = 200  # first events of a file, by which it is judged
_MOST_SHAPES = 4096  # of events, that are remembered
_COLUMNS = np.array([9, 6, 7, 8, 10])  # E, px, py, pz, and the mass

#: Number and weight of an event, whose it is, and of its legs E, px, py, pz and the mass that is stated, (5 legs,).
_Waiting = tuple[int, float, Target, FloatArray]


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

    def expected(self) -> int | None:
        """About how many events there are, by the length of the first ones; None in packed files."""
        blocks = EventBlocks(self.path)
        with self.path.open("rb") as raw:
            if unpacked(raw) is not raw:
                return None
        starts = [blocks.start for _ in islice(blocks, _SEEN)]
        if len(starts) < _SEEN:
            return len(starts)
        each = (starts[-1] - starts[0]) / (_SEEN - 1)
        return round((self.path.stat().st_size - starts[0]) / each)

    def batches(self, size: int) -> Iterator[Batch]:
        """Events in batches of at most `size`.

        Raises:
            FileNotFoundError: no such file.
            UsageError: an event of another process, or no event of this one.
            IntegrityError: a damaged file.
        """
        self.others, self.read = Counter(), 0
        self._names: dict[tuple[tuple[int, ...], ...], str] = {}
        self._places: dict[bytes, tuple[Target, npt.NDArray[np.int64]]] = {}
        blocks = EventBlocks(self.path)
        pending: dict[int, list[_Waiting]] = {}  # by members
        waiting = 0
        for block in blocks:
            number, self.read = self.read, self.read + 1
            if (found := self._take(block, number)) is None:
                continue
            member = _member(found)
            own = pending.setdefault(member, [])
            own.append(found)
            waiting += 1
            if len(own) == size:
                yield _batch(pending.pop(member))
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

    def _take(self, block: bytes, number: int) -> _Waiting | None:
        """An event of a process that was asked for; those that are like earlier ones are read as a table."""
        table = read_table(block)
        if table is not None and (known := self._places.get(table.shape)) and math.isfinite(table.weight):
            return number, table.weight, known[0], table.particles.take(known[1])
        event = parse_event(block, number, where := f"{self.path}: event {number} (from 0)")
        if not math.isfinite(event.weight):
            raise IntegrityError(f"{where}: its weight is {event.weight}, not a finite weight", "It is damaged.")
        if (found := self._found(event)) is None:
            return None
        if table is not None and len(self._places) < _MOST_SHAPES:
            places = [next(n for n, each in enumerate(event.particles) if each is leg) for leg in found.legs]
            self._places[table.shape] = found.target, (13 * np.array(places)[:, None] + _COLUMNS).ravel()
        return number, event.weight, found.target, np.array([(*leg.momentum, leg.mass) for leg in found.legs]).ravel()

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


def _member(event: _Waiting) -> int:
    member = event[2].member
    assert member is not None
    return member


def _batch(events: list[_Waiting]) -> Batch:
    """Events of one member."""
    legs = np.array([legs for *_, legs in events]).reshape(len(events), -1, len(_COLUMNS))
    momenta = np.ascontiguousarray(legs[..., :4])
    # By the files' convention the first incoming particle flies along +z; half a turn about the x axis restores it.
    momenta[momenta[:, 0, 3] < 0, :, 2:] *= -1.0
    mirrored = np.array([target.mirrored for _, _, target, _ in events])
    momenta[mirrored, :, 2] *= -1.0
    return Batch(
        momenta,
        np.array([number for number, *_ in events]),
        np.array([weight for _, weight, *_ in events]),
        np.ascontiguousarray(legs[..., 4]),
        _member(events[0]),
    )
