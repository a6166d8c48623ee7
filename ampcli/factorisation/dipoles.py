"""Spin-averaged Catani-Seymour dipoles of all four configurations, batched in torch.

S. Catani, M.H. Seymour, Nucl. Phys. B485 (1997) 291 ("CS"), Secs. 5.1 to 5.4, epsilon = 0.  a, b are incoming, i, j, k
outgoing massless legs; pij stands for p_i.p_j in GeV^2, of any shape.  Differences such as 1 - x that vanish in a
limit are computed as such.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from ampcli.factorisation.hadron_dipoles import Configuration
from ampcli.factorisation.kernels import Splitting, final_splitting, initial_splitting

Dipole = tuple[Tensor, Tensor]


def recoil_factor(pij: Tensor, pjk: Tensor, pik: Tensor) -> Tensor:
    """y_ij,k = p_i.p_j / (p_i.p_j + p_j.p_k + p_i.p_k)  (CS, Eq. 5.4)."""
    return pij / (pij + pjk + pik)


def momentum_fraction(pik: Tensor, pjk: Tensor) -> Tensor:
    """z_i = p_i.p_k / (p_i.p_k + p_j.p_k)  (CS, Eq. 5.5)."""
    return pik / (pik + pjk)


def final_final(splitting: Splitting, pij: Tensor, pik: Tensor, pjk: Tensor, alpha_s: float) -> Dipole:
    """D_ij,k = <V> / (2 p_i.p_j) in GeV^-2, and y_ij,k."""
    y, z = recoil_factor(pij, pjk, pik), momentum_fraction(pik, pjk)
    soft_j, soft_i = 1 - z + z * y, z + (1 - z) * y
    return _coupling(alpha_s) * final_splitting(splitting, z, soft_j, soft_i) / (2 * pij), y


def final_initial(splitting: Splitting, pij: Tensor, pia: Tensor, pja: Tensor, alpha_s: float) -> Dipole:
    """D_ij^a = <V> / (2 p_i.p_j x_ij,a) in GeV^-2, and 1 - x_ij,a."""
    missing = pij / (pia + pja)
    z, rest = pia / (pia + pja), pja / (pia + pja)
    value = final_splitting(splitting, z, rest + missing, z + missing)
    return _coupling(alpha_s) * value / (2 * pij * (1 - missing)), missing


def initial_final(splitting: Splitting, pai: Tensor, pak: Tensor, pik: Tensor, alpha_s: float) -> Dipole:
    """D^ai_k = <V> / (2 p_a.p_i x_ik,a) in GeV^-2, and u_i."""
    missing, u = pik / (pai + pak), pai / (pai + pak)
    x = 1 - missing
    return _coupling(alpha_s) * initial_splitting(splitting, x, missing + u) / (2 * pai * x), u


def initial_initial(splitting: Splitting, pai: Tensor, pab: Tensor, pib: Tensor, alpha_s: float) -> Dipole:
    """D^ai,b = <V> / (2 p_a.p_i x_i,ab) in GeV^-2, and v_i."""
    missing = (pai + pib) / pab
    x = 1 - missing
    return _coupling(alpha_s) * initial_splitting(splitting, x, missing) / (2 * pai * x), pai / pab


def _coupling(alpha_s: float) -> float:
    return 8 * math.pi * alpha_s


#: Of p_i.p_j, p_i.p_k, p_j.p_k of emitter i, emitted leg j and spectator k.
DIPOLES: dict[Configuration, Callable[[Splitting, Tensor, Tensor, Tensor, float], Dipole]] = {
    "FF": final_final,
    "FI": final_initial,
    "IF": initial_final,
    "II": initial_initial,
}
