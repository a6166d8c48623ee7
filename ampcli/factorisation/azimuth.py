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


def azimuth_in_string(
    pi: Tensor, pj: Tensor, left: Tensor, right: Tensor, parent_left: Tensor, parent_right: Tensor
) -> tuple[Tensor, Tensor]:
    """cos 2 phi and sin 2 phi of a splitting, phi measured from the plane of the parent's neighbours in a string.

    A soft parent is polarised along the transverse part of p_left / (P.p_left) - p_right / (P.p_right) (eikonal current
    of its neighbours); phi is the angle between it and p_i.  Both are 0 where it is undefined.

    Args:
        pi, pj, left, right: (4, n) momenta in any unit, component first.
        parent_left, parent_right: P.p_left and P.p_right, P = p_i + p_j, (n,) in that unit squared.
    """
    parent = pi[1:] + pj[1:]
    parent = parent / _norm(parent)
    # as in `splitting_azimuth`: precise for collinear pairs
    toward_i = torch.linalg.cross(parent, torch.linalg.cross(pi[1:], pj[1:], dim=0), dim=0)
    toward_i = toward_i / _norm(toward_i)
    current = left[1:] / parent_left - right[1:] / parent_right
    cosine = (toward_i * current).sum(0)
    sine = (torch.linalg.cross(parent, toward_i, dim=0) * current).sum(0)
    size = (cosine.square() + sine.square()).clamp_min(1e-300)
    return (cosine.square() - sine.square()) / size, 2.0 * sine * cosine / size


def _norm(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector, dim=0)
    return length.clamp_min(1e-300)


def spin_correlation(cosine: Tensor, sine: Tensor, pij: Tensor, alpha_s: float) -> tuple[Tensor, Tensor]:
    """16 pi alpha_s C_A / s_ij times cos(2 phi_ij) and sin(2 phi_ij), in GeV^-2."""
    strength = 16.0 * math.pi * alpha_s * C_A / (2.0 * pij)
    return strength * (cosine * cosine - sine * sine), strength * (2.0 * sine * cosine)
