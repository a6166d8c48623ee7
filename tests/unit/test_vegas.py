"""The adaptive grid: a bijection of the unit cube with its Jacobian, and what adapting is good for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ampcli.phasespace.vegas import VegasGrid

BINS = VegasGrid.flat(1).edges.shape[1] - 1


@pytest.fixture
def uneven(rng):
    """A grid of three axes with bins from 0.1 to 10 times the usual width."""
    widths = 10.0 ** rng.uniform(-1, 1, (3, BINS))
    edges = np.concatenate([np.zeros((3, 1)), np.cumsum(widths, axis=1)], axis=1)
    return VegasGrid(edges / edges[:, -1:])


def require_sound(grid, axes):
    assert grid.axes == axes
    assert grid.edges.shape == (axes, BINS + 1)
    assert (grid.edges[:, 0] == 0).all()
    assert (grid.edges[:, -1] == 1).all()
    assert (np.diff(grid.edges, axis=1) > 0).all()


def peak(x):
    """A separable function: narrow peaks at 0.2, 0.5 and 0.9 along three axes."""
    return np.exp(-(((x - [0.2, 0.5, 0.9]) / PEAK_WIDTHS) ** 2) / 2).prod(axis=1)


PEAK_WIDTHS = np.array([0.02, 0.05, 0.01])
PEAK_INTEGRAL = math.prod(math.sqrt(2 * math.pi) * PEAK_WIDTHS)  # the tails outside are below 1e-15


def adapted(function, axes, rng, rounds=6, points=20_000, grid=None):
    grid = grid or VegasGrid.flat(axes)
    for _ in range(rounds):
        x, jacobian, bins = grid.map(rng.random((points, axes)))
        grid = grid.refined(bins, function(x) * jacobian)
        require_sound(grid, axes)
    return grid


def estimate(function, grid, rng, points=50_000):
    """Integral, its error, and the variance of a point."""
    x, jacobian, _ = grid.map(rng.random((points, grid.axes)))
    values = function(x) * jacobian
    return values.mean(), values.std() / math.sqrt(points), values.var()


@pytest.mark.parametrize("axes", [1, 4, 13])
def test_the_flat_grid_is_the_identity(rng, axes):
    grid, u = VegasGrid.flat(axes), rng.random((1000, axes))
    require_sound(grid, axes)
    x, jacobian, bins = grid.map(u)
    np.testing.assert_allclose(x, u, rtol=0, atol=1e-15)
    np.testing.assert_allclose(jacobian, 1.0, rtol=1e-12)
    np.testing.assert_array_equal(bins, np.floor(u * BINS))


def test_the_map_is_a_bijection(uneven, rng):
    u = np.sort(rng.random((20_000, 3)), axis=0)
    x, _, bins = uneven.map(u)
    assert ((x > 0) & (x < 1)).all()
    assert (np.diff(x, axis=0) > 0).all()
    for axis in range(3):
        back = np.interp(x[:, axis], uneven.edges[axis], np.linspace(0, 1, BINS + 1))
        np.testing.assert_allclose(back, u[:, axis], rtol=0, atol=1e-13)
        found = np.searchsorted(uneven.edges[axis], x[:, axis], side="right") - 1
        np.testing.assert_array_equal(found, bins[:, axis])


def test_every_bin_begins_and_ends_at_its_edges(uneven):
    starts = np.tile(np.arange(BINS) / BINS, (3, 1)).T
    np.testing.assert_array_equal(uneven.map(starts)[0], uneven.edges[:, :-1].T)
    x, _, bins = uneven.map(starts + 1 / BINS - 1e-14)
    np.testing.assert_allclose(x, uneven.edges[:, 1:].T, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(bins[:, 0], np.arange(BINS))


def test_the_ends_of_the_cube(uneven):
    for grid in (VegasGrid.flat(3), uneven):
        x, jacobian, bins = grid.map(np.array([np.zeros(3), np.full(3, np.nextafter(1.0, 0.0))]))
        assert (x[0] == 0).all()
        assert bins.tolist() == [[0] * 3, [BINS - 1] * 3]
        assert ((x[1] <= 1) & (x[1] > 1 - 1e-14)).all()
        widths = np.diff(grid.edges, axis=1) * BINS
        np.testing.assert_allclose(jacobian, [widths[:, 0].prod(), widths[:, -1].prod()], rtol=1e-12)


def test_jacobian_by_finite_differences(uneven, rng):
    u = (rng.integers(0, BINS, (500, 3)) + rng.uniform(0.1, 0.9, (500, 3))) / BINS
    step = 0.05 / BINS  # stays in its bin
    determinant = np.ones(500)
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        difference = (uneven.map(u + shift)[0] - uneven.map(u - shift)[0]) / (2 * step)
        assert np.abs(np.delete(difference, axis, axis=1)).max() == 0  # the axes do not mix
        determinant *= difference[:, axis]
    np.testing.assert_allclose(uneven.map(u)[1], determinant, rtol=1e-9)


@pytest.mark.parametrize("powers", [(0, 0), (1, 0), (0, 3), (2, 5), (6, 7)])
def test_polynomials_are_integrated_exactly(uneven, powers):
    nodes, weights = np.polynomial.legendre.leggauss(4)  # exact to degree 7 within a bin
    u = ((np.arange(BINS)[:, None] + (nodes + 1) / 2) / BINS).ravel()
    w = np.tile(weights / 2, BINS) / BINS
    plane = VegasGrid(uneven.edges[:2])
    x, jacobian, _ = plane.map(np.stack(np.meshgrid(u, u, indexing="ij"), axis=-1).reshape(-1, 2))
    integral = (np.outer(w, w).ravel() * jacobian * (x**powers).prod(axis=1)).sum()
    assert integral == pytest.approx(1 / ((powers[0] + 1) * (powers[1] + 1)), rel=1e-12)


def test_the_jacobian_averages_to_one(uneven, rng):
    jacobian = uneven.map(rng.random((200_000, 3)))[1]
    assert abs(jacobian.mean() - 1) < 4 * jacobian.std() / math.sqrt(200_000)
    assert jacobian.std() > 0.5  # it was no flat grid


def test_adapting_lowers_the_variance_and_keeps_the_integral(rng):
    flat = estimate(peak, VegasGrid.flat(3), rng)
    found = estimate(peak, adapted(peak, 3, rng), rng)
    for integral, error, _ in (flat, found):
        assert abs(integral - PEAK_INTEGRAL) < 4 * error
    assert found[2] < flat[2] / 300
    assert found[1] < 0.01 * PEAK_INTEGRAL


def test_one_round_helps_already(rng):
    flat = estimate(peak, VegasGrid.flat(3), rng)
    assert estimate(peak, adapted(peak, 3, rng, rounds=1), rng)[2] < flat[2] / 5


def test_bins_gather_where_the_function_is_large(rng):
    grid = adapted(peak, 3, rng)
    for axis, place in enumerate((0.2, 0.5, 0.9)):
        near = np.abs(grid.edges[axis] - place) < 3 * PEAK_WIDTHS[axis]
        assert near.mean() > 0.6


def test_an_axis_without_structure_stays_flat(rng):
    grid = adapted(lambda x: np.exp(-5 * x[:, 0]), 2, rng)
    assert np.abs(grid.edges[1] - np.linspace(0, 1, BINS + 1)).max() < 0.02
    assert grid.edges[0, BINS // 2] < 0.25


def test_a_constant_changes_nothing():
    bins = np.repeat(np.arange(BINS), 3)[:, None]
    grid = VegasGrid.flat(1).refined(bins, np.full(3 * BINS, 7.0))
    np.testing.assert_allclose(grid.edges, VegasGrid.flat(1).edges, rtol=0, atol=1e-14)


def test_only_relative_weights_matter(uneven, rng):
    x, jacobian, bins = uneven.map(rng.random((5000, 3)))
    weights = peak(x) * jacobian
    before = uneven.edges.copy()
    once, scaled = uneven.refined(bins, weights), uneven.refined(bins, 1e12 * weights)
    np.testing.assert_allclose(once.edges, scaled.edges, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(uneven.edges, before)  # it was not changed itself
    assert np.abs(once.edges - before).max() > 0.01


def test_a_function_that_vanishes_in_half_of_the_cube(rng):
    def half(x):
        return np.where(x[:, 0] > 0.5, x[:, 1], 0.0)

    grid = VegasGrid.flat(2)
    for _ in range(8):
        x, jacobian, bins = grid.map(rng.random((20_000, 2)))
        values = half(x) * jacobian
        kept = values > 0  # a sampler passes only these on
        grid, same = grid.refined(bins[kept], values[kept]), grid.refined(bins, values)
        np.testing.assert_array_equal(grid.edges, same.edges)
        require_sound(grid, 2)
    integral, error, variance = estimate(half, grid, rng)
    assert abs(integral - 0.25) < 4 * error
    assert variance < estimate(half, VegasGrid.flat(2), rng)[2] / 3
    assert (grid.edges[0] > 0.49).mean() > 0.8


def test_a_peak_within_one_bin(rng):
    def spike(x):
        return np.exp(-(((x[:, 0] - 0.7) / 1e-3) ** 2) / 2)

    grid = adapted(spike, 2, rng, rounds=20)
    integral, error, _ = estimate(spike, grid, rng)
    assert abs(integral - math.sqrt(2 * math.pi) * 1e-3) < 4 * error
    assert error < 0.01 * integral


def test_a_single_point(rng):
    grid = VegasGrid.flat(2).refined(np.array([[0, BINS - 1]]), np.array([3.0]))
    require_sound(grid, 2)
    jacobian = grid.map(rng.random((100_000, 2)))[1]
    assert abs(jacobian.mean() - 1) < 4 * jacobian.std() / math.sqrt(100_000)
