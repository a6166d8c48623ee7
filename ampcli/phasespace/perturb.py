"""Events near given ones: on shell, balanced, within the same cuts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.phasespace.cuts import JetCuts, LeptonCuts
from ampcli.phasespace.decays import decayed, pair_mass, rest_directions
from ampcli.phasespace.lepton_pair import lepton_pair
from ampcli.process import Process


def recoiling_legs(process: Process) -> list[int]:
    """Positions among the outgoing legs of what is no jet and takes the recoil of the jets: a particle, or two leptons.

    Raises:
        UsageError: there is none, or more.
    """
    jets = {leg - 2 for leg in process.jet_legs}
    others = [leg for leg in range(process.n_final) if leg not in jets]
    if len(others) != 1 and lepton_pair(process) is None:
        raise UsageError(
            f'"{process}": perturbed events need one particle, or a pair of leptons, beside the jets that takes '
            "their recoil",
            f"Leave out {setting('perturb')}.",
        )
    return others


def perturbed_events(
    final: FloatArray,
    process: Process,
    size: float,
    rng: np.random.Generator,
    cuts: JetCuts,
    energy: float,
    leptons: LeptonCuts | None = None,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Shake every outgoing particle: ln pT, pseudorapidity and azimuth of jets, the rapidity of what recoils.

    A pair of leptons keeps its mass; the direction of its decay is shaken in its rest frame.

    Args:
        final: outgoing momenta (n, n_final, 4) in GeV, massless jets and one other particle, or two leptons.
        size: standard deviation of the shifts.
        cuts: of the jets; energy: of the collision in GeV; leptons: cuts on charged leptons.

    Returns:
        Events (n, n_final, 4), and which of them are new: copies that leave the cuts are the event itself again.
    """
    others = recoiling_legs(process)
    jets = [leg - 2 for leg in process.jet_legs]
    shifts = size * rng.standard_normal((len(final), len(jets), 3))
    p = final[:, jets]
    pt = np.hypot(p[..., 1], p[..., 2]) * np.exp(shifts[..., 0])
    eta = np.arcsinh(p[..., 3] / np.hypot(p[..., 1], p[..., 2])) + shifts[..., 1]
    phi = np.arctan2(p[..., 2], p[..., 1]) + shifts[..., 2]
    copies = np.empty_like(final)
    copies[:, jets] = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    old = final[:, others].sum(axis=1)
    mass = pair_mass(final[:, others]) if len(others) == 2 else process.final_masses[others[0]]
    rapidity = np.arctanh(old[:, 3] / old[:, 0]) + size * rng.standard_normal(len(final))
    recoil = -copies[:, jets, 1:3].sum(axis=1)
    transverse = np.sqrt(recoil[:, 0] ** 2 + recoil[:, 1] ** 2 + mass**2)
    new = np.stack(
        [transverse * np.cosh(rapidity), recoil[:, 0], recoil[:, 1], transverse * np.sinh(rapidity)], axis=-1
    )
    if isinstance(mass, np.ndarray):
        directions = rest_directions(final[:, others]) + size * rng.standard_normal((len(final), 3))
        copies[:, others] = decayed(new, mass, directions / np.linalg.norm(directions, axis=1, keepdims=True))
    else:
        copies[:, others[0]] = new
    total = copies.sum(axis=1)
    passed = (total[:, 0] + np.abs(total[:, 3]) < energy) & cuts.passed(copies, process)
    if leptons is not None:
        passed &= leptons.passed(copies, process)
    copies[~passed] = final[~passed]
    return copies, passed
