"""Which process an event of a Les Houches file belongs to, with its legs in one order for all events of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ampcli.events.lhe.legs import outgoing_places
from ampcli.events.lhe.records import INCOMING, LheEvent, LheParticle
from ampcli.kinematics import FloatArray
from ampcli.process import PARTICLES, Process

#: Resonances that can stand for their decay products.
_RESONANCES = frozenset({6, -6, 23, 24, -24, 25})
_BY_CODE = {particle.pdg: particle for particle in PARTICLES.values()}
_KINDS = ("vector", "scalar", "lepton", "quark", "antiquark", "gluon")
_INCOMING = ("lepton", "quark", "antiquark", "gluon", "vector", "scalar")


@dataclass(frozen=True)
class Legs:
    """External legs of an event, in the order of its process."""

    process: Process
    particles: tuple[LheParticle, ...]


def process_of(incoming: Sequence[int], final: Sequence[int]) -> Process | None:
    """The process of ordered PDG codes; None: not two incoming particles, or some that ampcli has not."""
    if len(incoming) != 2 or not final or any(code not in _BY_CODE for code in (*incoming, *final)):
        return None
    return Process((_BY_CODE[incoming[0]], _BY_CODE[incoming[1]]), tuple(_BY_CODE[code] for code in final))


def subprocesses(event: LheEvent) -> list[Legs]:
    """The processes that an event may be taken as: with its stable particles, then with its resonances.

    Incoming: leptons, quarks, antiquarks, gluons; outgoing: bosons, leptons, quarks, antiquarks, gluons.  Empty for
    events with particles that ampcli has not, or with other than two incoming ones.
    """
    shape = tuple((particle.pdg, particle.status, particle.mothers) for particle in event.particles)
    return [
        Legs(process, tuple(event.particles[place] for place in places)) for process, places in _subprocesses(shape)
    ]


@lru_cache(maxsize=4096)
def _subprocesses(shape: tuple[tuple[int, int, tuple[int, int]], ...]) -> list[tuple[Process, tuple[int, ...]]]:
    """The processes of events with such particles (PDG code, status, mothers), and the places of their legs."""
    found: dict[Process, tuple[int, ...]] = {}
    beams = [place for place, (_, status, _) in enumerate(shape) if status == INCOMING]
    beams.sort(key=lambda place: _place(shape[place][0], _INCOMING))
    for kept in ((), _RESONANCES):
        final = sorted(outgoing_places(shape, kept), key=lambda place: _place(shape[place][0], _KINDS))
        process = process_of([shape[place][0] for place in beams], [shape[place][0] for place in final])
        if process is not None:
            found.setdefault(process, (*beams, *final))
    return list(found.items())


def _place(code: int, kinds: tuple[str, ...]) -> tuple[int, int, int]:
    particle = _BY_CODE.get(code)
    return (len(kinds) if particle is None else kinds.index(particle.kind), abs(code), -code)


def momenta_of(events: list[tuple[LheParticle, ...]]) -> FloatArray:
    """Momenta (n, legs, 4) of legs in one order, the first incoming one towards +z.

    By the files' convention that is the one that comes first; half a turn about the x axis restores it.
    """
    momenta = np.array([[leg.momentum for leg in legs] for legs in events])
    momenta[momenta[:, 0, 3] < 0, :, 2:] *= -1.0
    return momenta
