"""Phase space of successive emissions: densities against closed forms, other phase space, and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ampcli.kinematics import dot
from ampcli.phasespace.emissions import colour_strings, emission_density, emission_dimensions, emit
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0


def strings_of(gluons: int) -> np.ndarray:
    return colour_strings(parse_process("e- e+ > d d~" + " g" * gluons))


def points(rng, strings, n, resolutions):
    chosen = strings[rng.integers(len(strings), size=n)]
    momenta, exists = emit(rng.random((n, emission_dimensions(strings.shape[1]))), chosen, E, resolutions)
    return momenta, exists


def invariant(p, i, j):
    return 2 * dot(p[:, i].T, p[:, j].T)


@pytest.mark.parametrize(
    ("process", "strings"),
    [
        ("e- e+ > d d~ g", [(0, 2, 1)]),
        ("e- e+ > g d~ g d", [(1, 0, 2, 3), (1, 2, 0, 3)]),
        ("e- e+ > g g g", [(0, 1, 2), (0, 2, 1), (1, 0, 2)]),
    ],
)
def test_gluons_stand_between_the_quarks(process, strings):
    assert sorted(map(tuple, colour_strings(parse_process(process)))) == sorted(strings)


@pytest.mark.parametrize("gluons", [1, 2, 3])
def test_momenta_are_massless_and_at_rest(rng, gluons):
    momenta, exists = points(rng, strings_of(gluons), 2000, [1e-3] * gluons)
    p = momenta[exists]
    assert len(p) > 100
    np.testing.assert_allclose(p.sum(axis=1), np.broadcast_to([E, 0, 0, 0], (len(p), 4)), atol=1e-9 * E)
    np.testing.assert_allclose(p[..., 0], np.linalg.norm(p[..., 1:], axis=-1), rtol=1e-15)


def test_one_emission_is_uniform_in_both_logarithms(rng):
    resolution = 1e-3
    momenta, exists = points(rng, strings_of(1), 100_000, [resolution])
    near, far = (np.log(invariant(momenta[exists], i, 2) / E**2) / math.log(resolution) for i in (0, 1))
    for u in (near, far):
        assert u.min() > 0
        assert u.max() <= 1 + 1e-9
    # the corner r1 + r2 > 1 is missing; away from it the plane is filled evenly
    counts, _, _ = np.histogram2d(near, far, bins=8, range=[[0.2, 1], [0.2, 1]])
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 63 + 4 * math.sqrt(2 * 63)


def test_density_of_one_emission_in_closed_form(rng):
    # two-body phase space is 1/(8 pi), three-body s/(2 (4 pi)^3): relative to it, s^2 / (2 s_ag s_gb ln^2)
    p = np.ascontiguousarray(rambo(rng.random((1000, 3, 4)), E))
    resolution = 1e-5
    near, far = invariant(p, 0, 2), invariant(p, 1, 2)
    covered = np.minimum(near, far) > resolution * E**2
    expected = np.where(covered, E**4 / (2 * near * far * math.log(resolution) ** 2), 0.0)
    np.testing.assert_allclose(emission_density(p, strings_of(1), E, [resolution]), expected, rtol=1e-9)


@pytest.mark.parametrize(("gluons", "resolutions"), [(1, [0.01]), (2, [0.02, 0.005]), (3, [0.02, 0.02, 0.01])])
def test_densities_are_normalised(rng, gluons, resolutions):
    """Averaged over flat phase space, the density is the share of points that exist."""
    strings = strings_of(gluons)
    flat = emission_density(
        np.ascontiguousarray(rambo(rng.random((100_000, gluons + 2, 4)), E)), strings, E, resolutions
    )
    _, exists = points(rng, strings, 100_000, resolutions)
    error = math.hypot(flat.std(), exists.std()) / math.sqrt(100_000)
    assert abs(flat.mean() - exists.mean()) < 4 * error
    assert error < 0.1 * exists.mean()


@pytest.mark.parametrize("gluons", [2, 3])
def test_inverse_densities_measure_flat_volumes(rng, gluons):
    """Within a region that emissions cover, 1/density averages to the flat volume of the region."""
    strings, resolutions = strings_of(gluons), [0.01] * gluons

    def inside(p):
        pairs = [(i, j) for i in range(gluons + 2) for j in range(i)]
        return np.min([invariant(p, i, j) for i, j in pairs], axis=0) > 0.03 * E**2

    p, exists = points(rng, strings, 200_000, resolutions)
    kept = p[exists & inside(p)]
    inverse = 1.0 / emission_density(kept, strings, E, resolutions)
    volume, error = inverse.sum() / len(p), np.linalg.norm(inverse) / len(p)
    flat = inside(np.ascontiguousarray(rambo(rng.random((100_000, gluons + 2, 4)), E)))
    assert abs(volume - flat.mean()) < 4 * math.hypot(error, flat.std() / math.sqrt(len(flat)))
    assert error < 0.1 * volume


def test_density_knows_neither_gluon_labels_nor_directions(rng):
    p = np.ascontiguousarray(rambo(rng.random((500, 5, 4)), E))
    strings, resolutions = strings_of(3), [0.005, 0.005, 1e-4]
    density = emission_density(p, strings, E, resolutions)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = np.concatenate([p[..., :1], p[..., 1:] @ turn], axis=-1)
    np.testing.assert_allclose(emission_density(turned, strings, E, resolutions), density, rtol=1e-8)
    for order in ([0, 1, 3, 2, 4], [0, 1, 4, 2, 3]):
        np.testing.assert_allclose(emission_density(p[:, order], strings, E, resolutions), density, rtol=1e-10)
    assert (density > 0).mean() > 0.9
