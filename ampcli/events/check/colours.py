"""Checks of colour lines: what a parton shower needs of them (hep-ph/0109068)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ampcli.events.check.findings import Findings
from ampcli.events.check.particles import daughters
from ampcli.events.lhe.records import INCOMING, OUTGOING, RESONANCE, LheEvent, LheParticle

_COLOURLESS = {11, 12, 13, 14, 15, 16, 22, 23, 24, 25}
_GLUON = 21
_QUARKS = range(1, 7)


def check_colours(event: LheEvent, findings: Findings) -> None:
    """Lines that fit their particles, and that connect two of them, across the hard process and in each decay."""
    coloured = [p for p in event.particles if abs(p.pdg) in _QUARKS or p.pdg == _GLUON]
    if coloured and not any(p.colours != (0, 0) for p in event.particles):
        findings.of_event("colours", event.number, "no colour lines at all: parton showers need them")
        return
    for line, particle in enumerate(event.particles, start=1):
        if particle.status in (INCOMING, OUTGOING, RESONANCE) and (what := _fault(particle)):
            findings.of_event("colours", event.number, what, f"particle {line} ({particle.pdg}): {_tags(particle)}")
    external = [p for p in event.particles if p.status in (INCOMING, OUTGOING)]
    begins, ends = _ends(external)
    for tag in sorted(begins.keys() | ends.keys()):
        if (begins[tag], ends[tag]) != (1, 1):
            example = f"line {tag}: {begins[tag]} beginnings, {ends[tag]} ends"
            findings.of_event("colours", event.number, "a colour line that does not connect two particles", example)
    for line, particle in enumerate(event.particles, start=1):
        if particle.status == RESONANCE and (products := daughters(event, line)):
            begins, ends = _ends(products)
            through = sorted((begins - ends).elements()), sorted((ends - begins).elements())
            own = tuple([tag] if tag else [] for tag in particle.colours)
            if through != own:
                what = "a resonance whose decay products carry other colour lines"
                findings.of_event("colours", event.number, what, f"particle {line} ({particle.pdg}): {_tags(particle)}")


def _fault(particle: LheParticle) -> str | None:
    """Whether colours fit a kind of particle; of others than the Standard Model's everything does."""
    colour, anticolour = particle.colours
    if min(colour, anticolour) < 0:
        return None  # sextets, by convention
    if abs(particle.pdg) in _COLOURLESS:
        return "a colourless particle with a colour line" if colour or anticolour else None
    if particle.pdg == _GLUON:
        if not (colour and anticolour):
            return "a gluon without colour or anticolour"
        return "a gluon that is a singlet" if colour == anticolour else None
    if abs(particle.pdg) in _QUARKS:
        own, other = (colour, anticolour) if particle.pdg > 0 else (anticolour, colour)
        return None if own and not other else "a quark without its colour line, or with another one"
    return None


def _ends(particles: Iterable[LheParticle]) -> tuple[Counter[int], Counter[int]]:
    """How often each line begins (outgoing colour, incoming anticolour) and ends."""
    begins: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    for particle in particles:
        colour, anticolour = particle.colours if particle.status != INCOMING else particle.colours[::-1]
        begins.update([colour] if colour > 0 else [])
        ends.update([anticolour] if anticolour > 0 else [])
    return begins, ends


def _tags(particle: LheParticle) -> str:
    return f"{particle.colours[0]} {particle.colours[1]}"
