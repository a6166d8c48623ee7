"""Massless phase space sampled where QCD amplitudes are large: partons emitted one after the other.

A string of colour starts with two back-to-back partons.  Each step picks a dipole of neighbours (a, b) and lets it emit
a parton g between them, ln s_ag and ln s_gb uniform; a and g share the recoil with b as in Catani and Seymour's
final-state map (hep-ph/9605323, Sec. 5), in which phase space factorises exactly:
dPhi_(m+1) = dPhi_m ds_ag ds_gb dphi / (2 pi 16 pi^2 s_AB).  So the density of a point is a sum over its histories.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, dot
from ampcli.phasespace.rambo import at_rest, flat_volume
from ampcli.process import Process


def colour_strings(process: Process) -> npt.NDArray[np.int64]:
    """Orders of the outgoing partons along strings of colour: (strings, n_final) positions.

    Gluons stand between quark and antiquark where there is one pair of them; else every order counts, up to reflection.
    """
    legs = range(process.n_final)
    quarks = [i for i in legs if process.outgoing[i].kind in ("quark", "antiquark")]
    if len(quarks) == 2:
        first, last = quarks
        orders = [(first, *order, last) for order in itertools.permutations(i for i in legs if i not in quarks)]
    else:
        orders = [order for order in itertools.permutations(legs) if order[0] < order[-1]]
    return np.array(orders)


def emission_dimensions(n_final: int) -> int:
    """Random numbers of a point: two for the direction of the first pair, four for every emission."""
    return 2 + 4 * (n_final - 2)


def emit(
    cube: FloatArray, strings: npt.NDArray[np.int64], sqrt_s: float, resolutions: Sequence[float]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Map points of the unit cube to massless momenta.

    Args:
        cube: (n, emission_dimensions) in (0, 1).
        strings: (n, n_final) positions of the legs along each point's string.
        sqrt_s: centre-of-mass energy in GeV.
        resolutions: smallest s_ag / s and s_gb / s of each of the n_final - 2 emissions, the first one in front.

    Returns:
        Momenta (n, n_final, 4) in GeV at rest, E = |p| to rounding, and which points exist (n,): the others asked
        a dipole for more than it has, and their momenta mean nothing.
    """
    u = np.ascontiguousarray(cube.T)
    p = _back_to_back(u[0], u[1], sqrt_s)
    exists = np.ones(len(cube), dtype=bool)
    for emission, resolution in enumerate(resolutions):
        draws = u[2 + 4 * emission : 6 + 4 * emission]
        logarithms = _logarithms(_neighbours(p), resolution * sqrt_s**2)
        share = np.cumsum(logarithms**2, axis=0)
        dipole = (draws[0] * share[-1] >= share[:-1]).sum(axis=0)
        longest = np.take_along_axis(logarithms, dipole[None], axis=0)[0]
        near, far = np.exp(-longest * draws[1]), np.exp(-longest * draws[2])
        fine = (longest > 0) & (near + far < 1)
        exists &= fine
        near, far = np.where(fine, near, 0.25), np.where(fine, far, 0.25)
        p = _inserted(p, dipole, near, far, 2.0 * math.pi * draws[3])
    momenta = np.empty((len(cube), p.shape[1], 4))
    np.put_along_axis(momenta, strings[:, :, None], np.moveaxis(at_rest(p, sqrt_s), (0, 1, 2), (2, 1, 0)), axis=1)
    return momenta, exists


def emission_density(
    momenta: FloatArray, strings: npt.NDArray[np.int64], sqrt_s: float, resolutions: Sequence[float]
) -> FloatArray:
    """Density of the points of `emit`, all strings alike, relative to flat phase space: (n, n_final, 4) -> (n,).

    Zero where no history leads: flat phase space has to cover these points.
    """
    p = np.moveaxis(momenta, (0, 1, 2), (2, 1, 0))
    total = np.zeros(len(momenta))
    for string in strings.tolist():
        total += _histories([p[:, leg] for leg in string], sqrt_s**2, resolutions)
    n = momenta.shape[1]
    return np.asarray(total * (flat_volume(n, sqrt_s) / flat_volume(2, sqrt_s) / len(strings)))


