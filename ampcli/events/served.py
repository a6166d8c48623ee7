"""Which member of a set of surrogates an event belongs to, by the flavours of its legs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ampcli.collisions.flavours import Flavours
from ampcli.events.lhe.legs import Shape, legs_of
from ampcli.events.lhe.records import INCOMING, OUTGOING, RESONANCE, LheEvent, LheParticle
from ampcli.process import Process, parse_process

_MOST_SHAPES = 4096  # of events, that are remembered

#: PDG codes of incoming and outgoing particles, each in ascending order.
_Key = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Target:
    """One process, and who serves it.

    Attributes:
        process: with the flavours of the events, leg by leg as in the member's process.
        member: its number; None: nobody, and `reason` says why.
        mirrored: the member wants reflected momenta (p_y changes its sign).
    """

    process: Process
    member: int | None = 0
    mirrored: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """An event that a member serves: its particles in the order of the member's legs."""

    target: Target
    legs: tuple[LheParticle, ...]

    @property
    def member(self) -> int:
        assert self.target.member is not None
        return self.target.member


def targets_of(member: int | None, flavours: Iterable[Flavours], reason: str = "") -> list[Target]:
    """The processes of a channel."""
    return [Target(parse_process(each.process), member, each.mirrored, reason) for each in flavours]


@dataclass
class Served:
    """Processes that the members of a set, a model, or an exact amplitude are for.

    Args:
        name: what the processes are called, in messages.
        processes: of the members, in which momenta are wanted.
        targets: what events may be, and who serves it; of two that are equal the first one counts.
    """

    name: str
    processes: tuple[Process, ...]
    targets: Sequence[Target]
    _by_key: dict[_Key, Target] = field(default_factory=dict, init=False, repr=False)
    _by_shape: dict[tuple[Shape, ...], tuple[Target, tuple[int, ...]] | None] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        for target in self.targets:
            self._by_key.setdefault(_key([leg.pdg for leg in target.process.legs]), target)

    @classmethod
    def exactly(cls, process: Process) -> Served:
        """This process and no other: its legs in any order."""
        return cls(str(process), (process,), (Target(process),))

    def find(self, event: LheEvent) -> Found | str:
        """Who serves an event, or why nobody does (often in no words)."""
        shape = tuple((particle.pdg, particle.status, particle.mothers) for particle in event.particles)
        if shape not in self._by_shape:
            if len(self._by_shape) >= _MOST_SHAPES:
                self._by_shape.clear()
            self._by_shape[shape] = self._look(event)
        known = self._by_shape[shape]
        if known is None:
            return ""
        target, places = known
        if target.member is None:
            return target.reason
        return Found(target, tuple(event.particles[place] for place in places))

    def _look(self, event: LheEvent) -> tuple[Target, tuple[int, ...]] | None:
        """The target of events like this one, and the places of its legs: of stable particles, then of resonances."""
        stable = [particle.pdg for status in (INCOMING, OUTGOING) for particle in event.with_status(status)]
        direct = self._by_key.get(_key(stable))
        decayed = any(particle.status == RESONANCE for particle in event.particles)
        for target in [direct] if direct is not None else self._by_key.values() if decayed else []:
            legs = legs_of(event, target.process)
            if legs is not None:
                places = [next(n for n, each in enumerate(event.particles) if each is leg) for leg in legs]
                return target, tuple(places)
        return None


def _key(codes: Sequence[int]) -> _Key:
    return tuple(sorted(codes[:2])), tuple(sorted(codes[2:]))
