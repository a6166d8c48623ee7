"""The azimuthal angle of a splitting and its spin-correlation terms (FAME, App. A and Eq. 2.4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ampcli.factorisation.kernels import C_A


def splitting_azimuth(pi: Tensor, pj: Tensor) -> tuple[Tensor, Tensor]:
    """cos(phi_ij) and sin(phi_ij) in the plane perpendicular to p_i + p_j, measured from the z axis.

    Args:
        pi, pj: (4, n) momenta in GeV, component first.

    Where the angle is undefined (exactly collinear legs, or a parent along z) both are 0.
    """
    parent = pi[1:] + pj[1:]
    parent = parent / _norm(parent)
    z_axis = torch.zeros_like(parent)
    z_axis[2] = 1.0
    toward_z = z_axis - (parent * z_axis).sum(0) * parent
    # parent x (p_i x parent) is p_i's component perpendicular to the parent; p_i x parent = p_i x p_j / |p_ij|
    # keeps its precision for collinear pairs, where p_i - (p_i . n) n cancels.
    normal = torch.linalg.cross(pi[1:], pj[1:], dim=0)
    toward_i = torch.linalg.cross(parent, normal, dim=0)
    toward_i = toward_i / _norm(toward_i)
    toward_z = toward_z / _norm(toward_z)
    cosine = (toward_i * toward_z).sum(0)
    sine = (parent * torch.linalg.cross(toward_i, toward_z, dim=0)).sum(0)
    return cosine, sine


def _norm(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector, dim=0)
    return length.clamp_min(1e-300)


def spin_correlation(cosine: Tensor, sine: Tensor, pij: Tensor, alpha_s: float) -> tuple[Tensor, Tensor]:
    """16 pi alpha_s C_A / s_ij times cos(2 phi_ij) and sin(2 phi_ij), in GeV^-2."""
    strength = 16.0 * math.pi * alpha_s * C_A / (2.0 * pij)
    return strength * (cosine * cosine - sine * sine), strength * (2.0 * sine * cosine)
