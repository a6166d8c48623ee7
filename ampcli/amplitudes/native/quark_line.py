"""Which processes the native engine covers: one massless quark line, gluons, and a Z, two leptons, or nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.process import Particle, Process

MAX_GLUONS = 5

_CHARGED_LEPTONS = (11, 13, 15)
_NEUTRINOS = (12, 14, 16)


@dataclass(frozen=True)
class QuarkLine:
    """Positions of the legs along the quark line.

    Attributes:
        quark: the outgoing quark, or the incoming antiquark.
        antiquark: the outgoing antiquark, or the incoming quark.
        gluons: in the order of the process.
        z: the outgoing Z, if there is one.
        leptons: the incoming lepton and antilepton, or the outgoing antilepton and lepton, if there are.
    """

    process: Process
    quark: int
    antiquark: int
    gluons: tuple[int, ...]
    z: int | None
    leptons: tuple[int, int] | None

    @property
    def flavour(self) -> Particle:
        return self.process.legs[self.quark]

    @property
    def charged_current(self) -> bool:
        """Whether the leptons come from a W."""
        return abs(self.flavour.pdg) != abs(self.process.legs[self.antiquark].pdg)

    @property
    def polarisations(self) -> int:
        """How many the amplitude sees: 3 of a Z, 2 of leptons, 1 where nothing is but partons."""
        return 3 if self.z is not None else 2 if self.leptons is not None else 1

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h."""
        vector = self.leptons or (-1 if self.z is None else self.z, -1)
        partons = (self.quark, self.antiquark, *self.gluons)
        return np.array([self.process.n_external, *vector, *partons], dtype=np.int32)


def find_quark_line(process: Process) -> QuarkLine | None:
    """The quark line of a process that the engine covers: 0 to 5 gluons and

    - two incoming charged leptons, everything else outgoing: e- e+ > q q~ g ... (photon and Z),
    - one outgoing Z: q q~ > z g ..., q g > z q ..., g g > z q q~ ..., and the like with antiquarks,
    - an outgoing pair of leptons in its place: e- e+ (photon and Z), ve ve~ (Z), e+ ve, e- ve~ (W), and the like, or
    - nothing else, and two gluons or more: q q~ > g g ..., q g > q g ..., g g > q q~ ...

    None for any other process.
    """
    outgoing = [-leg.pdg if i < 2 and leg.name != "g" else leg.pdg for i, leg in enumerate(process.legs)]
    massless = [leg.mass == 0 for leg in process.legs]
    quarks = [i for i, pdg in enumerate(outgoing) if 1 <= pdg <= 5 and massless[i]]
    antiquarks = [i for i, pdg in enumerate(outgoing) if -5 <= pdg <= -1 and massless[i]]
    gluons = tuple(i for i, leg in enumerate(process.legs) if leg.name == "g")
    others = [i for i in range(process.n_external) if i not in (*quarks, *antiquarks, *gluons)]
    if len(quarks) != 1 or len(antiquarks) != 1 or len(gluons) > MAX_GLUONS:
        return None
    change = (outgoing[quarks[0]], -outgoing[antiquarks[0]])
    names = [process.legs[i].name for i in others]
    z, leptons = None, None
    if names == ["z"] and others[0] >= 2:
        z = others[0]
    elif names:
        leptons = _leptons(process, others, change)
        if leptons is None:
            return None
    elif len(gluons) < 2:
        return None
    if change[0] != change[1] and (leptons is None or sum(process.legs[i].pdg for i in leptons) == 0):
        return None
    return QuarkLine(process, quarks[0], antiquarks[0], gluons, z, leptons)


def _leptons(process: Process, others: list[int], change: tuple[int, int]) -> tuple[int, int] | None:
    """The pair of `QuarkLine.leptons`, if these legs are one that the quark line couples to.

    Args:
        change: PDG codes of the outgoing quark, and of the one whose antiquark is outgoing.
    """
    if len(others) != 2 or (others[0] < 2) != (others[1] < 2):
        return None
    lepton, antilepton = sorted(others, key=lambda i: -process.legs[i].pdg)
    codes = process.legs[lepton].pdg, -process.legs[antilepton].pdg
    incoming = lepton < 2
    if codes[0] == codes[1]:
        known = _CHARGED_LEPTONS if incoming else (*_CHARGED_LEPTONS, *_NEUTRINOS)
        good = codes[0] in known and change[0] == change[1]
    else:  # the charge that the quark line loses is the leptons'; one generation of each
        down, up = sorted(change)
        generations = down in (1, 3, 5) and up == down + 1
        charged, neutrino = sorted(codes)
        pair = charged in _CHARGED_LEPTONS and neutrino == charged + 1
        turns_down = change[0] == down  # an up quark becomes a down quark: l+ nu
        good = not incoming and generations and pair and turns_down == (codes[0] == neutrino)
    if not good:
        return None
    return (lepton, antilepton) if incoming else (antilepton, lepton)
