"""External legs of events of Les Houches files: which particles are those of a process, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ampcli.events.lhe.records import INCOMING, OUTGOING, RESONANCE, LheEvent, LheParticle
from ampcli.process import Particle, Process


def mothers_of(particle: LheParticle) -> range:
    """Lines of its mothers, from 1."""
    first, last = particle.mothers
    return range(first, max(first, last) + 1) if first > 0 else range(0)


def outgoing(event: LheEvent, kept: Collection[int] = ()) -> list[LheParticle]:
    """Outgoing particles; resonances with PDG codes in `kept` stand for what they decayed into.

    Of a chain of such resonances the first one is kept, whose mothers have none of these codes.
    """
    if not any(p.status == RESONANCE and p.pdg in kept for p in event.particles):
        return event.with_status(OUTGOING)
    inside = _descendants(event.particles, kept)
    return [
        particle
        for line, particle in enumerate(event.particles, start=1)
        if line not in inside and (particle.status == OUTGOING or _is_kept(particle, kept))
    ]


def _is_kept(particle: LheParticle, kept: Collection[int]) -> bool:
    return particle.status == RESONANCE and particle.pdg in kept


def _descendants(particles: Sequence[LheParticle], kept: Collection[int]) -> set[int]:
    """Lines of what kept resonances decayed into, at once or later."""
    inside: set[int] = set()
    roots = {line for line, particle in enumerate(particles, start=1) if _is_kept(particle, kept)}
    while True:
        found = {
            line
            for line, particle in enumerate(particles, start=1)
            if particle.status != INCOMING and any(m in roots or m in inside for m in mothers_of(particle))
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
