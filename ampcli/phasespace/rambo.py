"""RAMBO: flat massless phase space as a map of the unit cube.

R. Kleiss, W.J. Stirling, S.D. Ellis, Comput. Phys. Commun. 40 (1986) 359.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ampcli.kinematics import FloatArray, on_shell_energies, scaled_to_energy

#: (hbar c)^2 in GeV^2 pb (CODATA 2018).
GEV2_PB = 0.389379372e9


def rambo(cube: FloatArray, sqrt_s: float) -> FloatArray:
    """Map points of the unit cube to massless momenta in the centre-of-mass frame.

    Args:
        cube: (n, n_final, 4) in (0, 1): cos(theta) = 2 u0 - 1, phi = 2 pi u1, E = -ln(u2 u3) of each massless
            momentum before the conformal transformation to rest and total energy `sqrt_s`.
        sqrt_s: centre-of-mass energy in GeV.

    Returns:
        (n, n_final, 4) momenta in GeV with E = |p| to rounding.  Its memory is laid out component first,
        (4, n_final, n), like that of a `cube` made by `np.moveaxis(u, (0, 1, 2), (2, 1, 0))`: all arithmetic
        then runs over contiguous events.
    """
    u = np.moveaxis(cube, (0, 1, 2), (2, 1, 0))
    cos_theta = 2.0 * u[0] - 1.0
    phi = (2.0 * math.pi) * u[1]
    q = np.empty(u.shape)
    q[0] = -np.log(u[2] * u[3])
    transverse = np.sqrt(1.0 - cos_theta * cos_theta)
    transverse *= q[0]
    np.multiply(transverse, np.cos(phi), out=q[1])
    np.multiply(transverse, np.sin(phi), out=q[2])
    np.multiply(cos_theta, q[0], out=q[3])

    return np.moveaxis(at_rest(q, sqrt_s), (0, 1, 2), (2, 1, 0))


def with_masses(final: FloatArray, masses: Sequence[float]) -> FloatArray:
    """Massive RAMBO (Sec. 4): scale three-momenta until legs with masses have the energy that they had without.

    Flat massless phase space becomes flat massive one with weights (`massive_weight`).

    Args:
        final: massless momenta (n, n_final, 4), at rest together; masses: of the legs; all in GeV.

    Raises:
        ValueError: the masses exceed the energy of an event.
    """
    energy = final[..., 0].sum(axis=1)
    if not (sum(masses) < energy).all():
        raise ValueError(f"masses of {sum(masses):g} GeV in events of {energy.min():g} GeV")
    massive = final.copy()
    massive[..., 0] = on_shell_energies(final, masses)
    return scaled_to_energy(massive, masses, energy, steps=20)


def massive_weight(final: FloatArray, sqrt_s: float) -> FloatArray:
    """Weights of `with_masses` relative to flat massless phase space (RAMBO, Eq. 4.11): with them it is flat.

    Args:
        final: momenta (n, n_final, 4) in GeV, on their mass shells, at rest together with the energy `sqrt_s`.

    Returns:
        (n,): 1 where no leg has a mass.
    """
    energy = final[..., 0]
    size2 = (final[..., 1:] ** 2).sum(axis=-1)
    size = np.sqrt(size2)
    shrunk = (size.sum(axis=1) / sqrt_s) ** (2 * final.shape[1] - 3)
    return np.asarray(shrunk * (size / energy).prod(axis=1) * sqrt_s / (size2 / energy).sum(axis=1))


def at_rest(q: FloatArray, sqrt_s: float) -> FloatArray:
    """Boost and scale massless momenta until they are at rest together with the energy `sqrt_s` (GeV).

    Args:
        q: (4, n_final, n), component first.

    Returns:
        The same shape, with E = |p| to rounding.
    """
    total = q.sum(axis=1)
    mass = np.sqrt(total[0] ** 2 - total[1] ** 2 - total[2] ** 2 - total[3] ** 2)
    boost = total[1:] / -mass
    gamma = total[0] / mass
    boosted = boost[0] * q[1]
    boosted += boost[1] * q[2]
    boosted += boost[2] * q[3]
    boosted *= 1.0 / (1.0 + gamma)
    boosted += q[0]
    scale = sqrt_s / mass
    p = np.empty_like(q)
    for axis in range(3):
        component = p[axis + 1]
        np.multiply(boosted, boost[axis], out=component)
        component += q[axis + 1]
        component *= scale
    # The energy from the momentum, not from the boost: legs are on their mass shell to the last digit.
    np.sqrt(p[1] * p[1] + p[2] * p[2] + p[3] * p[3], out=p[0])
    return p


def flat_volume(n_final: int, sqrt_s: float) -> float:
    """Volume of massless n-body phase space, in GeV^(2 n_final - 4).

    (2 pi)^(4 - 3n) (pi/2)^(n-1) s^(n-2) / ((n-1)! (n-2)!)  (RAMBO, Eq. 4.1 with the factors of 2 pi).
    """
    n = n_final
    shape = (math.pi / 2) ** (n - 1) * sqrt_s ** (2 * n - 4) / (math.factorial(n - 1) * math.factorial(n - 2))
    return float((2 * math.pi) ** (4 - 3 * n) * shape)


def cross_section_weight(n_final: int, sqrt_s: float) -> float:
    """Flat volume times flux factor 1/(2 s) times (hbar c)^2: weight x |M|^2 averages to a cross section in pb."""
    return flat_volume(n_final, sqrt_s) / (2.0 * sqrt_s**2) * GEV2_PB
