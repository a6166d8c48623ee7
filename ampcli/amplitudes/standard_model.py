"""The Standard Model as the brute-force trees need it: constants, gauge charges, waves of external legs.

Conventions: D = d + i g_a V^a T^a, incoming waves exp(-i p x), metric (+,-,-,-), Dirac representation.  One doublet
(up, down) a generation, no mixing; the masses of `ampcli.process`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray
from ampcli.process import PARTICLES, Particle

ComplexArray = npt.NDArray[np.complex128]

#: Quark or not, and the generation from 0.
Doublet = tuple[bool, int]

METRIC = np.array([1.0, -1.0, -1.0, -1.0])

_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ZERO, _ONE = np.zeros((2, 2)), np.eye(2)
GAMMA: ComplexArray = np.array(
    [np.block([[_ONE, _ZERO], [_ZERO, -_ONE]])] + [np.block([[_ZERO, s], [-s, _ZERO]]) for s in _PAULI]
)
_GAMMA_5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]
#: Projectors on left- and right-handed fields.
CHIRAL = ((np.eye(4) - _GAMMA_5) / 2, (np.eye(4) + _GAMMA_5) / 2)


def _gell_mann() -> ComplexArray:
    matrices = np.zeros((8, 3, 3), dtype=complex)
    for number, (i, j) in ((0, (0, 1)), (3, (0, 2)), (5, (1, 2))):
        matrices[number, i, j] = matrices[number, j, i] = 1
        matrices[number + 1, i, j], matrices[number + 1, j, i] = -1j, 1j
    matrices[2] = np.diag([1, -1, 0])
    matrices[7] = np.diag([1, 1, -2]) / math.sqrt(3)
    return matrices


#: Generators of SU(3), Tr T^a T^b = 1/2.
COLOUR_GENERATORS = _gell_mann() / 2.0


@dataclass(frozen=True)
class Constants:
    """Couplings, and masses and widths in GeV (pyamplicol's built-in model, which takes MadGraph's defaults)."""

    alpha_s: float = 0.118
    alpha_ew: float = 1 / 132.507
    sin2_theta_w: float = 0.47143025548407230**2
    m_z: float = 91.188
    m_t: float = PARTICLES["t"].mass
    m_h: float = PARTICLES["h"].mass
    gamma_z: float = 2.441404
    gamma_w: float = 2.0476
    gamma_t: float = 1.4915
    gamma_h: float = 0.006382339

    @property
    def cos_theta_w(self) -> float:
        return math.sqrt(1 - self.sin2_theta_w)

    @property
    def sin_theta_w(self) -> float:
        return math.sqrt(self.sin2_theta_w)

    @property
    def m_w(self) -> float:
        return self.m_z * self.cos_theta_w


def is_fermion(leg: Particle) -> bool:
    return leg.kind in ("quark", "antiquark", "lepton")


def doublet_of(leg: Particle) -> Doublet:
    code = abs(leg.pdg)
    return (True, (code - 1) // 2) if code <= 6 else (False, (code - 11) // 2)


def charges(doublet: Doublet, g: complex, g_prime: complex) -> tuple[ComplexArray, ComplexArray]:
    """Couplings times generators of W^1, W^2, W^3, B on the left- and the right-handed (up, down); each (4, 2, 2)."""
    left, right = np.zeros((4, 2, 2), dtype=complex), np.zeros((4, 2, 2), dtype=complex)
    left[:3] = g * _PAULI / 2
    left[3] = g_prime * (1 / 6 if doublet[0] else -1 / 2) * np.eye(2)
    right[3] = g_prime * np.diag([2 / 3, -1 / 3] if doublet[0] else [0.0, -1.0])
    return left, right


def slash(p: npt.NDArray[Any]) -> ComplexArray:
    """p_mu gamma^mu; (..., 4) -> (..., 4, 4)."""
    return np.asarray(np.einsum("...m,mij->...ij", p * METRIC, GAMMA))


def spinors(leg: Particle, p: FloatArray, incoming: bool) -> ComplexArray:
    """The spin states of a fermion's wave: u, v, or their Dirac conjugates; (n, 4) -> (n, 2, 4).

    Massless ones are states of chirality, left first; neutrinos have the left one only: (n, 1, 4).
    """
    particle = leg.pdg > 0
    if leg.mass == 0:
        hands = CHIRAL[:1] if abs(leg.pdg) in (12, 14, 16) else CHIRAL
        states = np.stack([_massless(p, hand) for hand in hands], axis=1)
    else:
        sign, first = (1, 0) if particle else (-1, 2)
        matrix = sign * slash(p) + leg.mass * np.eye(4)
        states = np.swapaxes(matrix[:, :, first : first + 2], 1, 2) / np.sqrt(p[:, 0] + leg.mass)[:, None, None]
    return states if particle == incoming else np.conj(states) @ GAMMA[0]


def _massless(p: FloatArray, projector: ComplexArray) -> ComplexArray:
    """w with w w-bar = projector pslash, from the largest column of that matrix; (n, 4) -> (n, 4)."""
    columns = projector @ slash(p)
    largest = np.linalg.norm(columns, axis=1).argmax(axis=1)
    w = columns[np.arange(len(p)), :, largest]
    return np.asarray(w * (np.sqrt(2 * p[:, 0]) / np.linalg.norm(w, axis=1))[:, None])  # w-bar gamma^0 w = 2 E


def polarisations(p: FloatArray, mass: float) -> FloatArray:
    """Linear polarisations, two transverse and, of massive legs, the longitudinal one; (n, 4) -> (n, 2 or 3, 4)."""
    size = np.linalg.norm(p[:, 1:], axis=1, keepdims=True)
    along = np.divide(p[:, 1:], size, out=np.tile([0.0, 0.0, 1.0], (len(p), 1)), where=size > 0)
    helper = np.where(np.abs(along[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    first = np.cross(helper, along)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    zero = np.zeros_like(size)
    vectors = [np.concatenate([zero, t], axis=1) for t in (first, np.cross(along, first))]
    if mass > 0:
        vectors.append(np.concatenate([size, p[:, :1] * along], axis=1) / mass)
    return np.stack(vectors, axis=1)


def electroweak_direction(leg: Particle, incoming: bool, constants: Constants) -> ComplexArray:
    """Components W^1, W^2, W^3, B of the wave of a photon, Z or W; shape (4,)."""
    sin, cos = constants.sin_theta_w, constants.cos_theta_w
    if leg.name == "a":
        return np.array([0, 0, sin, cos], dtype=complex)
    if leg.name == "z":
        return np.array([0, 0, cos, -sin], dtype=complex)
    # the field W+ = (W^1 - i W^2)/sqrt(2) absorbs a W+ and emits a W-
    sign = 1 if (leg.pdg > 0) == incoming else -1
    return np.array([1, sign * 1j, 0, 0], dtype=np.complex128) * np.float64(math.sqrt(0.5))
