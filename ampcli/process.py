"""Scattering processes in MadGraph syntax: ``e- e+ > d d~ g g``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from ampcli.errors import UsageError

Kind = Literal["quark", "antiquark", "gluon", "lepton", "fermion", "vector", "scalar"]
"""Leptons are those of the Standard Model; fermions are others without colour, of a UFO model."""


@dataclass(frozen=True)
class Particle:
    """A particle: MadGraph name (of a UFO model's own: its name there), PDG code, kind, pole mass in GeV."""

    name: str
    pdg: int
    kind: Kind
    mass: float = 0.0


def _fermions(kind: Kind, names: str, first_pdg: tuple[int, ...]) -> list[Particle]:
    return [Particle(n, pdg, kind) for n, pdg in zip(names.split(), first_pdg, strict=True)]


# Five massless flavours and massless leptons, as in the papers; masses are those of pyamplicol's built-in
# Standard Model (MadGraph5_aMC@NLO defaults; M_W follows from G_F, alpha and M_Z).
_PARTICLES = [
    *_fermions("quark", "d u s c b", (1, 2, 3, 4, 5)),
    *_fermions("antiquark", "d~ u~ s~ c~ b~", (-1, -2, -3, -4, -5)),
    Particle("t", 6, "quark", 173.0),
    Particle("t~", -6, "antiquark", 173.0),
    *_fermions("lepton", "e- ve mu- vm ta- vt", (11, 12, 13, 14, 15, 16)),
    *_fermions("lepton", "e+ ve~ mu+ vm~ ta+ vt~", (-11, -12, -13, -14, -15, -16)),
    Particle("g", 21, "gluon"),
    Particle("a", 22, "vector"),
    Particle("z", 23, "vector", 91.188),
    Particle("w+", 24, "vector", 80.41900244575616),
    Particle("w-", -24, "vector", 80.41900244575616),
    Particle("h", 25, "scalar", 125.0),
]
_MOST_OUTGOING = 20  # exact amplitudes end at about ten; pairs, triples and permutations of legs are enumerated
_LONGEST_SHOWN = 100
PARTICLES = {particle.name: particle for particle in _PARTICLES}


@dataclass(frozen=True)
class Process:
    """A 2 -> n process; legs in the order of the string, incoming first (positions 0, 1)."""

    incoming: tuple[Particle, Particle]
    outgoing: tuple[Particle, ...]

    def __str__(self) -> str:
        names = [" ".join(p.name for p in side) for side in (self.incoming, self.outgoing)]
        return " > ".join(names)

    @property
    def legs(self) -> tuple[Particle, ...]:
        return self.incoming + self.outgoing

    @property
    def n_external(self) -> int:
        return len(self.legs)

    @property
    def n_final(self) -> int:
        return len(self.outgoing)

    @cached_property
    def final_masses(self) -> tuple[float, ...]:
        """Masses of the outgoing legs in GeV."""
        return tuple(p.mass for p in self.outgoing)

    @property
    def identical_factor(self) -> int:
        """Product of k! over groups of k identical final-state particles (averaged over in |M|^2)."""
        return math.prod(math.factorial(k) for k in Counter(p.name for p in self.outgoing).values())

    def with_mass(self, name: str, mass: float) -> Process:
        """The same process with another mass (GeV) of a particle."""
        changed = [replace(leg, mass=mass) if leg.name == name else leg for leg in self.legs]
        return Process((changed[0], changed[1]), tuple(changed[2:]))

    def final_positions(self, kind: Kind) -> tuple[int, ...]:
        """Positions among the outgoing legs (from 0) of the given kind."""
        return tuple(i for i, p in enumerate(self.outgoing) if p.kind == kind)

    @cached_property
    def jet_legs(self) -> tuple[int, ...]:
        """External positions of the massless coloured outgoing legs."""
        coloured = ("quark", "antiquark", "gluon")
        return tuple(i for i, leg in enumerate(self.outgoing, start=2) if leg.kind in coloured and leg.mass == 0)

    @property
    def alpha_s_power(self) -> int:
        """Power of alpha_s in |M|^2 at the leading order: coloured legs but two."""
        return sum(leg.kind in ("quark", "antiquark", "gluon") for leg in self.legs) - 2

    @property
    def n_jets(self) -> int:
        """Number of massless coloured outgoing legs."""
        return len(self.jet_legs)


def parse_process(text: str, known: Mapping[str, Particle] = PARTICLES) -> Process:
    """Read a process such as ``"d d~ > z g g g g"``.

    Args:
        known: particles by their names in lower case.

    Raises:
        UsageError: no ``>``, not two incoming legs, no outgoing one, too many, an unknown particle, or a
            request this syntax does not cover (decay chains, order specifications, multiparticles).
    """
    example = 'Write it like "e- e+ > d d~ g g": two incoming particles, ">", the outgoing ones, blanks between.'
    shortened = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    shown = f'cannot read the process "{shortened}"'
    if any(c in text for c in ",/@=$()"):
        raise UsageError(f"{shown}: decay chains, exclusions and coupling orders are not supported", example)
    sides = [side.split() for side in text.split(">")]
    if len(sides) != 2:
        raise UsageError(f'{shown}: it needs exactly one ">"', example)
    incoming, outgoing = ([_particle(name, known, shown) for name in side] for side in sides)
    if len(incoming) != 2:
        raise UsageError(f"{shown}: {len(incoming)} incoming particles, not 2", example)
    if not outgoing:
        raise UsageError(f"{shown}: it has no outgoing particles", example)
    if len(outgoing) > _MOST_OUTGOING:
        raise UsageError(f"{shown}: {len(outgoing)} outgoing particles, more than {_MOST_OUTGOING}")
    return Process((incoming[0], incoming[1]), tuple(outgoing))


def with_boson_masses(process: Process, parameters: Mapping[str, object]) -> Process:
    """The same process with the masses that ``m_z`` and ``sin2_theta_w`` give Z and W (GeV): M_W^2 = M_Z^2 cos^2.

    What is not given has its default.
    """
    m_z, sin2 = (parameters.get(name) for name in ("m_z", "sin2_theta_w"))
    z, w = PARTICLES["z"].mass, PARTICLES["w+"].mass
    if isinstance(m_z, float | int):
        z, w = float(m_z), w * (m_z / z)
    if isinstance(sin2, float | int) and 0 < sin2 < 1:
        w = z * math.sqrt(1 - sin2)
    for name, mass in (("z", z), ("w+", w), ("w-", w)):
        process = process.with_mass(name, mass)
    return process


def _particle(name: str, known: Mapping[str, Particle], shown: str) -> Particle:
    try:
        return known[name.lower()]
    except KeyError:
        close = [known[each].name for each in get_close_matches(name.lower(), known, n=3, cutoff=0.3)]
        names = dict.fromkeys(each.name for each in known.values())
        hint = f"Did you mean {' or '.join(dict.fromkeys(close))}?" if close else f"Known: {' '.join(names)}."
        raise UsageError(f'{shown}: unknown particle "{name}"', hint) from None
