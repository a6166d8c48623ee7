"""Spin-averaged final-final Catani-Seymour dipoles, batched in torch.

S. Catani, M.H. Seymour, Nucl. Phys. B485 (1997) 291; normalisation of FAME, Eq. 2.2.  Momenta come component
first, p[component, leg, event] = (E, px, py, pz) in GeV, massless.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ampcli.kinematics import pair_positions

C_F = 4.0 / 3.0
C_A = 3.0


def invariant_products(p: Tensor) -> Tensor:
    """p_i . p_j in GeV^2 for all pairs of massless legs; (4, legs, n) -> (legs, legs, n), zero diagonal.

    For directions in one hemisphere |p_i x p_j|^2 / (E_i E_j + p_i . p_j) replaces the difference of two nearly
    equal numbers: the relative error at an angle theta is about 1e-16/theta, that of the momenta themselves, instead
    of 1e-16/theta^2.
    """
    legs = p.shape[1]
    products = p.new_zeros((legs, legs, p.shape[2]))
    for i, j in pair_positions(legs):
        a, b = p[1:, i], p[1:, j]
        energies = p[0, i] * p[0, j]
        cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
        cross = (a[1] * b[2] - a[2] * b[1]) ** 2 + (a[2] * b[0] - a[0] * b[2]) ** 2 + (a[0] * b[1] - a[1] * b[0]) ** 2
        products[i, j] = torch.where(cosine > 0, cross / (energies + cosine.clamp_min(0)), energies - cosine)
        products[j, i] = products[i, j]
    return products


def recoil_factor(pij: Tensor, pjk: Tensor, pik: Tensor) -> Tensor:
    """y_ij,k = p_i.p_j / (p_i.p_j + p_j.p_k + p_i.p_k)  (FAME, Eq. 2.3)."""
    return pij / (pij + pjk + pik)


def momentum_fraction(pik: Tensor, pjk: Tensor) -> Tensor:
    """z_i = p_i.p_k / (p_i.p_k + p_j.p_k)."""
    return pik / (pik + pjk)


def kernel_qg(z: Tensor, y: Tensor, alpha_s: float) -> Tensor:
    """<V> of q -> q g: 8 pi alpha_s C_F [2/(1 - z(1-y)) - (1+z)]  (Catani-Seymour, Eq. 5.7, epsilon = 0)."""
    return 8.0 * math.pi * alpha_s * C_F * (2.0 / (1.0 - z * (1.0 - y)) - (1.0 + z))


def kernel_gg(z: Tensor, y: Tensor, alpha_s: float) -> Tensor:
    """<V> of g -> g g: 16 pi alpha_s C_A [1/(1-z(1-y)) + 1/(1-(1-z)(1-y)) - 2 + z(1-z)]  (Eq. 5.9)."""
    soft = 1.0 / (1.0 - z * (1.0 - y)) + 1.0 / (1.0 - (1.0 - z) * (1.0 - y))
    return 16.0 * math.pi * alpha_s * C_A * (soft - 2.0 + z * (1.0 - z))


KERNELS = {"qg": kernel_qg, "gg": kernel_gg}


def dipole(kind: str, pij: Tensor, pjk: Tensor, pik: Tensor, alpha_s: float) -> Tensor:
    """D_ij,k = <V_ij,k> / (2 p_i.p_j) in GeV^-2, of the kind "qg" or "gg"."""
    y = recoil_factor(pij, pjk, pik)
    return KERNELS[kind](momentum_fraction(pik, pjk), y, alpha_s) / (2.0 * pij)
