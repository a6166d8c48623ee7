"""The azimuth of a splitting: definition, stability, invariance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ampcli.factorisation.azimuth import spin_correlation, splitting_azimuth
from ampcli.factorisation.dipoles import C_A


def azimuth(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of three-momenta (n, 3)."""
    legs = [np.concatenate([np.linalg.norm(v, axis=1)[:, None], v], axis=1).T.copy() for v in (first, second)]
    cosine, sine = splitting_azimuth(*(torch.from_numpy(leg) for leg in legs))
    return cosine.numpy(), sine.numpy()


def split(rng: np.random.Generator, phi: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs whose transverse momentum is at `phi` from the z axis, turned clockwise about the parent."""
    parent = rng.normal(size=(len(phi), 3))
    parent /= np.linalg.norm(parent, axis=1, keepdims=True)
    toward_z = np.array([0, 0, 1.0]) - parent[:, 2:] * parent
    toward_z /= np.linalg.norm(toward_z, axis=1, keepdims=True)
    across = np.cross(parent, toward_z)
    k = angle * (np.cos(phi)[:, None] * toward_z - np.sin(phi)[:, None] * across)
    z = rng.uniform(0.2, 0.8, (len(phi), 1))
    return z * parent + k, (1 - z) * parent - k


@pytest.mark.parametrize("angle", [0.3, 1e-3, 1e-6])
def test_angle_of_constructed_splittings(rng, angle):
    phi = rng.uniform(-math.pi, math.pi, 300)
    cosine, sine = azimuth(*split(rng, phi, angle))
    # Rounding of the momenta (1e-16) turns a transverse momentum of 1e-6 by 1e-10.
    tolerance = 1e-15 / angle * 20 + 1e-12
    np.testing.assert_allclose(cosine, np.cos(phi), atol=tolerance)
    np.testing.assert_allclose(sine, np.sin(phi), atol=tolerance)


@pytest.mark.parametrize("jets", [4, 5])
def test_same_as_the_published_program_up_to_pi(fame_reference, jets):
    known = fame_reference(jets)
    p = known["momenta"][:, 2:, 1:]
    for column, (i, j) in enumerate(known["phi_pairs"] - 1):
        cosine, sine = azimuth(p[:, i], p[:, j])
        doubled = 2 * known["phi"][:, column]
        np.testing.assert_allclose(cosine**2 - sine**2, np.cos(doubled), atol=1e-10)
        np.testing.assert_allclose(2 * sine * cosine, np.sin(doubled), atol=1e-10)


@pytest.mark.parametrize("angle", [0.5, 1e-5])
def test_rotation_about_the_z_axis_changes_nothing(rng, angle):
    first, second = split(rng, rng.uniform(-math.pi, math.pi, 200), angle)
    turn = 0.7
    rotation = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
    before, after = azimuth(first, second), azimuth(first @ rotation.T, second @ rotation.T)
    np.testing.assert_allclose(after, before, atol=1e-14 / angle + 1e-12)


def test_exchange_of_the_legs_turns_by_pi(rng):
    first, second = rng.normal(size=(2, 100, 3))
    there, back = azimuth(first, second), azimuth(second, first)
    np.testing.assert_allclose(there, np.negative(back), atol=1e-12)


def test_reflection_keeps_the_cosine_and_turns_the_sine(rng):
    first, second = rng.normal(size=(2, 100, 3))
    cosine, sine = azimuth(first, second)
    mirror = np.array([-1.0, 1.0, 1.0])
    mirrored = azimuth(first * mirror, second * mirror)
    np.testing.assert_allclose(mirrored[0], cosine, atol=1e-12)
    np.testing.assert_allclose(mirrored[1], -sine, atol=1e-12)


def test_cosine_and_sine_belong_together(rng):
    cosine, sine = azimuth(*rng.normal(size=(2, 1000, 3)))
    np.testing.assert_allclose(cosine**2 + sine**2, 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("first", "second"),
    [([0.0, 0, 2], [0, 0, 3.0]), ([1.0, 2, 3], [2, 4, 6.0]), ([1.0, 0, 1], [-1.0, 0, 1]), ([1.0, 0, 0], [-1.0, 0, 0])],
)
def test_undefined_angles_are_zero_not_nan(first, second):
    cosine, sine = azimuth(np.array([first]), np.array([second]))
    assert cosine.tolist() == [0.0]
    assert sine.tolist() == [0.0]


def test_spin_terms():
    phi = torch.tensor([0.0, math.pi / 4, math.pi / 2, 1.0], dtype=torch.float64)
    pij = torch.tensor([1.0, 2.0, 5.0, 0.1], dtype=torch.float64)
    cos_term, sin_term = spin_correlation(phi.cos(), phi.sin(), pij, 0.118)
    strength = 16 * math.pi * 0.118 * C_A / (2 * pij)
    torch.testing.assert_close(cos_term, strength * torch.cos(2 * phi), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sin_term, strength * torch.sin(2 * phi), rtol=1e-12, atol=1e-12)
