"""Native amplitudes: Lorentz and gauge invariance, identical gluons, soft and collinear limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from parton_points import E, boosted, events, product, rotated, sample

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.couplings import DEFAULTS
from ampcli.amplitudes.native.provider import Native
from ampcli.process import parse_process

C_F, C_A, N_C, T_R = 4 / 3, 3.0, 3, 0.5
COUPLING = 8 * math.pi * DEFAULTS.alpha_s  # 2 g_s^2

ANNIHILATION = ["e- e+ > d d~", "e- e+ > u u~ g g", "e- e+ > d d~ g g g g", "d d~ > z g g g", "d d~ > z g g g g g"]
CLASSES = [*ANNIHILATION, "u~ u > z g g", "d g > z d g g", "g d~ > z d~ g", "g g > z u u~ g"]


def native(process: str) -> Native:
    return Native(parse_process(process))


@pytest.mark.parametrize("process", CLASSES)
def test_rotations(process, rng):
    p = sample(process)
    expected = native(process).evaluate(p)
    for _ in range(3):
        np.testing.assert_allclose(native(process).evaluate(rotated(p, rng)), expected, rtol=1e-12)


@pytest.mark.parametrize("process", CLASSES)
@pytest.mark.parametrize("beta", [(0, 0, 0.6), (0, 0, -0.98), (0.3, -0.2, 0.5), (0.6, 0.5, 0.52), (-0.9, 0.2, -0.2)])
def test_boosts(process, beta):
    p = sample(process)
    turned = native(process).evaluate(boosted(p, np.array(beta)))
    np.testing.assert_allclose(turned, native(process).evaluate(p), rtol=1e-11)


@pytest.mark.parametrize("process", [process for process in CLASSES if " g g" in process])
def test_gluons_are_identical(process, rng):
    p, provider = sample(process), native(process)
    expected = provider.evaluate(p)
    gluons = [i for i, leg in enumerate(provider.process.legs) if leg.name == "g" and i > 1]
    for _ in range(4):
        order = np.arange(p.shape[1])
        order[gluons] = rng.permutation(gluons)
        np.testing.assert_allclose(provider.evaluate(p[:, order]), expected, rtol=1e-12)


MOST = {"e- e+ > u u~": 5, "d d~ > z": 5, "d g > z d": 4, "g u~ > z u~": 4, "g g > z d d~": 3}
WITH_GLUONS = [base + " g" * n for base, most in MOST.items() for n in range("g" not in base, most + 1)]


@pytest.mark.parametrize("process", WITH_GLUONS)
def test_gauge_invariance(process):
    line = native(process).line
    p = sample(process, 20, y_cut=2e-4)
    usual, bad = engine.evaluate(line, DEFAULTS, p)
    assert not bad.any()
    assert (usual > 0).all()
    ordered, _ = engine.evaluate(line, DEFAULTS, p, squares=True)
    for gluon in range(len(line.gluons)):
        longitudinal, _ = engine.evaluate(line, DEFAULTS, p, replaced=gluon)
        assert (np.abs(longitudinal) < 1e-27 * usual).all()
        orderings, _ = engine.evaluate(line, DEFAULTS, p, squares=True, replaced=gluon)
        assert (orderings < 1e-25 * ordered).all()


@pytest.mark.parametrize("process", CLASSES)
def test_positive(process):
    p = sample(process, 500, y_cut=1e-4)
    assert (native(process).evaluate(p) > 0).all()
    assert (native(process).squared_orderings(p) > 0).all()


def with_last(reduced: np.ndarray, k: np.ndarray, masses: tuple[float, ...]) -> np.ndarray:
    """`reduced` and one more massless leg, whose transverse momentum the hardest outgoing leg balances."""
    final = reduced[:, 2:].copy()
    final[np.arange(len(k)), final[..., 0].argmax(axis=1), 1:3] -= k[:, :2]
    k = np.concatenate([np.zeros((len(k), 1)), k], axis=1)
    return events(np.concatenate([final, k[:, None]], axis=1), (*masses, 0.0))


SOFT = ["e- e+ > d d~", "e- e+ > d d~ g", "e- e+ > u u~ g g", "u~ u > z g g", "d g > z d g", "g g > z u u~"]


@pytest.mark.parametrize("reduced", SOFT)
def test_soft_gluon_between_its_neighbours(reduced, rng):
    # Each ordering's square -> g_s^2 N p_i.p_j / (p_i.k p_j.k) x the square without k, with i and j next to k.
    before, after = native(reduced), native(reduced + " g")
    p = sample(reduced, 40, y_cut=0.02)
    directions = rng.normal(size=(len(p), 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    shorter = dict(zip(before.orderings, before.squared_orderings(p).T, strict=True))
    k_leg = p.shape[1]
    copies = reduced.split(">")[1].split().count("g") + 1
    deviations = []
    for energy in (1e-4, 1e-6):
        full = with_last(p, energy * E * directions, before.process.final_masses)
        k, worst = full[:, k_leg], 0.0
        for legs, square in zip(after.orderings, after.squared_orderings(full).T, strict=True):
            chain = [after.line.quark, *legs, after.line.antiquark]
            at = chain.index(k_leg)
            i, j = full[:, chain[at - 1]], full[:, chain[at + 1]]
            eikonal = COUPLING / 2 * N_C * product(i, j) / (product(i, k) * product(j, k))
            expected = eikonal * shorter[tuple(leg for leg in legs if leg != k_leg)]
            worst = max(worst, float(np.abs(copies * square / expected - 1).max()))
        deviations.append(worst)
    assert deviations[0] < 2e-2
    assert deviations[1] < 2e-4
    assert deviations[1] / deviations[0] == pytest.approx(0.01, rel=0.1)


KERNELS = {
    "q -> q g": lambda z: C_F * (1 + z**2) / (1 - z),
    "g -> g g": lambda z: 2 * C_A * (z / (1 - z) + (1 - z) / z + z * (1 - z)),
    "g -> q q~": lambda z: T_R * (1 - 2 * z * (1 - z)),
}


def axes(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors orthogonal to each three-momentum and to each other."""
    along = p[:, 1:] / np.linalg.norm(p[:, 1:], axis=1)[:, None]
    first = np.cross(along, np.where(np.abs(along[:, 2:]) < 0.7, [[0.0, 0, 1]], [[1.0, 0, 0]]))
    first /= np.linalg.norm(first, axis=1)[:, None]
    return first, np.cross(along, first)


