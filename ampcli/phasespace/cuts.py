"""Cuts on the jets and charged leptons of proton collisions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, pair_positions
from ampcli.process import Process

BoolArray = npt.NDArray[np.bool_]


def _directions(p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """pT, eta and phi of momenta (..., 4)."""
    pt = np.hypot(p[..., 1], p[..., 2])
    return pt, np.arcsinh(p[..., 3] / pt), np.arctan2(p[..., 2], p[..., 1])


def _distance(eta: FloatArray, phi: FloatArray) -> FloatArray:
    """Delta R of differences of eta and phi."""
    return np.asarray(np.hypot(eta, np.remainder(phi + np.pi, 2 * np.pi) - np.pi))


def transverse_momenta(final: FloatArray, process: Process) -> FloatArray:
    """pT of the jets of events (n, n_final, 4), (n, n_jets); GeV."""
    jets = final[:, [leg - 2 for leg in process.jet_legs]]
    return np.asarray(np.hypot(jets[..., 1], jets[..., 2]))


def smallest_delta_r(final: FloatArray, process: Process) -> FloatArray:
    """Of any two jets of events (n, n_final, 4) with two jets at least, (n,)."""
    _, eta, phi = _directions(final[:, [leg - 2 for leg in process.jet_legs]])
    pairs = pair_positions(eta.shape[1])
    apart = [_distance(eta[:, i] - eta[:, j], phi[:, i] - phi[:, j]) for i, j in pairs]
    return np.asarray(np.min(apart, axis=0))


@dataclass(frozen=True)
class JetCuts:
    """pT > pt_min [GeV] and |eta| < eta_max of every jet, Delta R > delta_r of every pair."""

    pt_min: float = 20.0
    eta_max: float = 5.0
    delta_r: float = 0.4

    def passed(self, final: FloatArray, process: Process) -> BoolArray:
        """Which events (n, n_final, 4) in GeV pass, (n,)."""
        p = final[:, [leg - 2 for leg in process.jet_legs]]
        pt, eta, phi = _directions(p)
        passed = (pt > self.pt_min).all(axis=1) & (np.abs(eta) < self.eta_max).all(axis=1)
        for first, second in pair_positions(p.shape[1]):
            passed &= _distance(eta[:, first] - eta[:, second], phi[:, first] - phi[:, second]) > self.delta_r
        return np.asarray(passed)

    def __str__(self) -> str:
        return f"pT > {self.pt_min:g} GeV, |eta| < {self.eta_max:g}, Delta R > {self.delta_r:g}"


def described(jets: JetCuts, leptons: LeptonCuts | None) -> str:
    """All cuts, in words."""
    return str(jets) if leptons is None else f"{jets}; charged leptons: {leptons}"


def charged_leptons(process: Process) -> tuple[int, ...]:
    """External positions of the outgoing charged leptons."""
    return tuple(i for i, leg in enumerate(process.legs) if i >= 2 and leg.kind == "lepton" and leg.pdg % 2)


@dataclass(frozen=True)
class LeptonCuts:
    """pT > pt_min [GeV] and |eta| < eta_max of every charged lepton, Delta R of every pair and to every jet.

    Attributes:
        m_ll_min: smallest invariant mass of every pair of charged leptons, GeV.
        pt_min: smallest pT of a charged lepton, GeV.
        eta_max: largest |eta| of a charged lepton.
        delta_r_ll: smallest Delta R of two charged leptons.
        delta_r_jl: smallest Delta R of a jet and a charged lepton.
    """

    pt_min: float = 10.0
    eta_max: float = 2.5
    delta_r_ll: float = 0.4
    delta_r_jl: float = 0.4
    m_ll_min: float = 0.0

    def passed(self, final: FloatArray, process: Process) -> BoolArray:
        """Which events (n, n_final, 4) in GeV pass, (n,)."""
        leptons = final[:, [leg - 2 for leg in charged_leptons(process)]]
        jets = final[:, [leg - 2 for leg in process.jet_legs]]
        pt, eta, phi = _directions(leptons)
        passed = (pt > self.pt_min).all(axis=1) & (np.abs(eta) < self.eta_max).all(axis=1)
        _, jet_eta, jet_phi = _directions(jets)
        apart = _distance(eta[:, :, None] - jet_eta[:, None], phi[:, :, None] - jet_phi[:, None])
        passed &= (apart > self.delta_r_jl).all(axis=(1, 2))
        for first, second in pair_positions(leptons.shape[1]):
            passed &= _distance(eta[:, first] - eta[:, second], phi[:, first] - phi[:, second]) > self.delta_r_ll
            total = leptons[:, first] + leptons[:, second]
            passed &= total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1) >= self.m_ll_min**2
        return np.asarray(passed)

    @property
    def least_mass(self) -> float:
        """The smallest invariant mass in GeV of two charged leptons that pass."""
        # 2 pT pT' (cosh Delta eta - cos Delta phi) is smallest where all of Delta R lies in phi
        nearest = self.pt_min * math.sqrt(2 - 2 * math.cos(min(self.delta_r_ll, math.pi)))
        return max(self.m_ll_min, nearest)

    def __str__(self) -> str:
        mass = f", m_ll > {self.m_ll_min:g} GeV" if self.m_ll_min else ""
        return (
            f"pT > {self.pt_min:g} GeV, |eta| < {self.eta_max:g}, Delta R > {self.delta_r_ll:g} of two, "
            f"> {self.delta_r_jl:g} to jets{mass}"
        )
