"""The pair of leptons of a process with nothing else but partons: its resonance, and its masses."""

from __future__ import annotations

from dataclasses import dataclass

from ampcli.amplitudes.native.couplings import DEFAULTS, engine_parameters
from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.phasespace.cuts import LeptonCuts, charged_leptons
from ampcli.process import Process


@dataclass(frozen=True)
class LeptonPair:
    """A lepton and an antilepton of one generation: a photon or Z, a Z alone (neutrinos), or a W.

    Attributes:
        lepton, antilepton: their positions among all legs.
        charged: which of them has a charge.
        mass, width: of the resonance, GeV; by default those of the native amplitudes.
    """

    lepton: int
    antilepton: int
    charged: tuple[bool, bool]
    mass: float
    width: float

    def mass2_range(self, energy: float, cuts: LeptonCuts) -> tuple[float, float, float]:
        """The smallest and largest squared mass s within the cuts, and c of the 1/(s + c) beside the resonance; GeV^2.

        Two charged leptons come from a photon, too, whose pole is cut away.
        """
        photon = all(self.charged)
        return (cuts.least_mass**2 if photon else 0.0), energy**2, (0.0 if photon else self.mass**2)


def lepton_pair(process: Process) -> LeptonPair | None:
    """The pair of a process; None where there is none, or anything else that is neither quark nor gluon."""
    others = [i for i, leg in enumerate(process.legs) if leg.kind not in ("quark", "antiquark", "gluon")]
    others += [i for i, leg in enumerate(process.legs) if leg.mass > 0]
    if len(others) != 2 or min(others) < 2 or any(process.legs[i].kind != "lepton" for i in others):
        return None
    antilepton, lepton = sorted(others, key=lambda i: process.legs[i].pdg)
    one, other = process.legs[lepton].pdg, -process.legs[antilepton].pdg
    if one < 0 or other < 0 or (one + 1) // 2 != (other + 1) // 2:
        return None
    charged = charged_leptons(process)
    if one == other:
        mass, width = DEFAULTS.m_z, DEFAULTS.gamma_z
    else:
        mass, width = DEFAULTS.m_w, DEFAULTS.gamma_w
    return LeptonPair(lepton, antilepton, (lepton in charged, antilepton in charged), mass, width)


def guide_couplings(process: Process) -> list[float] | None:
    """What a quark line and a pair have in common: mass, mass x width, then the couplings of `engine_parameters`.

    None for other processes.
    """
    line = find_quark_line(process)
    if line is None or line.vector.leptons is None:
        return None
    numbers = engine_parameters(line, DEFAULTS).tolist()
    return [*numbers[:2], *numbers[3:8]]