def _histories(string: list[FloatArray], s: float, resolutions: Sequence[float]) -> FloatArray:
    """Sum over the histories of a string of products of 16 pi^2 s_AB / (s_ag s_gb sum of squared logarithms)."""
    if len(string) == 2:
        return np.ones(string[0].shape[1])
    *earlier, resolution = resolutions
    total = np.zeros(string[0].shape[1])
    for g in range(1, len(string) - 1):
        a, b = string[g - 1], string[g + 1]
        near, far, across = (2.0 * dot(*pair) for pair in ((a, string[g]), (string[g], b), (a, b)))
        mass = near + far + across
        recoil = near / mass
        parents = [a + string[g] - recoil / (1.0 - recoil) * b, b / (1.0 - recoil)]
        before = [*string[: g - 1], *parents, *string[g + 2 :]]
        invariants = np.stack([2.0 * dot(i, j) for i, j in itertools.pairwise(before)])
        squares = (_logarithms(invariants, resolution * s) ** 2).sum(axis=0)
        possible = np.minimum(near, far) >= resolution * s
        step = np.zeros_like(total)
        np.divide(16.0 * math.pi**2 * mass, near * far * squares, out=step, where=possible & (squares > 0))
        total += step * _histories(before, s, earlier)
    return total


def _logarithms(invariants: FloatArray, least: float) -> FloatArray:
    """How far the logarithms of a dipole's s_ag and s_gb reach; dipoles below twice the least cannot emit."""
    return np.log(np.maximum(invariants / least, 1.0)) * (invariants > 2.0 * least)


def _neighbours(p: FloatArray) -> FloatArray:
    """s_AB of the dipoles of strings (4, legs, n): (legs - 1, n)."""
    return np.asarray(2.0 * dot(p[:, :-1], p[:, 1:]))


def _back_to_back(first: FloatArray, second: FloatArray, sqrt_s: float) -> FloatArray:
    cosine, azimuth = 2.0 * first - 1.0, 2.0 * math.pi * second
    sine = np.sqrt(1.0 - cosine**2)
    direction = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    energy = np.ones((1, len(first)))
    pair = [np.concatenate([energy, direction]), np.concatenate([energy, -direction])]
    return 0.5 * sqrt_s * np.stack(pair, axis=1)


def _inserted(
    p: FloatArray, dipole: npt.NDArray[np.int64], near: FloatArray, far: FloatArray, azimuth: FloatArray
) -> FloatArray:
    """Strings (4, legs, n) with one parton more between legs `dipole` and `dipole` + 1, s_ag = near s_AB and so on."""
    emitter, spectator = (np.take_along_axis(p, (dipole + k)[None, None], axis=1)[:, 0] for k in (0, 1))
    z = 1.0 - far / (1.0 - near)
    size = np.sqrt(2.0 * dot(emitter, spectator) * near * z * (1.0 - z))
    across, aside = _transverse(emitter, spectator)
    kick = size * (np.cos(azimuth) * across + np.sin(azimuth) * aside)
    keeps = z * emitter + near * (1.0 - z) * spectator + kick
    emitted = (1.0 - z) * emitter + near * z * spectator - kick
    for leg in (keeps, emitted):
        leg[0] = np.sqrt((leg[1:] ** 2).sum(axis=0))
    legs = p.shape[1]
    longer = np.empty((4, legs + 1, p.shape[2]))
    for position in range(legs + 1):
        source = np.where(position <= dipole, position, position - 1)
        longer[:, position] = np.take_along_axis(p, np.minimum(source, legs - 1)[None, None], axis=1)[:, 0]
        for offset, leg in ((0, keeps), (1, emitted), (2, (1.0 - near) * spectator)):
            rows = position == dipole + offset
            longer[:, position, rows] = leg[:, rows]
    return longer


def _transverse(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two orthonormal spacelike vectors orthogonal to massless a and b, (4, n) each."""
    n, m = a[1:] / a[0], b[1:] / b[0]
    normal = np.cross(n, m, axis=0)
    sine = np.sqrt((normal**2).sum(axis=0))
    straight = sine < 1e-7  # back to back: any direction across does
    helper = np.where(np.abs(n[2]) < 0.9, np.array([[0.0], [0.0], [1.0]]), np.array([[1.0], [0.0], [0.0]]))
    y = np.where(straight, np.cross(n, helper, axis=0), normal)
    y /= np.sqrt((y**2).sum(axis=0))
    safe = np.where(straight, 1.0, sine)
    time = np.where(straight, 0.0, (1.0 + (n * m).sum(axis=0)) / safe)
    x = np.where(straight, np.cross(y, n, axis=0), (n + m) / safe)
    return np.concatenate([time[None], x]), np.concatenate([np.zeros_like(time)[None], y])
