"""Checks of the particles of an event: momenta, mass shells, mothers, charges, beams."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ampcli.events.check.findings import Findings
from ampcli.events.lhe.legs import mothers_of
from ampcli.events.lhe.records import INCOMING, OUTGOING, RESONANCE, LheEvent, LheInit, LheParticle

_KNOWN_STATUS = {-9, -2, -1, 1, 2, 3}
_LEAST = 1e-9  # relative accuracy that is asked for, however many digits are printed

#: Electric charges in thirds of the positron's; of antiparticles the opposite.
_CHARGES = {
    **dict.fromkeys((1, 3, 5), -1), **dict.fromkeys((2, 4, 6), 2), **dict.fromkeys((11, 13, 15), -3),
    **dict.fromkeys((12, 14, 16, 21, 22, 23, 25), 0), 24: 3,
}  # fmt: skip

_PROTON = 2212
_LEPTONS = range(11, 17)


def accuracy(event: LheEvent) -> float:
    """Relative accuracy of the momenta of an event, from the digits that energies are printed with."""
    longest = max((particle.printed for particle in event.particles), key=len, default=b"")
    return max(10.0 ** (1 - _digits(longest)), _LEAST)


def _digits(printed: bytes) -> int:
    for letter in b"eEdD":
        printed = printed.split(bytes([letter]), 1)[0]
    return len(printed.strip(b"+-").replace(b".", b"").lstrip(b"0"))


def check_particles(event: LheEvent, init: LheInit | None, findings: Findings) -> None:
    """All checks of this module."""
    for line, particle in enumerate(event.particles, start=1):
        if not all(map(math.isfinite, (*particle.momentum, particle.mass))):
            what = "a momentum or a mass is not finite"
            findings.of_event("momentum", event.number, what, f"particle {line} ({particle.pdg})")
            return
    fine = accuracy(event)
    _shells(event, fine, findings)
    _momentum(event, fine, findings)
    _charges(event, findings)
    _beams(event, init, fine, findings)
    if _mothers(event, findings):
        _decays(event, fine, findings)


def _shells(event: LheEvent, fine: float, findings: Findings) -> None:
    for line, particle in enumerate(event.particles, start=1):
        e, x, y, z = particle.momentum
        if particle.status in (OUTGOING, INCOMING, RESONANCE) and not e > 0:
            findings.of_event(
                "shells", event.number, "an energy is not positive", f"particle {line} ({particle.pdg}): {e:.6g} GeV"
            )
        elif particle.status in (OUTGOING, INCOMING, RESONANCE):
            square = e * e - x * x - y * y - z * z
            if abs(square - particle.mass * particle.mass) > 4 * fine * e * e:
                is_of = math.copysign(math.sqrt(abs(square)), square)
                findings.of_event(
                    "shells", event.number, "a particle is off the mass shell that it states",
                    f"particle {line} ({particle.pdg}) of {e:.6g} GeV states {particle.mass:.6g} GeV, "
                    f"and its momentum has {is_of:.6g} GeV",
                )  # fmt: skip


def _sum(particles: Sequence[LheParticle]) -> list[float]:
    return [sum(p.momentum[i] for p in particles) for i in range(4)]


def _momentum(event: LheEvent, fine: float, findings: Findings) -> None:
    incoming, outgoing = _sum(event.with_status(INCOMING)), _sum(event.with_status(OUTGOING))
    off = max(abs(one - other) for one, other in zip(incoming, outgoing, strict=True))
    if off > 2 * fine * (incoming[0] + outgoing[0]):
        findings.of_event(
            "momentum", event.number, "incoming and outgoing momenta differ",
            f"by {off:.3g} GeV of {incoming[0]:.6g} GeV",
        )  # fmt: skip


def _charges(event: LheEvent, findings: Findings) -> None:
    total = 0
    for particle in event.particles:
        if particle.status in (INCOMING, OUTGOING):
            charge = _CHARGES.get(abs(particle.pdg))
            if charge is None:
                return
            total += particle.status * (charge if particle.pdg > 0 else -charge)
    if total:
        findings.of_event("charges", event.number, "electric charge is not conserved", f"it changes by {total}/3")


def _mothers(event: LheEvent, findings: Findings) -> bool:
    """Whether mothers make sense."""
    particles = event.particles

    def found(what: str, line: int) -> None:
        particle = particles[line - 1]
        first, last = particle.mothers
        findings.of_event(
            "mothers",
            event.number,
            what,
            f"particle {line} ({particle.pdg}, status {particle.status}) has {first} {last}",
        )

    sound = True
    for line, particle in enumerate(particles, start=1):
        mothers = mothers_of(particle.mothers, len(particles))
        said = None
        if particle.status not in _KNOWN_STATUS:
            said = "a status that the standard has not"
        elif not all(0 <= mother <= len(particles) for mother in particle.mothers):
            said = "a mother that is not there"
        elif particle.status in (OUTGOING, RESONANCE) and not mothers:
            said = "a particle without mothers"
        elif any(particles[m - 1].status == OUTGOING for m in mothers):
            said = "a mother that is stable"
        elif mothers and max(mothers) >= line and line in _ancestors(particles, line):
            said = "a particle that is its own ancestor"
        if said:
            sound = False
            found(said, line)
    incoming = len(event.with_status(INCOMING))
    if incoming != 2:
        sound = False
        findings.of_event("beams", event.number, "other than two incoming particles", f"{incoming}")
    return sound


def _ancestors(particles: Sequence[LheParticle], line: int) -> set[int]:
    seen: set[int] = set()
    ahead = list(mothers_of(particles[line - 1].mothers, len(particles)))
    while ahead:
        mother = ahead.pop()
        if mother not in seen and 0 < mother <= len(particles):
            seen.add(mother)
            ahead += mothers_of(particles[mother - 1].mothers, len(particles))
    return seen


def daughters(event: LheEvent, line: int) -> list[LheParticle]:
    """What the particle of a line, from 1, decayed into."""
    return [particle for particle in event.particles if particle.mothers in ((line, line), (line, 0))]


def _decays(event: LheEvent, fine: float, findings: Findings) -> None:
    for line, particle in enumerate(event.particles, start=1):
        if particle.status != RESONANCE:
            continue
        products = daughters(event, line)
        if not products:
            findings.of_event(
                "mothers", event.number, "a resonance that nothing comes from", f"particle {line} ({particle.pdg})"
            )
            continue
        off = max(abs(one - other) for one, other in zip(particle.momentum, _sum(products), strict=True))
        if off > 4 * fine * particle.momentum[0]:
            findings.of_event(
                "mothers", event.number, "a resonance and its decay products have different momenta",
                f"particle {line} ({particle.pdg}): by {off:.3g} GeV of {particle.momentum[0]:.6g} GeV",
            )  # fmt: skip


def _beams(event: LheEvent, init: LheInit | None, fine: float, findings: Findings) -> None:
    incoming = event.with_status(INCOMING)
    if len(incoming) != 2:
        return
    signs = [particle.momentum[3] > 0 for particle in incoming]
    if signs != [True, False]:
        what = "the first incoming particle does not fly along +z, or the second not along -z"
        findings.of_event(
            "beams", event.number, what, f"pz = {incoming[0].momentum[3]:.6g}, {incoming[1].momentum[3]:.6g}"
        )
    for place, particle in enumerate(incoming):
        e, x, y, _ = particle.momentum
        if max(abs(x), abs(y)) > fine * e:
            findings.of_event(
                "beams", event.number, "an incoming particle is not along the z axis", f"px, py = {x:g}, {y:g}"
            )
        if init is None:
            continue
        share = e / init.energies[place] if init.energies[place] > 0 else 0.0
        if share > 1 + 4 * fine:
            what = "an incoming particle has more energy than its beam"
            findings.of_event("beams", event.number, what, f"x_{place + 1} = {share:.6g}")
        if not _may_come_from(particle.pdg, init.beams[place]):
            what = "an incoming particle that its beam cannot give"
            findings.of_event(
                "beams", event.number, what, f"{particle.pdg} from beam {place + 1} of {init.beams[place]}"
            )


def _may_come_from(code: int, beam: int) -> bool:
    if abs(beam) in _LEPTONS:
        return code == beam or code == 22
    if abs(beam) == _PROTON:
        return abs(code) not in _LEPTONS
    return True
