"""Which processes the native engine covers: one massless quark line, gluons, and a Z or a pair of beam leptons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.process import Particle, Process

MAX_GLUONS = 5

_CHARGED_LEPTONS = (11, 13, 15)


@dataclass(frozen=True)
class QuarkLine:
    """Positions of the legs along the quark line.

    Attributes:
        quark: the outgoing quark, or the incoming antiquark.
        antiquark: the outgoing antiquark, or the incoming quark.
        gluons: in the order of the process.
        z: the outgoing Z, if there is one.
        leptons: the incoming lepton and antilepton, if there are.
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

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h."""
        vector = (self.z, -1) if self.leptons is None else self.leptons
        partons = (self.quark, self.antiquark, *self.gluons)
        return np.array([self.process.n_external, *vector, *partons], dtype=np.int32)


def find_quark_line(process: Process) -> QuarkLine | None:
    """The quark line of a process that the engine covers: 0 to 5 gluons and

    - two incoming charged leptons, everything else outgoing: e- e+ > q q~ g ... (photon and Z), or
    - one outgoing Z: q q~ > z g ..., q g > z q ..., g g > z q q~ ..., and the like with antiquarks.

    None for any other process.
    """
    outgoing = [-leg.pdg if i < 2 and leg.name != "g" else leg.pdg for i, leg in enumerate(process.legs)]
    massless = [leg.mass == 0 for leg in process.legs]
    quarks = [i for i, pdg in enumerate(outgoing) if 1 <= pdg <= 5 and massless[i]]
    gluons = tuple(i for i, leg in enumerate(process.legs) if leg.name == "g")
    bosons = [i for i, leg in enumerate(process.legs) if leg.name == "z" and i >= 2]
    leptons = [i for i in (0, 1) if process.legs[i].pdg in _CHARGED_LEPTONS]
    if len(quarks) != 1 or len(gluons) > MAX_GLUONS:
        return None
    partners = [i for i, pdg in enumerate(outgoing) if pdg == -outgoing[quarks[0]] and massless[i]]
    if len(partners) != 1 or process.n_external != 2 + len(gluons) + (1 if bosons else 2):
        return None
    if len(bosons) == 1:
        return QuarkLine(process, quarks[0], partners[0], gluons, bosons[0], None)
    if len(leptons) == 1 and process.legs[1 - leptons[0]].pdg == -process.legs[leptons[0]].pdg:
        return QuarkLine(process, quarks[0], partners[0], gluons, None, (leptons[0], 1 - leptons[0]))
    return None
