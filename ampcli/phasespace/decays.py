"""A pair of massless leptons as one particle that decays: directions in its rest frame, and back (compiled/pair.h)."""

from __future__ import annotations

import numpy as np

from ampcli.kinematics import FloatArray


def _axes(pair: FloatArray, mass: FloatArray) -> tuple[FloatArray, ...]:
    """pT, its direction in x and y, transverse mass, and exp(rapidity), (n,) each."""
    pt = np.hypot(pair[:, 1], pair[:, 2])
    size = np.where(pt > 0, pt, 1.0)
    x, y = np.where(pt > 0, pair[:, 1] / size, 1.0), pair[:, 2] / size
    transverse = np.hypot(pt, mass)
    energy = np.hypot(transverse, pair[:, 3])
    up = (energy + np.abs(pair[:, 3])) / transverse
    return pt, x, y, transverse, np.where(pair[:, 3] > 0, up, 1 / up)


def pair_mass(leptons: FloatArray) -> FloatArray:
    """The invariant mass (n,) of two massless momenta (n, 2, 4), in GeV, with all digits of close ones."""
    one, other = leptons[:, 0, 1:], leptons[:, 1, 1:]
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosine = (one * other).sum(axis=1)
    crossed = (np.cross(one, other) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(2 * np.where(cosine > 0, crossed / (sizes + np.abs(cosine)), sizes - cosine)))


def rest_directions(leptons: FloatArray) -> FloatArray:
    """Where the first of two massless leptons (n, 2, 4) flies in their rest frame: unit vectors (n, 3).

    Axes: the pair's transverse momentum, across it, and the beams, after a boost along the beams and one along the
    transverse momentum (the frame of Collins and Soper).
    """
    mass = pair_mass(leptons)
    pt, x, y, transverse, up = _axes(leptons.sum(axis=1), mass)
    one = leptons[:, 0]
    plus, minus = (one[:, 0] + one[:, 3]) / up, (one[:, 0] - one[:, 3]) * up
    energy, along = (plus + minus) / 2, x * one[:, 1] + y * one[:, 2]
    turned = [(transverse * along - pt * energy) / mass, x * one[:, 2] - y * one[:, 1], (plus - minus) / 2]
    vectors = np.stack(turned, axis=1)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def decayed(pair: FloatArray, mass: FloatArray, directions: FloatArray) -> FloatArray:
    """Two leptons (n, 2, 4) of pairs (n, 4) of these masses (n,), in GeV; the inverse of `rest_directions`."""
    pt, x, y, transverse, up = _axes(pair, mass)
    leptons = np.empty((len(pair), 2, 4))
    for i, sign in enumerate((1, -1)):
        k = sign * 0.5 * mass[:, None] * directions
        energy = (transverse * 0.5 * mass + pt * k[:, 0]) / mass
        along = (transverse * k[:, 0] + pt * 0.5 * mass) / mass
        leptons[:, i, 1], leptons[:, i, 2] = x * along - y * k[:, 1], y * along + x * k[:, 1]
        leptons[:, i, 3] = 0.5 * ((energy + k[:, 2]) * up - (energy - k[:, 2]) / up)
        leptons[:, i, 0] = np.linalg.norm(leptons[:, i, 1:], axis=1)
    return leptons
