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
        leptons: the incoming lepton and antilepton, or the outgoing antilepton and lepton, if there are.
        identical: both lines are of one flavour: either antiquark belongs to either quark.
    """

    process: Process
    quarks: tuple[int, int]
    antiquarks: tuple[int, int]
    gluons: tuple[int, ...]
    z: int | None
    leptons: tuple[int, int] | None
    identical: bool

    @property
    def flavours(self) -> tuple[Particle, Particle]:
        """Of both lines, as particles or antiparticles."""
        return self.process.legs[self.quarks[0]], self.process.legs[self.quarks[1]]

    @property
    def vector_states(self) -> int:
        """How many the amplitude sees: 3 of a Z, 2 of leptons, 1 where nothing is but partons."""
        return 3 if self.z is not None else 2 if self.leptons is not None else 1

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h: what it calls quark, antiquark and gluons are all partons."""
        vector = self.leptons or (-1 if self.z is None else self.z, -1)
        partons = (*self.quarks, *self.antiquarks, *self.gluons)
        return np.array([self.process.n_external, *vector, *partons], dtype=np.int32)


def find_two_lines(process: Process) -> TwoLines | None:
    """The two massless quark lines of a process that the engine covers: 0 to 2 gluons, and nothing else, or

    - an outgoing Z, or
    - a lepton and its antiparticle (photon and Z), both outgoing, or charged and both incoming.

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
    z = others[0] if [process.legs[i].name for i in others] == ["z"] and others[0] >= 2 else None
    leptons = _leptons(process, others)
    if others and z is None and leptons is None:
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
        z,
        leptons,
        outgoing[quarks[0]] == outgoing[quarks[1]],
    )


def _leptons(process: Process, others: list[int]) -> tuple[int, int] | None:
    """The pair of `TwoLines.leptons`, if these legs are one that quarks couple to by photon and Z."""
    if len(others) != 2 or (others[0] < 2) != (others[1] < 2):
        return None
    lepton, antilepton = sorted(others, key=lambda i: -process.legs[i].pdg)
    code, incoming = process.legs[lepton].pdg, lepton < 2
    if code != -process.legs[antilepton].pdg or code not in ((11, 13, 15) if incoming else range(11, 17)):
        return None
    return (lepton, antilepton) if incoming else (antilepton, lepton)
