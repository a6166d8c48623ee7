"""Cuts on the jets of proton collisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, pair_positions
from ampcli.process import Process


@dataclass(frozen=True)
class JetCuts:
    """pT > pt_min [GeV] and |eta| < eta_max of every jet, Delta R > delta_r of every pair."""

    pt_min: float = 20.0
    eta_max: float = 5.0
    delta_r: float = 0.4

    def passed(self, final: FloatArray, process: Process) -> npt.NDArray[np.bool_]:
        """Which events (n, n_final, 4) in GeV pass, (n,)."""
        p = final[:, [leg - 2 for leg in process.jet_legs]]
        pt = np.hypot(p[..., 1], p[..., 2])
        eta, phi = np.arcsinh(p[..., 3] / pt), np.arctan2(p[..., 2], p[..., 1])
        passed = (pt > self.pt_min).all(axis=1) & (np.abs(eta) < self.eta_max).all(axis=1)
        for first, second in pair_positions(p.shape[1]):
            apart = np.remainder(phi[:, first] - phi[:, second] + np.pi, 2 * np.pi) - np.pi
            passed &= np.hypot(eta[:, first] - eta[:, second], apart) > self.delta_r
        return np.asarray(passed)

    def __str__(self) -> str:
        return f"pT > {self.pt_min:g} GeV, |eta| < {self.eta_max:g}, Delta R > {self.delta_r:g}"
