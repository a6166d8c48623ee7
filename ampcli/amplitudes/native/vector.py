"""The colourless legs beside quark lines, and what a line of given flavours couples to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ampcli.process import Process

_CHARGED_LEPTONS = (11, 13, 15)
_NEUTRINOS = (12, 14, 16)
_BOSONS = {"z": 0, "w+": 1, "w-": -1}


@dataclass(frozen=True)
class Vector:
    """A vector boson, or the leptons that it becomes; nothing, where both are None.

    Attributes:
        charge: outgoing, in units of the positron's: 0 of photon and Z, 1 or -1 of a W.
        boson: the outgoing Z or W, if there is one.
        leptons: the incoming lepton and antilepton, or the outgoing antilepton and lepton, if there are.
    """

    charge: int
    boson: int | None
    leptons: tuple[int, int] | None

    @property
    def states(self) -> int:
        """How many the amplitude sees: 3 of a boson, 2 of leptons, 1 where nothing is but partons."""
        return 3 if self.boson is not None else 2 if self.leptons is not None else 1

    def engine_legs(self) -> tuple[int, int]:
        """`vector` and `other_lepton` of `struct Legs` of kinematics.h."""
        return self.leptons or (-1 if self.boson is None else self.boson, -1)


def charge_emitted(quark: int, antiquark: int) -> int | None:
    """The charge of the vector that a line emits; None: no vector changes its flavour so.

    Args:
        quark: PDG code of the line's outgoing quark.
        antiquark: of its outgoing antiquark, which is negative.
    """
    down, up = sorted((quark, -antiquark))
    if down == up:
        return 0
    return None if down % 2 == 0 or up != down + 1 else 1 if quark == down else -1


def find_vector(process: Process, legs: Sequence[int]) -> Vector | None:
    """What colourless legs are: nothing, an outgoing Z or W, or two leptons of photon and Z, or outgoing ones of a W.

    Incoming leptons are charged.  None for other legs.
    """
    names = [process.legs[i].name for i in legs]
    if not names:
        return Vector(0, None, None)
    if len(names) == 1 and names[0] in _BOSONS and legs[0] >= 2:
        return Vector(_BOSONS[names[0]], legs[0], None)
    if len(names) != 2 or (legs[0] < 2) != (legs[1] < 2):
        return None
    lepton, antilepton = sorted(legs, key=lambda i: -process.legs[i].pdg)
    codes, incoming = (process.legs[lepton].pdg, -process.legs[antilepton].pdg), lepton < 2
    charged, neutrino = sorted(codes)
    if codes[0] == codes[1]:
        charge = 0
        good = codes[0] in (_CHARGED_LEPTONS if incoming else (*_CHARGED_LEPTONS, *_NEUTRINOS))
    else:  # one generation
        charge = 1 if codes[0] == neutrino else -1
        good = not incoming and charged in _CHARGED_LEPTONS and neutrino == charged + 1
    if not good:
        return None
    return Vector(charge, None, (lepton, antilepton) if incoming else (antilepton, lepton))
