"""The azimuth of a splitting: definition, stability, invariance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ampcli.amplitudes.providers import make_provider
from ampcli.factorisation.azimuth import spin_correlation, splitting_azimuth
from ampcli.factorisation.kernels import C_A
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process


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


def rotated_pair(final: np.ndarray, first: int, second: int, angles: np.ndarray) -> np.ndarray:
    """The event (n_final, 4) with two legs turned about their common momentum: (angles, n_final, 4)."""
    axis = final[first, 1:] + final[second, 1:]
    axis = axis / np.linalg.norm(axis)
    turned = np.repeat(final[None], len(angles), axis=0)
    for leg in (first, second):
        p = final[leg, 1:]
        along = (p @ axis) * axis
        across, beside = p - along, np.cross(axis, p)
        turned[:, leg, 1:] = along + np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * beside
    return turned


@pytest.mark.parametrize("jets", [4, 5])
def test_collinear_gluons_modulate_the_amplitude_as_eq_2_4_says(jets):
    """Turned about their parent, they give |M|^2 = a + b cos 2 phi + c sin 2 phi, and phi is `splitting_azimuth`."""
    process = parse_process("e- e+ > d d~" + " g" * (jets - 2))
    rng = np.random.default_rng(jets)
    final = rambo(rng.random((1, jets, 4)), 1000.0)[0]
    i, j = process.final_positions("gluon")[:2]
    parent = final[i, 1:] + final[j, 1:]
    # The two gluons nearly collinear, with z = 0.4; the parent's small virtuality goes to another leg's account.
    side = np.cross(parent, [0.3, 0.5, 0.2])
    side *= 1e-4 * np.linalg.norm(parent) / np.linalg.norm(side)
    for leg, three in ((i, 0.4 * parent + side), (j, 0.6 * parent - side)):
        final[leg] = [np.linalg.norm(three), *three]
    angles = 2 * np.pi * np.arange(16) / 16
    events = rescaled(rotated_pair(final, i, j, angles))
    amplitude = make_provider("native", process, {}).evaluate(with_beams(events, 1000.0))
    harmonics = np.abs(np.fft.rfft(amplitude / amplitude.mean())) / len(angles)
    assert harmonics[2] > 0.003  # there is a modulation,
    assert np.delete(harmonics, [0, 2]).max() < 0.02 * harmonics[2]  # of twice the angle and nothing else
    p = torch.from_numpy(events).permute(1, 2, 0)
    cosine, sine = splitting_azimuth(p[i], p[j])
    phi = np.unwrap(np.arctan2(sine.numpy(), cosine.numpy()))
    np.testing.assert_allclose(np.abs(phi - phi[0]), angles, atol=1e-6)
    basis = np.stack([np.ones(16), np.cos(2 * phi), np.sin(2 * phi)], axis=1)
    left = amplitude - basis @ np.linalg.lstsq(basis, amplitude, rcond=None)[0]
    assert np.abs(left).max() < 0.05 * harmonics[2] * amplitude.mean()


def rescaled(events: np.ndarray) -> np.ndarray:
    """Events at rest and at 1000 GeV by a boost and a scale factor."""
    total = events.sum(axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1))
    boost, gamma = -total[:, 1:] / mass[:, None], total[:, 0] / mass
    along = np.einsum("nla,na->nl", events[..., 1:], boost)
    three = events[..., 1:] + (along / (1 + gamma[:, None]) + events[..., 0])[..., None] * boost[:, None]
    three *= (1000.0 / mass)[:, None, None]
    return np.concatenate([np.linalg.norm(three, axis=-1)[..., None], three], axis=-1)
