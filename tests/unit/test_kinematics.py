"""Validation of momenta and invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ampcli.errors import UsageError
from ampcli.kinematics import (
    TOLERANCE,
    beams_along_z,
    checked_momenta,
    dot,
    longitudinal_rest,
    mass_hint,
    min_invariant,
    on_shell_energies,
    pair_positions,
    scaled_to_energy,
    with_beams,
)
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0
FOUR_JETS = parse_process("e- e+ > d d~ g g")


@pytest.fixture
def events(rng):
    return with_beams(np.ascontiguousarray(rambo(rng.random((5000, 4, 4)), E)), E)


def test_physical_momenta_pass_unchanged(events):
    checked = checked_momenta(events, FOUR_JETS)
    np.testing.assert_array_equal(checked, events)
    assert checked.flags.c_contiguous


def test_fortran_order_is_put_right(events):
    checked = checked_momenta(np.asfortranarray(events), FOUR_JETS)
    np.testing.assert_array_equal(checked, events)
    assert checked.flags.c_contiguous


def test_no_events_are_fine():
    assert checked_momenta(np.empty((0, 6, 4)), FOUR_JETS).shape == (0, 6, 4)


def test_massive_legs(amplitude_reference):
    momenta = amplitude_reference["ddx_zgg/regular/momenta"]
    checked_momenta(momenta, parse_process("d d~ > z g g"))
    with pytest.raises(UsageError, match="leg 2 is off its mass shell"):
        checked_momenta(momenta, parse_process("d d~ > g z g"))


@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 4), (3, 6, 3), (0,), (2, 3, 6, 4)])
def test_shapes(shape):
    with pytest.raises(UsageError, match=r"\(events, 6, 4\)") as refused:
        checked_momenta(np.ones(shape), FOUR_JETS)
    assert str(shape) in refused.value.what


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.complex128, np.longdouble])
def test_dtypes(events, dtype):
    with pytest.raises(UsageError, match="must be float64") as refused:
        checked_momenta(events.astype(dtype), FOUR_JETS)
    assert np.dtype(dtype).name in refused.value.what


@pytest.mark.parametrize("event", [0, 17, 4095, 4096, 4999])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.__setitem__((3, 1), np.nan), "leg 3 has values that are not finite"),
        (lambda p: p.__setitem__((0, 0), np.inf), "leg 0 has values that are not finite"),
        (lambda p: p.__setitem__(2, -p[2]), "leg 2 has the energy"),
        (lambda p: p.__setitem__(4, 0.0), "leg 4 has the energy 0 GeV"),
        (lambda p: p.__setitem__((5, 0), p[5, 0] * (1 + 1e-6)), "leg 5 is off its mass shell"),
        (lambda p: p.__setitem__(3, p[3] * (1 + 1e-5)), "momentum is not conserved"),
        (lambda p: p.__setitem__(slice(0, 2), p[:2] * 0.9), "momentum is not conserved"),
    ],
)
def test_the_first_bad_event_is_named(events, event, change, said):
    change(events[event])
    if event < 4999:
        events[4999, 2] = np.nan
    with pytest.raises(UsageError, match=said) as refused:
        checked_momenta(events, FOUR_JETS)
    assert refused.value.what.startswith(f"event {event} (from 0): ")
    assert refused.value.hint


def test_single_precision_is_noticed_after_a_cast(events):
    with pytest.raises(UsageError, match="mass shell"):
        checked_momenta(events.astype(np.float32).astype(np.float64), FOUR_JETS)


def test_ten_digits_are_enough(events):
    written = np.array([float(f"{value:.10e}") for value in events[:200].ravel()]).reshape(events[:200].shape)
    checked_momenta(written, FOUR_JETS)


@pytest.mark.parametrize(("excess", "passes"), [(0.5, True), (2.0, False)])
def test_tolerance_of_mass_shells(excess, passes):
    events = np.zeros((1, 4, 4))
    events[0, :, 0] = 100.0
    events[0, :, 3] = 100.0 * np.array([1, -1, 1, -1]) * (1 - 0.5 * excess * TOLERANCE)
    process = parse_process("e- e+ > d d~")
    if passes:
        checked_momenta(events, process)
    else:
        with pytest.raises(UsageError, match="mass shell"):
            checked_momenta(events, process)


def test_beams_of_equal_energy(events):
    np.testing.assert_allclose(with_beams(events[:, 2:])[:, :2], events[:, :2], atol=1e-9)
    assert beams_along_z(events).all()


def test_beams_of_boosted_events(events):
    gamma, beta = 1.25, 0.6
    boosted = events.copy()
    boosted[..., 0] = gamma * (events[..., 0] + beta * events[..., 3])
    boosted[..., 3] = gamma * (events[..., 3] + beta * events[..., 0])
    np.testing.assert_allclose(with_beams(np.ascontiguousarray(boosted[:, 2:])), boosted, atol=1e-9)
    assert beams_along_z(boosted).all()


def test_other_beams_are_noticed(events):
    swapped = events[:, [1, 0, 2, 3, 4, 5]]
    assert not beams_along_z(swapped).any()
    turned = events[..., [0, 3, 1, 2]]
    assert not beams_along_z(turned).any()


def test_pairs():
    assert pair_positions(2) == [(0, 1)]
    assert pair_positions(4) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_minkowski_product():
    assert dot(np.array([5.0, 1, 2, 3]), np.array([7.0, -1, 4, 2])) == 35 + 1 - 8 - 6


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_smallest_invariant(fame_reference, jets):
    known = fame_reference(jets)
    np.testing.assert_allclose(min_invariant(known["momenta"][:, 2:]), known["min_sij"], rtol=1e-9, atol=1e-9)


def test_smallest_invariant_of_chosen_legs(events):
    total = events[:, 3] + events[:, 5]
    expected = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(min_invariant(events[:, [3, 5]]), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("angle", [1e-3, 1e-5, 1e-7])
def test_invariants_of_collinear_pairs_keep_their_digits(rng, angle):
    first = rng.normal(size=(200, 3)) * 100
    side = np.cross(first, rng.normal(size=(200, 3)))
    side *= (np.linalg.norm(first, axis=1) / np.linalg.norm(side, axis=1))[:, None]
    share = rng.uniform(0.1, 1, (200, 1))
    pair = np.stack([first, share * (math.cos(angle) * first + math.sin(angle) * side)], axis=1)
    final = np.concatenate([np.linalg.norm(pair, axis=2)[..., None], pair], axis=2)
    expected = 4 * share[:, 0] * (first**2).sum(axis=1) * math.sin(angle / 2) ** 2
    np.testing.assert_allclose(min_invariant(final), expected, rtol=1e-15 / angle + 1e-14)


def test_invariants_of_massive_legs(amplitude_reference):
    final = amplitude_reference["ddx_zgg/regular/momenta"][:, 2:]
    total = final[:, [0, 0, 1]] + final[:, [1, 2, 2]]
    expected = (total[..., 0] ** 2 - (total[..., 1:] ** 2).sum(axis=2)).min(axis=1)
    masses = parse_process("d d~ > z g g").final_masses
    np.testing.assert_allclose(min_invariant(final, masses), expected, rtol=1e-9)
    only_z = min_invariant(np.ascontiguousarray(final[:, :2]), masses)
    assert (only_z > masses[0] ** 2).all()


def test_the_frame_without_longitudinal_momentum(events):
    final = events[:, 2:].copy()
    y = np.linspace(-2, 2, len(final))[:, None]
    moved = final.copy()
    moved[..., 0] = np.cosh(y) * final[..., 0] + np.sinh(y) * final[..., 3]
    moved[..., 3] = np.cosh(y) * final[..., 3] + np.sinh(y) * final[..., 0]
    for momenta in (moved, torch.from_numpy(moved)):  # the same text serves both
        energy, pz = longitudinal_rest(momenta)
        np.testing.assert_allclose(energy, final[..., 0], rtol=1e-12)
        np.testing.assert_allclose(pz, final[..., 3], atol=1e-11 * E)


def test_scaled_momenta_have_the_energy(events):
    wanted = np.linspace(400.0, 2000.0, len(events))
    masses = (91.188, 0.0, 0.0, 5.0)
    start = events[:, 2:].copy()
    start[..., 0] = on_shell_energies(start, masses)
    scaled = scaled_to_energy(start, masses, wanted, steps=10)
    np.testing.assert_allclose(scaled[..., 0].sum(axis=1), wanted, rtol=1e-13)
    mass2 = scaled[..., 0] ** 2 - (scaled[..., 1:] ** 2).sum(axis=2)
    assert (np.abs(mass2 - np.square(masses)) < 1e-14 * scaled[..., 0] ** 2).all()
    ratio = scaled[..., 1:] / start[..., 1:]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-12)


@pytest.mark.parametrize(
    ("mass", "said"), [(0.0, "Check the order of the legs"), (91.1876, "--parameter m_z=91.1876"), (80.4, "m_z=80.4")]
)
def test_a_massless_leg_in_the_place_of_a_z_is_one_in_another_order(mass, said):
    z = parse_process("d d~ > z g").legs[2]
    assert said in mass_hint(z, mass)
