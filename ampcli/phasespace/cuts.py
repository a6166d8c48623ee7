"""Cuts on the jets of proton collisions, for events that come from elsewhere than the sampler."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.factorisation.radiation import jet_legs
from ampcli.kinematics import FloatArray, pair_positions
from ampcli.process import Process


def within_cuts(
    final: FloatArray, process: Process, pt_min: float, eta_max: float, delta_r: float
) -> npt.NDArray[np.bool_]:
    """Events (n, n_final, 4) whose jets have pT > pt_min [GeV] and |eta| < eta_max, and are delta_r apart: (n,)."""
    p = final[:, [leg - 2 for leg in jet_legs(process)]]
    pt = np.hypot(p[..., 1], p[..., 2])
    eta, phi = np.arcsinh(p[..., 3] / pt), np.arctan2(p[..., 2], p[..., 1])
    passed = (pt > pt_min).all(axis=1) & (np.abs(eta) < eta_max).all(axis=1)
    for first, second in pair_positions(p.shape[1]):
        apart = np.remainder(phi[:, first] - phi[:, second] + np.pi, 2 * np.pi) - np.pi
        passed &= np.hypot(eta[:, first] - eta[:, second], apart) > delta_r
    return np.asarray(passed)
