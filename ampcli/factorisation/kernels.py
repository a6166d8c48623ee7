"""Spin-averaged splitting kernels of massless partons.

S. Catani, M.H. Seymour, Nucl. Phys. B485 (1997) 291, Secs. 5.1 to 5.4, epsilon = 0.  The compiled features of
radiations have their own copy of q -> q g and g -> g g (`ampcli/features/compiled/radiation.h`).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

C_A = 3.0
C_F = 4.0 / 3.0
T_R = 0.5

#: Emitter and emitted leg, each a quark or antiquark (q) or a gluon (g); initial "gq" is g -> q q~ with one q outgoing.
Splitting = Literal["qg", "gg", "qq", "gq"]


def final_splitting(splitting: Splitting, z: Tensor, soft_j: Tensor, soft_i: Tensor) -> Tensor:
    """<V> / (8 pi alpha_s) of an outgoing emitter (Eqs. 5.7 to 5.9, 5.39 to 5.41).

    Args:
        z: momentum fraction of i; soft_j, soft_i: the denominators that vanish for soft j and soft i.
    """
    if splitting == "qg":
        return C_F * (2 / soft_j - (1 + z))
    if splitting == "gg":
        return 2 * C_A * (1 / soft_j + 1 / soft_i - 2 + z * (1 - z))
    return T_R * (1 - 2 * z * (1 - z))


def initial_splitting(splitting: Splitting, x: Tensor, soft: Tensor) -> Tensor:
    """<V> / (8 pi alpha_s) of an incoming emitter (Eqs. 5.77 to 5.80, 5.145 to 5.148).

    Args:
        x: momentum fraction that enters the reduced process; soft: the denominator that vanishes for soft i.
    """
    if splitting == "qg":
        return C_F * (2 / soft - (1 + x))
    if splitting == "gg":
        return 2 * C_A * (1 / soft - 1 + x * (1 - x) + (1 - x) / x)
    if splitting == "gq":
        return T_R * (1 - 2 * x * (1 - x))
    return C_F * (x + 2 * (1 - x) / x)
