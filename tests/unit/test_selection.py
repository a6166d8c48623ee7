"""The selection of e+e- -> jets."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.phasespace.jets import fastjet_exclusive_jets, merging_scales
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


# Acceptances of the corrected selection, known to three digits (docs/physics.md).
@pytest.mark.parametrize(
    ("jets", "y_cut", "acceptance"),
    [(3, 0.01, 0.944), (3, 0.001, 0.996), (4, 0.01, 0.722), (4, 0.001, 0.942), (5, 0.01, 0.216), (5, 0.001, 0.660)],
)
def test_acceptance(rng, jets, y_cut, acceptance):
    n = 20_000
    found = Selection(E, y_cut).accepts(rambo(rng.random((n, jets, 4)), E)).mean()
    assert abs(found - acceptance) < 4.5 * np.sqrt(acceptance * (1 - acceptance) / n) + 0.0006


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
def test_on_the_edge_of_the_clustering_fastjet_decides(rng, partons):
    p = np.ascontiguousarray(rambo(rng.random((30, partons, 4)), 1.0))
    for event, scale in zip(p[:, None], merging_scales(p, 2)[1], strict=True):
        # Choose the unit of energy so that the second merging lies at d_cut = 0.01 s up to rounding.
        selection = Selection(float(np.sqrt(scale / 0.01)), 1e-6)
        jets = fastjet_exclusive_jets(event, selection.d_cut)
        assert selection.clusters(event)[0] == (jets[0] >= partons - 1)
