"""Which processes the native engine covers with one massless quark line: gluons, and Z, W, two leptons or nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.vector import Vector, charge_emitted, find_vector
from ampcli.process import Particle, Process

MAX_GLUONS = 5


@dataclass(frozen=True)
class QuarkLine:
    """Positions of the legs along the quark line.

    Attributes:
        quark: the outgoing quark, or the incoming antiquark.
        antiquark: the outgoing antiquark, or the incoming quark.
        gluons: in the order of the process.
        vector: the colourless legs.
    """

    process: Process
    quark: int
    antiquark: int
    gluons: tuple[int, ...]
    vector: Vector

    @property
    def flavour(self) -> Particle:
        return self.process.legs[self.quark]

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h."""
        partons = (self.quark, self.antiquark, *self.gluons)
        return np.array([self.process.n_external, *self.vector.engine_legs(), *partons], dtype=np.int32)


def find_quark_line(process: Process) -> QuarkLine | None:
    """The quark line of a process that the engine covers: 0 to 5 gluons and

    - two incoming charged leptons, everything else outgoing: e- e+ > q q~ g ... (photon and Z),
    - one outgoing Z or W: q q~ > z g ..., q g > z q ..., g g > z q q~ ..., u d~ > w+ g ..., and the like,
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
    vector = find_vector(process, others)
    if vector is None or charge_emitted(outgoing[quarks[0]], outgoing[antiquarks[0]]) != vector.charge:
        return None
    if not others and len(gluons) < 2:
        return None
    return QuarkLine(process, quarks[0], antiquarks[0], gluons, vector)
