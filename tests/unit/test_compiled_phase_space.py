"""Compiled flat points against numpy's, and the functions beneath, on every instruction set of the machine."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.instructions import instruction_set
from ampcli.phasespace.compiled.engine import phase_space
from ampcli.phasespace.flat_points import flat_points
from ampcli.phasespace.jets import merging_scales
from ampcli.phasespace.rambo import rambo
from ampcli.phasespace.selection import Selection

_ORDER = ("baseline", "avx2", "avx512")
SETS = _ORDER[: _ORDER.index(instruction_set()) + 1]
E = 1000.0
PI = np.arccos(np.longdouble(-1))


def by_numpy(cube, selection):
    """Rows and momenta of the points that pass."""
    p = rambo(np.moveaxis(cube, (0, 1, 2), (2, 1, 0)), selection.sqrt_s)
    rows = np.flatnonzero(selection.accepts(p))
    return rows, p[rows]


@pytest.mark.parametrize("on", SETS)
def test_functions(rng, on):
    values = np.concatenate([rng.uniform(-30, 30, 40_000), 10.0 ** rng.uniform(-12, 2, 40_000)])
    logarithm, exponential, cosine, sine = phase_space(on).functions(values)
    exact = values.astype(np.longdouble)
    known = np.log(np.abs(exact))
    assert np.abs((logarithm - known) / np.maximum(np.abs(known), 0.5)).max() < 4.5e-16
    assert np.abs(exponential / np.exp(exact) - 1).max() < 4.5e-16
    turns = np.abs(values) < 2  # further away, the angle itself is rounded
    for found, function in ((cosine, np.cos), (sine, np.sin)):
        assert np.abs(found - function(2 * PI * exact))[turns].max() < 2.3e-16


@pytest.mark.parametrize("on", SETS)
def test_functions_at_special_values(on):
    values = np.array([0.0, 0.25, 0.5, 0.75, 1.0, -0.25, 1 / 3, 2.0**-1000])
    logarithm, exponential, cosine, sine = phase_space(on).functions(values)
    np.testing.assert_allclose(cosine, [1, 0, -1, 0, 1, 0, -0.5, 1], atol=2e-16)
    np.testing.assert_allclose(sine, [0, 1, 0, -1, 0, -1, np.sqrt(0.75), 0], atol=2e-16)
    np.testing.assert_array_equal(exponential[[0, 7]], 1.0)
    assert logarithm[4] == 0
    assert logarithm[7] == pytest.approx(-1000 * np.log(2), rel=1e-15)


@pytest.mark.parametrize("on", SETS)
def test_all_instruction_sets_give_the_same_bits(rng, on):
    values = rng.uniform(-30, 30, 8000)
    for found, baseline in zip(*(phase_space(one).functions(values) for one in (on, "baseline")), strict=True):
        np.testing.assert_array_equal(found, baseline)
    for legs in (3, 5):
        cube = rng.random((4, legs, 2048))
        found, baseline = (flat_points(cube, Selection(E, 1e-3), one) for one in (on, "baseline"))
        for ours, theirs in zip(found, baseline, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("cuts", ["durham", "jade"])
@pytest.mark.parametrize(("legs", "y_cut"), [(3, 0.01), (4, 1e-3), (5, 1e-3), (6, 1e-4), (8, 1e-5)])
@pytest.mark.parametrize("on", SETS)
def test_flat_points_are_those_of_numpy(rng, legs, y_cut, cuts, on):
    cube, selection = rng.random((4, legs, 8192)), Selection(E, y_cut, cuts)
    rows, momenta = flat_points(cube, selection, on)
    known, p = by_numpy(cube, selection)
    assert 0 < len(known) < 8192
    np.testing.assert_array_equal(rows, known)
    np.testing.assert_allclose(momenta, p, rtol=0, atol=1e-13 * E)
    assert momenta.flags.c_contiguous
    np.testing.assert_allclose(momenta[..., 0] ** 2, (momenta[..., 1:] ** 2).sum(axis=2), rtol=1e-15)


@pytest.mark.parametrize("on", SETS)
def test_the_edge_of_the_clustering(rng, on):
    cube = rng.random((4, 4, 64))
    p = rambo(np.moveaxis(cube, (0, 1, 2), (2, 1, 0)), E)
    scales = merging_scales(p, 2)[1]
    event = int(np.argmin(np.abs(scales - 0.05 * E**2)))
    # d_cut is 2 y_cut s: above and below the event's scale
    without, with_it = (
        flat_points(cube, Selection(E, scales[event] * share / (2 * E**2)), on)[0].tolist()
        for share in (1 + 1e-9, 1 - 1e-9)
    )
    assert sorted([*without, event]) == with_it


@pytest.mark.parametrize("on", SETS)
def test_zeros_of_the_cube(rng, on):
    """They are numbers that a generator gives: nothing becomes infinite, and the neighbours in the vector stay."""
    cube = rng.random((4, 4, 64))
    cube[2, 1, 5], cube[1, :, 6], cube[0, 2, 7] = 0.0, 0.0, 0.0
    rows, momenta = flat_points(cube, Selection(E, 1e-4), on)
    assert np.isfinite(momenta).all()
    with np.errstate(divide="ignore", invalid="ignore"):
        others = [row for row in by_numpy(cube, Selection(E, 1e-4))[0] if row != 5]
    assert [row for row in rows if row != 5] == others


@pytest.mark.parametrize(
    ("shape", "match"),
    [((3, 4, 64), "another shape"), ((4, 4, 63), "multiple of eight"), ((4, 11, 64), "too many legs")],
)
def test_cubes_of_other_shapes(shape, match):
    with pytest.raises(ValueError, match=match):
        flat_points(np.full(shape, 0.5), Selection(E, 1e-3))