ANGLES = (1e-2, 1e-3, 1e-5)
TURNS = math.pi / 2 * np.arange(4)  # the average cancels the odd powers of the angle, and cos(2 phi), sin(2 phi)


def check_fall(deviations: list[float]) -> None:
    """With the square of the angle."""
    assert deviations[0] < 0.05
    assert deviations[1] / deviations[0] == pytest.approx(1e-2, rel=0.1)
    assert deviations[2] < 1e-3 * deviations[1]


@pytest.mark.parametrize(
    ("reduced", "parent", "kernel"),
    [
        ("e- e+ > d d~ g", 2, "q -> q g"),
        ("e- e+ > u u~ g g", 3, "q -> q g"),
        ("e- e+ > d d~ g", 4, "g -> g g"),
        ("e- e+ > d d~ g g g", 5, "g -> g g"),
        ("d g > z d g", 3, "q -> q g"),
        ("d d~ > z g", 3, "g -> g g"),
        ("g g > z u u~ g", 5, "g -> g g"),
    ],
)
def test_final_collinear_limit(reduced, parent, kernel, rng):
    before, after = native(reduced), native(reduced + " g")
    p = sample(reduced, 40, y_cut=0.02)
    z, phi = rng.uniform(0.2, 0.8, len(p)), rng.uniform(0, 2 * math.pi, len(p))
    first, second = axes(p[:, parent])
    copies = reduced.split(">")[1].split().count("g") + 1
    deviations = []
    for angle in ANGLES:
        total = 0.0
        for turn in TURNS:
            kt = np.cos(phi + turn)[:, None] * first + np.sin(phi + turn)[:, None] * second
            kt *= (angle * z * (1 - z) * p[:, parent, 0])[:, None]
            final = np.concatenate([p[:, 2:], p[:, parent, None]], axis=1)
            final[:, parent - 2, 1:] = z[:, None] * p[:, parent, 1:] + kt
            final[:, -1, 1:] = (1 - z)[:, None] * p[:, parent, 1:] - kt
            full = events(final, (*before.process.final_masses, 0.0))
            invariant = 2 * product(full[:, parent], full[:, -1])
            total = total + after.evaluate(full) * invariant / 4
        deviations.append(
            float(np.abs(copies * total / (before.evaluate(p) * COUPLING * KERNELS[kernel](z)) - 1).max())
        )
    check_fall(deviations)


@pytest.mark.parametrize(
    ("reduced", "full", "beam", "kernel"),
    [
        ("d d~ > z g", "d d~ > z g g", 0, "q -> q g"),
        ("u~ u > z g g", "u~ u > z g g g", 0, "q -> q g"),
        ("d g > z d g", "d g > z d g g", 0, "q -> q g"),
        ("d g > z d g", "d g > z d g g", 1, "g -> g g"),
        ("g g > z u u~", "g g > z u u~ g", 0, "g -> g g"),
        ("d d~ > z g", "d g > z g d", 1, "g -> q q~"),
        ("u u~ > z g g", "g u~ > z g g u~", 0, "g -> q q~"),
    ],
)
def test_initial_collinear_limit(reduced, full, beam, kernel, rng):
    # The incoming leg keeps the fraction x of its momentum: F = 8 pi alpha_s / (2 x p_a.k) x kernel.
    before, after = native(reduced), native(full)
    p = sample(reduced, 40, y_cut=0.02)
    x, phi = rng.uniform(0.2, 0.8, len(p)), rng.uniform(0, 2 * math.pi, len(p))
    copies = after.process.identical_factor / before.process.identical_factor
    deviations = []
    for angle in ANGLES:
        total = 0.0
        for turn in TURNS:
            size = (1 - x) / x * p[:, beam, 0]
            k = np.stack([angle * np.cos(phi + turn), angle * np.sin(phi + turn), np.ones(len(p)) * (1 - 2 * beam)])
            emitted = with_last(p, (size * k).T, before.process.final_masses)
            invariant = 2 * product(emitted[:, beam], emitted[:, -1])
            total = total + after.evaluate(emitted) * invariant / 4
        deviations.append(
            float(np.abs(copies * x * total / (before.evaluate(p) * COUPLING * KERNELS[kernel](x)) - 1).max())
        )
    check_fall(deviations)
