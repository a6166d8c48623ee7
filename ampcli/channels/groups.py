"""Subprocesses with the same |M|^2 become one channel, with one process that stands for all.

What maps one to another, exactly and at any order of legs:

- flavours of equal charge and mass: d s b, u c, and lepton families; all quarks, where there is colour alone; with W
  bosons the doublets (u d) and (c s) together;
- the exchange of the beams, which stores have anyway (half of the events are turned on their way out);
- CP: all particles become antiparticles and momenta are reflected.  Charge conjugation alone is a symmetry of colour,
  not of Z and W: they know left from right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from ampcli.channels.expansion import key_of
from ampcli.collisions.flavours import Flavours
from ampcli.process import PARTICLES, Particle, Process

_BY_CODE = {particle.pdg: particle for particle in PARTICLES.values()}
_SELF_CONJUGATE = (21, 22, 23, 25)
_LEPTONS = ((11, 12), (13, 14), (15, 16))

#: Code of a fermion -> that of another.
_Relabelling = dict[int, int]


@dataclass(frozen=True)
class Channel:
    """Processes with one |M|^2.

    Attributes:
        process: the one whose amplitudes are computed.
        flavours: all of them, that one first.
    """

    process: Process
    flavours: tuple[Flavours, ...]

    @property
    def name(self) -> str:
        """A short name for files and models, such as ``dg_zd``."""
        sides = ("".join(leg.name for leg in side) for side in (self.process.incoming, self.process.outgoing))
        return "_".join(sides).replace("~", "x").replace("+", "p").replace("-", "m")


def channels_of(processes: list[Process]) -> list[Channel]:
    """The channels of subprocesses, in the order of their first ones."""
    left = {key_of(process): process for process in processes}
    channels = []
    for process in processes:
        if key_of(process) not in left:
            continue
        found = []
        for equal, mirrored in _equal_ones(process):
            if left.pop(key_of(equal), None) is not None:
                found.append(Flavours(process=str(equal), mirrored=mirrored))
        channels.append(Channel(process, tuple(found)))
    return channels


def flavours_of(process: Process) -> tuple[Flavours, ...]:
    """All processes with the |M|^2 of this one, itself first; those that differ by the order of legs are one."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Flavours] = {}
    for equal, mirrored in _equal_ones(process):
        found.setdefault(key_of(equal), Flavours(process=str(equal), mirrored=mirrored))
    return tuple(found.values())


def _equal_ones(process: Process) -> Iterator[tuple[Process, bool]]:
    """Processes with the |M|^2 of this one, leg by leg, and whether momenta are reflected; itself first."""
    relabellings = list(_relabellings(process))
    for mirrored in (False, True):
        for relabelled in relabellings:
            legs = [_changed(leg, relabelled, mirrored) for leg in process.legs]
            yield Process((legs[0], legs[1]), tuple(legs[2:])), mirrored


def _changed(leg: Particle, relabelled: _Relabelling, conjugated: bool) -> Particle:
    if leg.pdg in _SELF_CONJUGATE:
        return leg
    code = relabelled.get(abs(leg.pdg), abs(leg.pdg))
    return _BY_CODE[code if (leg.pdg > 0) != conjugated else -code]


def _relabellings(process: Process) -> Iterator[_Relabelling]:
    codes = {abs(leg.pdg) for leg in process.legs}
    leptons = [(lepton, neutrino) for lepton, neutrino in _LEPTONS if {lepton, neutrino} & codes]
    families = [
        dict(zip((c for pair in _LEPTONS for c in pair), (c for pair in order for c in pair), strict=True))
        for order in permutations(_LEPTONS)
    ]
    for quarks in _quark_relabellings(process, codes):
        for family in families if leptons else [{}]:
            yield quarks | family


def _quark_relabellings(process: Process, codes: set[int]) -> list[_Relabelling]:
    if all(leg.kind in ("quark", "antiquark", "gluon") for leg in process.legs):
        return [dict(zip(range(1, 6), order, strict=True)) for order in permutations(range(1, 6))]
    if 24 in codes or (codes & {12, 14, 16} and codes & {11, 13, 15}):
        return [{}, {1: 3, 3: 1, 2: 4, 4: 2}]
    ups = [{}, {2: 4, 4: 2}]
    return [dict(zip((1, 3, 5), downs, strict=True)) | up for downs in permutations((1, 3, 5)) for up in ups]
