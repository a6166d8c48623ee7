"""Which processes the native engine covers with two quark lines, and where their legs are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.vector import Vector, charge_emitted, find_vector
from ampcli.process import Particle, Process

MAX_GLUONS = 2

#: Which ends of two lines change places in the second way to pair them, None where there is no such way.
Exchange = Literal["antiquarks", "quarks"] | None


@dataclass(frozen=True)
class TwoLines:
    """Positions of the legs along two quark lines.

    Attributes:
        quarks: the outgoing quarks, or incoming antiquarks, one of each line; a W belongs to the first line.
        antiquarks: the outgoing antiquarks, or incoming quarks: the second one belongs to the second quark.
        gluons: in the order of the process.
        vector: the colourless legs.
        exchange: ends of the same flavour, which may change places; then the first line still is that of a W.
    """

    process: Process
    quarks: tuple[int, int]
    antiquarks: tuple[int, int]
    gluons: tuple[int, ...]
    vector: Vector
    exchange: Exchange

    @property
    def flavours(self) -> tuple[Particle, Particle]:
        """Of both lines, as particles or antiparticles."""
        return self.process.legs[self.quarks[0]], self.process.legs[self.quarks[1]]

    @property
    def absorbing(self) -> int:
        """Lines that absorb the vector: 1 of a W; and the first absorbs the other line's gluon where there is none."""
        return 2 if self.vector.states > 1 and self.vector.charge == 0 else 1

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h: what it calls quark, antiquark and gluons are all partons."""
        partons = (*self.quarks, *self.antiquarks, *self.gluons)
        return np.array([self.process.n_external, *self.vector.engine_legs(), *partons], dtype=np.int32)


def find_two_lines(process: Process) -> TwoLines | None:
    """The two massless quark lines of a process that the engine covers: 0 to 2 gluons, and nothing else, or

    - an outgoing Z or W,
    - a lepton and its antiparticle (photon and Z), both outgoing, or charged and both incoming, or
    - an outgoing lepton and neutrino (W).

    None for any other process.
    """
    outgoing = [-leg.pdg if i < 2 and leg.kind != "gluon" else leg.pdg for i, leg in enumerate(process.legs)]
    massless = [leg.mass == 0 for leg in process.legs]
    quarks = [i for i, pdg in enumerate(outgoing) if 1 <= pdg <= 5 and massless[i]]
    antiquarks = [i for i, pdg in enumerate(outgoing) if -5 <= pdg <= -1 and massless[i]]
    gluons = tuple(i for i, leg in enumerate(process.legs) if leg.kind == "gluon")
    others = [i for i in range(process.n_external) if i not in (*quarks, *antiquarks, *gluons)]
    if len(quarks) != 2 or len(antiquarks) != 2 or len(gluons) > MAX_GLUONS:
        return None
    vector = find_vector(process, others)
    if vector is None:
        return None
    pairings = [
        lines
        for a, b in (antiquarks, antiquarks[::-1])
        for lines in (((quarks[0], a), (quarks[1], b)), ((quarks[1], b), (quarks[0], a)))
        if [charge_emitted(outgoing[q], outgoing[a]) for q, a in lines] == [vector.charge, 0]
    ]
    if not pairings:
        return None
    (q0, a0), (q1, a1) = pairings[0]
    exchange: Exchange = None
    if outgoing[antiquarks[0]] == outgoing[antiquarks[1]]:
        exchange = "antiquarks"
    elif outgoing[quarks[0]] == outgoing[quarks[1]]:
        exchange = "quarks"
    return TwoLines(process, (q0, q1), (a0, a1), gluons, vector, exchange)
