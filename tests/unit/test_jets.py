"""Durham clustering against FastJet, event by event, and against the published program."""

from __future__ import annotations

import numpy as np
import pytest
from fastjet_reference import fastjet_exclusive_jets, fastjet_jets

from ampcli.phasespace.jets import exclusive_jets, jets_of_partons, merging_scales
from ampcli.phasespace.rambo import rambo

E = 1000.0


def events(rng, n, partons, squeeze=None, soft=None):
    """RAMBO events; the last leg made collinear to the first (angle) or soft (energy fraction); not balanced."""
    p = np.ascontiguousarray(rambo(rng.random((n, partons, 4)), E))
    if squeeze is not None:
        direction = p[:, 0, 1:] / p[:, 0, :1] + squeeze * rng.normal(size=(n, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        p[:, -1, 1:] = direction * p[:, -1, :1]
    if soft is not None:
        p[:, -1] *= soft
    p[..., 0] = np.linalg.norm(p[..., 1:], axis=-1)
    return p


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_merging_scales_of_the_published_program(fame_reference, jets):
    known = fame_reference(jets)
    scales = merging_scales(known["momenta"][:, 2:])
    np.testing.assert_allclose(scales, known["dmerge"].T[::-1], rtol=1e-10)


@pytest.mark.parametrize("jets", [3, 4, 5])
@pytest.mark.parametrize("y", [0.01, 0.02])
def test_jet_numbers_of_the_published_program(fame_reference, jets, y):
    known = fame_reference(jets)
    found = exclusive_jets(known["momenta"][:, 2:], y * E**2)
    np.testing.assert_array_equal(found, known[f"njets_dcut{y}"])


@pytest.mark.parametrize("partons", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("y", [1e-4, 1e-3, 0.01, 0.02, 0.1])
def test_same_number_of_jets_as_fastjet(rng, partons, y):
    p = events(rng, 300, partons)
    found = merging_scales(p)
    np.testing.assert_array_equal(1 + (found > y * E**2).sum(axis=0), fastjet_exclusive_jets(p, y * E**2))


@pytest.mark.parametrize("partons", [3, 4, 5])
@pytest.mark.parametrize("corner", [{"squeeze": 1e-2}, {"squeeze": 1e-5}, {"soft": 1e-2}, {"soft": 1e-5}])
@pytest.mark.parametrize("y", [1e-5, 0.01])
def test_same_number_of_jets_as_fastjet_in_corners(rng, partons, corner, y):
    p = events(rng, 200, partons, **corner)
    np.testing.assert_array_equal(exclusive_jets(p, y * E**2), fastjet_exclusive_jets(p, y * E**2))


def test_scales_are_where_fastjet_loses_a_jet(rng):
    p = events(rng, 40, 5)
    for step, scale in enumerate(merging_scales(p)):
        for event, d in zip(p[:, None], scale, strict=True):
            assert fastjet_exclusive_jets(event, d * (1 - 1e-9))[0] > 5 - step - 1
            assert fastjet_exclusive_jets(event, d * (1 + 1e-9))[0] <= 5 - step - 1


@pytest.mark.parametrize("partons", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("y", [1e-3, 0.02, 0.5])
def test_partons_of_jets_as_fastjet(rng, partons, y):
    """Its numbers of jets are in another order: what counts is who shares one."""
    p = events(rng, 200, partons, squeeze=0.1)
    ours, theirs = (jets(p, y * E**2) for jets in (jets_of_partons, fastjet_jets))
    np.testing.assert_array_equal(ours[:, :, None] == ours[:, None], theirs[:, :, None] == theirs[:, None])
    np.testing.assert_array_equal(ours.max(axis=1) + 1, exclusive_jets(p, y * E**2))


def test_distance_of_two_partons():
    # 2 min(E1, E2)^2 (1 - cos) with E = 3, 4 at a right angle: 2 * 9 * 1.
    p = np.array([[[3.0, 3.0, 0.0, 0.0], [4.0, 0.0, 4.0, 0.0]]])
    assert merging_scales(p).tolist() == [[18.0]]


def test_scales_never_fall_and_ignore_the_order_of_legs(rng):
    p = events(rng, 500, 5)
    scales = merging_scales(p)
    assert (np.diff(scales, axis=0) >= 0).all()
    np.testing.assert_allclose(merging_scales(p[:, rng.permutation(5)]), scales, rtol=1e-9)
    np.testing.assert_array_equal(merging_scales(p, 2), scales[:2])


def test_scales_grow_with_the_square_of_the_energy(rng):
    p = events(rng, 100, 4)
    np.testing.assert_allclose(merging_scales(10 * p), 100 * merging_scales(p), rtol=1e-12)
