"""External legs of events of Les Houches files: which particles are those of a process, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ampcli.events.lhe.records import INCOMING, OUTGOING, RESONANCE, LheEvent, LheParticle
from ampcli.process import Particle, Process

#: What decays are followed by: PDG code, status, first and last mother of a particle.
Shape = tuple[int, int, tuple[int, int]]


def mothers_of(mothers: tuple[int, int], particles: int) -> range:
    """Lines of all mothers, from 1, by the first and the last, of an event of so many particles."""
    first, last = mothers
    return range(first, min(max(first, last), particles) + 1) if first > 0 else range(0)


def outgoing(event: LheEvent, kept: Collection[int] = ()) -> list[LheParticle]:
    """Outgoing particles; resonances with PDG codes in `kept` stand for what they decayed into.

    Of a chain of such resonances the first one is kept, whose mothers have none of these codes.
    """
    if not any(p.status == RESONANCE and p.pdg in kept for p in event.particles):
        return event.with_status(OUTGOING)
    shape = [(particle.pdg, particle.status, particle.mothers) for particle in event.particles]
    return [event.particles[place] for place in outgoing_places(shape, kept)]


def outgoing_places(shape: Sequence[Shape], kept: Collection[int] = ()) -> list[int]:
    """Places of what `outgoing` gives, from 0."""
    roots = {place + 1 for place, (pdg, status, _) in enumerate(shape) if status == RESONANCE and pdg in kept}
    inside = _descendants(shape, roots) if roots else set()
    return [
        place
        for place, (_, status, _) in enumerate(shape)
        if place + 1 not in inside and (status == OUTGOING or place + 1 in roots)
    ]


def _descendants(shape: Sequence[Shape], roots: set[int]) -> set[int]:
    """Lines, from 1, of what the particles of some lines decayed into, at once or later."""
    inside: set[int] = set()
    while True:
        found = {
            line
            for line, (_, status, mothers) in enumerate(shape, start=1)
            if status != INCOMING and any(m in roots or m in inside for m in mothers_of(mothers, len(shape)))
        }
        if found <= inside:
            return inside
        inside |= found


def legs_of(event: LheEvent, process: Process) -> list[LheParticle] | None:
    """Particles of an event in the order of a process; None: it is another process.

    Stable particles come first; if they are not those of the process, resonances that it names stand for their decay
    products.  The incoming particles may stand in either order.
    """
    incoming = event.with_status(INCOMING)
    wanted = [leg.pdg for leg in process.incoming]
    codes = [particle.pdg for particle in incoming]
    if codes == wanted:
        ordered = incoming
    elif codes == wanted[::-1]:
        ordered = incoming[::-1]
    else:
        return None
    named = {leg.pdg for leg in process.outgoing}
    for kept in ((), named):
        if (legs := _in_order(outgoing(event, kept), process.outgoing)) is not None:
            return [*ordered, *legs]
    return None


def _in_order(particles: list[LheParticle], wanted: Sequence[Particle]) -> list[LheParticle] | None:
    if Counter(particle.pdg for particle in particles) != Counter(leg.pdg for leg in wanted):
        return None
    left = list(particles)
    legs = []
    for leg in wanted:
        match = next(particle for particle in left if particle.pdg == leg.pdg)
        left.remove(match)
        legs.append(match)
    return legs
