"""The selection of e+e- -> jets."""

from __future__ import annotations

import numpy as np
import pytest
from fastjet_reference import fastjet_exclusive_jets

from ampcli.kinematics import min_invariant
from ampcli.phasespace.jets import merging_scales
from ampcli.phasespace.rambo import rambo
from ampcli.phasespace.selection import Selection

E = 1000.0


@pytest.mark.parametrize("jets", [3, 4, 5])
@pytest.mark.parametrize("y_cut", [0.01, 0.001, 0.0001])
def test_flags_of_the_published_program(fame_reference, jets, y_cut):
    known = fame_reference(jets)
    final = known["momenta"][:, 2:]
    selection = Selection(E, y_cut)
    written = np.format_float_positional(y_cut)
    np.testing.assert_array_equal(selection.accepts(final), known[f"accept_ycut{written}"])
    np.testing.assert_array_equal(selection.clusters(final), known[f"accept_kt_ycut{written}"])
    np.testing.assert_array_equal(selection.resolved(final), known["min_sij"] >= y_cut * E**2)


@pytest.mark.parametrize("y_cut", [0.01, 0.05, 0.15])
def test_acceptance_of_three_jets_is_exact(rng, y_cut):
    # Flat in the triangle of (s_12, s_13, s_23), whose corners and sides are cut off: a similar triangle is left,
    # (1 - 3 y_cut)^2.  Two jets there always are.
    n, expected = 40_000, (1 - 3 * y_cut) ** 2
    found = Selection(E, y_cut).accepts(rambo(rng.random((n, 3, 4)), E)).mean()
    assert abs(found - expected) < 4.5 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("jets", [4, 5])
def test_flags_follow_from_fastjet_and_all_pairs(rng, jets):
    p = np.ascontiguousarray(rambo(rng.random((2000, jets, 4)), E))
    selection = Selection(E, 0.01)
    pairs = p[:, :, None] + p[:, None]
    s_ij = (pairs**2) @ np.array([1.0, -1.0, -1.0, -1.0]) + 10 * E**2 * np.eye(jets)
    expected = (s_ij.min(axis=(1, 2)) >= 0.01 * E**2) & (fastjet_exclusive_jets(p, 0.02 * E**2) >= jets - 1)
    np.testing.assert_array_equal(selection.accepts(p), expected)
    assert 100 < expected.sum() < 1900


@pytest.mark.parametrize(("y_cut", "d"), [(1e-4, 0.01), (0.004, 0.01), (0.005, 0.01), (0.01, 0.02), (0.05, 0.1)])
def test_resolution(y_cut, d):
    assert Selection(E, y_cut).d_cut == pytest.approx(d * E**2, rel=1e-14)


def test_the_selection_does_not_depend_on_units(rng):
    p = np.ascontiguousarray(rambo(rng.random((2000, 4, 4)), E))
    np.testing.assert_array_equal(Selection(E, 0.01).accepts(p), Selection(2 * E, 0.01).accepts(2 * p))


def test_quark_pair_counts_as_a_pair():
    # q and q~ nearly collinear, gluons far away: 2 p_q.p_q~ alone fails the cut.
    angle = 0.05
    q = np.array([[1, np.cos(angle), np.sin(angle), 0], [1, np.cos(angle), -np.sin(angle), 0]])
    rest = -q[:, 1:].sum(axis=0) / 2
    tilt = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    gluons = np.concatenate([np.linalg.norm(rest + tilt, axis=1)[:, None], rest + tilt], axis=1)
    p = np.concatenate([q, gluons])[None]
    p *= E / p[0, :, 0].sum()
    s_qq = 2 * (p[0, 0, 0] * p[0, 1, 0] - p[0, 0, 1:] @ p[0, 1, 1:])
    assert not Selection(E, 1.001 * s_qq / E**2).resolved(p)[0]
    assert Selection(E, 0.999 * s_qq / E**2).resolved(p)[0]


@pytest.mark.parametrize("partons", [3, 4, 5])
def test_beside_the_edge_of_the_clustering_fastjet_agrees(rng, partons):
    p = np.ascontiguousarray(rambo(rng.random((30, partons, 4)), 1.0))
    for event, scale in zip(p[:, None], merging_scales(p, 2)[1], strict=True):
        for share in (1 - 1e-9, 1 + 1e-9):  # of d_cut = 0.01 s, at which the second merging lies
            selection = Selection(float(np.sqrt(share * scale / 0.01)), 1e-6)
            jets = fastjet_exclusive_jets(event, selection.d_cut)
            assert selection.clusters(event)[0] == (jets[0] >= partons - 1) == (share < 1)


def test_cuts_on_invariants_alone(rng):
    p = rambo(rng.random((5000, 4, 4)), E)
    both, jade = Selection(E, 0.01), Selection(E, 0.01, "jade")
    np.testing.assert_array_equal(jade.accepts(p), min_invariant(p) >= 0.01 * E**2)
    assert (jade.accepts(p) & ~both.accepts(p)).any()
    assert not (both.accepts(p) & ~jade.accepts(p)).any()
