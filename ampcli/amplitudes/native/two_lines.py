"""Which processes the native engine covers with two quark lines, and where their legs are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.process import Particle, Process

MAX_GLUONS = 2


@dataclass(frozen=True)
class TwoLines:
    """Positions of the legs along two quark lines.

    Attributes:
        quarks: the outgoing quarks, or incoming antiquarks, one of each line.
        antiquarks: the outgoing antiquarks, or incoming quarks: the second one belongs to the second quark.
        gluons: in the order of the process.
        z: the outgoing Z, if there is one.
        identical: both lines are of one flavour: either antiquark belongs to either quark.
    """

    process: Process
    quarks: tuple[int, int]
    antiquarks: tuple[int, int]
    gluons: tuple[int, ...]
    z: int | None
    identical: bool

    @property
    def flavours(self) -> tuple[Particle, Particle]:
        """Of both lines, as particles or antiparticles."""
        return self.process.legs[self.quarks[0]], self.process.legs[self.quarks[1]]

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h: what it calls quark, antiquark and gluons are all partons."""
        vector = -1 if self.z is None else self.z
        partons = (*self.quarks, *self.antiquarks, *self.gluons)
        return np.array([self.process.n_external, vector, -1, *partons], dtype=np.int32)


def find_two_lines(process: Process) -> TwoLines | None:
    """The two massless quark lines of a process that the engine covers: 0 to 2 gluons, without or with an outgoing Z.

    None for any other process.
    """
    outgoing = [-leg.pdg if i < 2 and leg.kind != "gluon" else leg.pdg for i, leg in enumerate(process.legs)]
    massless = [leg.mass == 0 and abs(leg.pdg) <= 5 for leg in process.legs]
    quarks = [i for i, pdg in enumerate(outgoing) if pdg > 0 and massless[i]]
    antiquarks = [i for i, pdg in enumerate(outgoing) if pdg < 0 and massless[i]]
    gluons = tuple(i for i, leg in enumerate(process.legs) if leg.kind == "gluon")
    bosons = [i for i, leg in enumerate(process.legs) if leg.name == "z" and i >= 2]
    if len(quarks) != 2 or len(antiquarks) != 2 or len(gluons) > MAX_GLUONS or len(bosons) > 1:
        return None
    if process.n_external != 4 + len(gluons) + len(bosons):
        return None
    if outgoing[antiquarks[0]] != -outgoing[quarks[0]]:
        antiquarks.reverse()
    if any(outgoing[a] != -outgoing[q] for q, a in zip(quarks, antiquarks, strict=True)):
        return None
    return TwoLines(
        process,
        (quarks[0], quarks[1]),
        (antiquarks[0], antiquarks[1]),
        gluons,
        bosons[0] if bosons else None,
        outgoing[quarks[0]] == outgoing[quarks[1]],
    )
