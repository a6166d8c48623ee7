"""Events near given ones: on shell, balanced, within the same cuts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.phasespace.cuts import JetCuts
from ampcli.process import Process


def recoiling_leg(process: Process) -> int:
    """Position among the outgoing legs of the one that is no jet and takes the recoil of the jets.

    Raises:
        UsageError: there is none, or more than one.
    """
    jets = {leg - 2 for leg in process.jet_legs}
    others = [leg for leg in range(process.n_final) if leg not in jets]
    if len(others) != 1:
        raise UsageError(
            f'"{process}": perturbed events need one particle beside the jets that takes their recoil',
            f"Leave out {setting('perturb')}.",
        )
    return others[0]


def perturbed_events(
    final: FloatArray,
    process: Process,
    size: float,
    rng: np.random.Generator,
    cuts: JetCuts,
    energy: float,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Shake every outgoing particle: ln pT, pseudorapidity and azimuth of jets, the rapidity of the other one.

    Args:
        final: outgoing momenta (n, n_final, 4) in GeV, massless jets and one other particle.
        size: standard deviation of the shifts.
        cuts: of the jets; energy: of the collision in GeV.

    Returns:
        Events (n, n_final, 4), and which of them are new: copies that leave the cuts are the event itself again.
    """
    other = recoiling_leg(process)
    jets = [leg - 2 for leg in process.jet_legs]
    shifts = size * rng.standard_normal((len(final), len(jets), 3))
    p = final[:, jets]
    pt = np.hypot(p[..., 1], p[..., 2]) * np.exp(shifts[..., 0])
    eta = np.arcsinh(p[..., 3] / np.hypot(p[..., 1], p[..., 2])) + shifts[..., 1]
    phi = np.arctan2(p[..., 2], p[..., 1]) + shifts[..., 2]
    copies = np.empty_like(final)
    copies[:, jets] = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    old = final[:, other]
    rapidity = np.arctanh(old[:, 3] / old[:, 0]) + size * rng.standard_normal(len(final))
    recoil = -copies[:, jets, 1:3].sum(axis=1)
    transverse = np.sqrt(recoil[:, 0] ** 2 + recoil[:, 1] ** 2 + process.final_masses[other] ** 2)
    copies[:, other] = np.stack(
        [transverse * np.cosh(rapidity), recoil[:, 0], recoil[:, 1], transverse * np.sinh(rapidity)], axis=-1
    )
    total = copies.sum(axis=1)
    new = (total[:, 0] + np.abs(total[:, 3]) < energy) & cuts.passed(copies, process)
    copies[~new] = final[~new]
    return copies, new
