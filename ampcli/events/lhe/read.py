"""Les Houches event files (hep-ph/0109068, hep-ph/0609017) as momenta of one process, read as a stream."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ampcli.errors import IntegrityError, UsageError, setting
from ampcli.events.batch import Batch
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.process import Process

_INCOMING, _OUTGOING = -1, 1  # status codes
_MOST_KINDS = 1000  # subprocesses that are counted apart


@dataclass(frozen=True)
class LheParticle:
    """What a line of an event says of a particle; momentum is (E, px, py, pz) in GeV."""

    pdg: int
    status: int
    momentum: tuple[float, float, float, float]
    mass: float


@dataclass
class LheEvents:
    """Events of one process in an event file, legs ordered as in the process, first incoming leg towards +z.

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
            weight, particles = parse_event(block, f"{self.path}: event {number} (from 0)")
            if (legs := self._legs(particles, number)) is not None:
                pending.append((number, weight, legs))
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

    def _legs(self, particles: list[LheParticle], number: int) -> list[LheParticle] | None:
        """Particles in the order of the process; None for another one."""
        incoming = [p for p in particles if p.status == _INCOMING]
        outgoing = [p for p in particles if p.status == _OUTGOING]
        wanted = [leg.pdg for leg in self.process.incoming]
        turned = [p.pdg for p in incoming] == wanted[::-1] != wanted
        legs = incoming[::-1] if turned else list(incoming)
        left = list(outgoing)
        for leg in self.process.outgoing:
            match = next((p for p in left if p.pdg == leg.pdg), None)
            if match is not None:
                left.remove(match)
                legs.append(match)
        if [p.pdg for p in legs] == [leg.pdg for leg in self.process.legs] and not left:
            return legs
        if self.process_only:
            self._count(incoming, outgoing)
            return None
        raise UsageError(
            f"{self.path}: event {number} (from 0) is {_name(incoming, outgoing)}, not {self.process}",
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


def parse_event(block: bytes, where: str) -> tuple[float, list[LheParticle]]:
    """Weight and particles of the text between <event> and </event>.

    Args:
        where: the event's name, for messages.

    Raises:
        IntegrityError: lines that are not as the standard has them, or another number of particles than it says.
    """
    lines = []
    for line in block.splitlines():
        line = line.split(b"#", 1)[0].strip()
        if line.startswith(b"<"):  # weights and the like, which only follow
            break
        if line:
            lines.append(line)
    if not lines:
        raise IntegrityError(f"{where} is empty")
    head = lines[0].split()
    if len(head) != 6:
        raise _malformed(where, lines[0], "6 numbers (NUP IDPRUP XWGTUP SCALUP AQEDUP AQCDUP)")
    try:
        said, _ = _integer(head[0]), _integer(head[1])
        weight, *_ = [_real(word) for word in head[2:]]
    except ValueError:
        raise _malformed(where, lines[0], "2 integers and 4 numbers") from None
    if not np.isfinite(weight):
        raise _malformed(where, lines[0], "a finite weight")
    if len(lines) - 1 != said:
        raise IntegrityError(f"{where} says that it has {said} particles, and has {len(lines) - 1}", "It is damaged.")
    return weight, [_particle(line, where) for line in lines[1:]]


def _particle(line: bytes, where: str) -> LheParticle:
    words = line.split()
    if len(words) != 13:
        raise _malformed(where, line, "13 numbers for each particle")
    try:
        pdg, status, *_ = [_integer(word) for word in words[:6]]
        x, y, z, e, mass, *_ = [_real(word) for word in words[6:]]
    except ValueError:
        raise _malformed(where, line, "6 integers and 7 numbers for each particle") from None
    return LheParticle(pdg, status, (e, x, y, z), mass)


_PLAIN = re.compile(rb"[+-]?\d{1,18}")
_FORTRAN = re.compile(rb"([+-]?(?:\d+\.?\d*|\.\d+))(?:[dDqQ]|(?=[+-]))([+-]?\d+)")


def _integer(word: bytes) -> int:
    if not _PLAIN.fullmatch(word):
        raise ValueError
    return int(word)


def _real(word: bytes) -> float:
    """A number, also as Fortran writes it: 1.0D+03, 1.0-100."""
    if b"_" in word:  # which Python takes for a separator of thousands
        raise ValueError
    try:
        return float(word)
    except ValueError:
        if (found := _FORTRAN.fullmatch(word)) is None:
            raise
        return float(found[1] + b"e" + found[2])


def _malformed(where: str, line: bytes, wanted: str) -> IntegrityError:
    return IntegrityError(f"{where}: the standard has {wanted}, not {repr(line[:120])[1:]}", "It is damaged.")
