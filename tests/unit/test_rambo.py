"""RAMBO against the published program, closed forms and the exact acceptance of three jets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ampcli.amplitudes.providers import make_provider
from ampcli.errors import UsageError
from ampcli.kinematics import min_invariant, pair_positions, with_beams
from ampcli.phasespace.rambo import GEV2_PB, cross_section_weight, flat_volume, massive_weight, rambo, with_masses
from ampcli.phasespace.sampler import BLOCK, LeptonSampler, Sampling
from ampcli.phasespace.selection import Cuts, Selection
from ampcli.process import parse_process

E = 1000.0


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_same_momenta_as_the_published_program(fame_reference, jets):
    known = fame_reference(jets)
    np.testing.assert_allclose(rambo(known["u"], E), known["momenta"][:, 2:], rtol=1e-10, atol=1e-10 * E)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8])
def test_on_shell_and_conserved(rng, n):
    p = rambo(rng.random((2000, n, 4)), 91.188)
    assert p.shape == (2000, n, 4)
    mass2 = p[..., 0] ** 2 - (p[..., 1:] ** 2).sum(-1)
    assert np.all(np.abs(mass2) <= 1e-14 * p[..., 0] ** 2)
    assert np.all(p[..., 0] > 0)
    total = p.sum(axis=1)
    np.testing.assert_allclose(total[:, 0], 91.188, rtol=1e-12)
    assert np.abs(total[:, 1:]).max() <= 1e-12 * 91.188


@pytest.mark.parametrize("masses", [(91.188, 0.0, 0.0), (0.0, 173.0, 173.0), (0.0, 0.0, 0.0), (300.0, 300.0, 399.0)])
def test_masses(rng, masses):
    massless = np.ascontiguousarray(rambo(rng.random((1000, 3, 4)), E))
    p = with_masses(massless, masses)
    np.testing.assert_allclose(p.sum(axis=1), np.array([[E, 0, 0, 0]]).repeat(1000, axis=0), atol=1e-10 * E)
    mass2 = p[..., 0] ** 2 - (p[..., 1:] ** 2).sum(axis=2)
    assert (np.abs(mass2 - np.square(masses)) < 1e-14 * p[..., 0] ** 2).all()
    np.testing.assert_allclose(np.cross(p[..., 1:], massless[..., 1:]), 0.0, atol=1e-9 * E**2)  # the same directions


@pytest.mark.parametrize(
    ("masses", "volume"),
    [
        ((173.0, 173.0), math.sqrt(1 - 4 * 0.173**2)),
        ((91.188, 0.0), 1 - 0.091188**2),
        # of three legs, one with a mass: (1 - r^2 + 2 r ln r) with r = m^2/s
        ((300.0, 0.0, 0.0), 1 - 0.09**2 + 2 * 0.09 * math.log(0.09)),
    ],
)
def test_volume_with_masses(rng, masses, volume):
    """In units of the massless one: two bodies |p| / (E/2), three by integrating over the mass of the massless pair."""
    massless = np.ascontiguousarray(rambo(rng.random((40_000, len(masses), 4)), E))
    weight = massive_weight(with_masses(massless, masses), E)
    assert abs(weight.mean() - volume) <= 4.5 * weight.std() / math.sqrt(len(weight)) + 1e-12
    np.testing.assert_allclose(massive_weight(massless, E), 1.0, rtol=1e-12)


def test_masses_that_do_not_fit(rng):
    with pytest.raises(ValueError, match="masses of 1200 GeV in events of 1000 GeV"):
        with_masses(np.ascontiguousarray(rambo(rng.random((2, 3, 4)), E)), (400.0, 400.0, 400.0))


def test_two_bodies_are_back_to_back(rng):
    p = rambo(rng.random((500, 2, 4)), E)
    np.testing.assert_allclose(p[:, 0, 1:], -p[:, 1, 1:], atol=1e-10)
    np.testing.assert_allclose(p[..., 0], E / 2, rtol=1e-12)


def test_momenta_scale_with_the_energy(rng):
    u = rng.random((100, 4, 4))
    np.testing.assert_allclose(rambo(u, 3 * E), 3 * rambo(u, E), rtol=1e-13)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_mean_invariant_is_shared_by_the_pairs(rng, n):
    p = np.ascontiguousarray(rambo(rng.random((20_000, n, 4)), 1.0))
    pairs = pair_positions(n)
    total = np.zeros(len(p))
    for i, j in pairs:
        s_ij = ((p[:, i] + p[:, j]) ** 2) @ np.array([1.0, -1.0, -1.0, -1.0])
        total += s_ij
        error = s_ij.std() / math.sqrt(len(p))
        assert abs(s_ij.mean() - 1 / len(pairs)) < 4.5 * error
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)


def test_directions_are_isotropic(rng):
    p = np.ascontiguousarray(rambo(rng.random((20_000, 4, 4)), 1.0))
    cosine = p[:, 0, 3] / p[:, 0, 0]
    assert abs(cosine.mean()) < 4.5 * math.sqrt(1 / 3 / len(p))
    assert abs((cosine**2).mean() - 1 / 3) < 4.5 * math.sqrt(4 / 45 / len(p))


def test_energies_of_flat_three_body_phase_space(rng):
    # Flat in (x1, x2) over the triangle x1, x2 < 1 < x1 + x2: <x1> = 2/3, and P(x1 < t) = t^2.
    x = 2 * np.ascontiguousarray(rambo(rng.random((40_000, 3, 4)), 1.0))[:, 0, 0]
    for t in (0.2, 0.5, 0.8):
        assert abs((x < t).mean() - t**2) < 4.5 * math.sqrt(t**2 * (1 - t**2) / len(x))


def test_volume_of_two_bodies():
    assert flat_volume(2, E) == pytest.approx(1 / (8 * math.pi), rel=1e-14)
    assert flat_volume(2, 7.0) == flat_volume(2, E)


def test_volume_of_three_bodies():
    assert flat_volume(3, E) == pytest.approx(E**2 / (256 * math.pi**3), rel=1e-14)


def test_volume_recursion():
    # Split off one leg: Phi_n(s) = int dM^2/(2 pi) Phi_2(s; M, 0) Phi_{n-1}(M^2), Phi_2 = (1 - M^2/s)/(8 pi).
    for n in (3, 4, 5, 6):
        mass2, step = np.linspace(0.0, 1.0, 20_001, retstep=True)
        middle = mass2[:-1] + step / 2
        inner = np.array([flat_volume(n - 1, 1.0)]) * middle ** (n - 3)
        integral = float(((1 - middle) / (8 * math.pi) * inner).sum() * step / (2 * math.pi))
        assert flat_volume(n, 1.0) == pytest.approx(integral, rel=1e-6)


def test_cross_section_of_muon_pairs_in_qed(rng):
    # sigma(e+e- -> mu+mu-) = 4 pi alpha^2 / (3 s); averaged |M|^2 = (4 pi alpha)^2 (1 + cos^2).
    alpha = 1 / 137.0
    p = np.ascontiguousarray(rambo(rng.random((50_000, 2, 4)), 10.0))
    f = cross_section_weight(2, 10.0) * (4 * math.pi * alpha) ** 2 * (1 + (p[:, 0, 3] / p[:, 0, 0]) ** 2)
    exact = 4 * math.pi * alpha**2 / (3 * 100.0) * GEV2_PB
    assert abs(f.mean() - exact) < 4.5 * f.std() / math.sqrt(len(f))
    assert exact == pytest.approx(86_850 * (137.035999 / 137.0) ** 2 / 100.0, rel=1e-3)  # 86.8 nb / s, as in textbooks


def sampler(
    y_cut: float = 0.01, process: str = "e- e+ > d d~ g g", sampling: Sampling = "flat", cuts: Cuts = "durham"
) -> LeptonSampler:
    return LeptonSampler(parse_process(process), Selection(E, y_cut, cuts), sampling)


@pytest.mark.parametrize("sampling", ["flat", "mixed"])
@pytest.mark.parametrize("rows", [1, 100, BLOCK, 3000])
def test_a_stream_does_not_depend_on_how_much_of_it_is_asked_for(rows, sampling):
    whole = sampler(sampling=sampling).draw(np.random.default_rng(3), 4000)
    first = sampler(sampling=sampling).draw(np.random.default_rng(3), rows)
    for ours, theirs in zip(first, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs[:rows])
    assert rows <= first.tries[-1] < whole.tries[-1]


def test_tried_points_count_up_to_the_last_accepted_one():
    rows, weight, tries = sampler(0.001).draw(np.random.default_rng(3), 1500)
    u = np.empty((4, 4, BLOCK))
    rng, flags, momenta = np.random.default_rng(3), [], []
    while sum(f.sum() for f in flags) < 1500:
        rng.random(out=u)
        p = rambo(np.moveaxis(u, (0, 1, 2), (2, 1, 0)), E)
        flags.append(sampler(0.001).selection.accepts(p))
        momenta.append(p)
    accepted = np.flatnonzero(np.concatenate(flags))[:1500]
    np.testing.assert_array_equal(tries, accepted + 1)
    np.testing.assert_array_equal(weight, 1.0)
    np.testing.assert_allclose(rows, np.concatenate(momenta)[accepted], rtol=0, atol=1e-13 * E)


@pytest.mark.parametrize("sampling", ["flat", "mixed"])
@pytest.mark.parametrize("y_cut", [0.01, 0.001])
def test_all_accepted_points_pass_the_selection(y_cut, sampling):
    p = sampler(y_cut, sampling=sampling).draw(np.random.default_rng(1), 2000).momenta
    assert sampler(y_cut).selection.accepts(p).all()
    assert p.flags.c_contiguous


@pytest.mark.parametrize("gluons", [1, 2, 3])
@pytest.mark.parametrize("cuts", ["durham", "jade"])
def test_mixed_points_measure_the_same_phase_space(gluons, cuts):
    process = "e- e+ > d d~" + " g" * gluons
    mixed = sampler(0.003, process, "mixed", cuts).draw(np.random.default_rng(1), 40_000)
    flat = sampler(0.003, process, "flat", cuts).draw(np.random.default_rng(2), 40_000)
    volume, acceptance = mixed.weight.sum() / mixed.tries[-1], len(flat.tries) / flat.tries[-1]
    error = math.hypot(np.linalg.norm(mixed.weight) / mixed.tries[-1], acceptance / math.sqrt(len(flat.tries)))
    assert abs(volume - acceptance) < 4 * error
    # and what is averaged over it: the smallest invariant, and its logarithm
    for f in (np.sqrt, np.log):
        weighted, plain = (f(min_invariant(sample.momenta)) for sample in (mixed, flat))
        mean = np.average(weighted, weights=mixed.weight)
        spread = np.linalg.norm(mixed.weight * (weighted - mean)) / mixed.weight.sum()
        assert abs(mean - plain.mean()) < 4 * math.hypot(spread, plain.std() / math.sqrt(len(plain)))


def test_half_of_the_mixed_points_lie_where_amplitudes_are_large():
    process = parse_process("e- e+ > d d~ g g g")
    sample = sampler(1e-4, str(process), "mixed").draw(np.random.default_rng(1), 20_000)
    events = sample.weight * make_provider("native", process).evaluate(with_beams(sample.momenta, E))
    flat, large = (weights.sum() ** 2 / (weights**2).sum() / len(weights) for weights in (sample.weight, events))
    assert flat > 0.4  # as many points of equal weight as there are flat ones
    assert large > 0.2  # flat points alone: 0.002


@pytest.mark.parametrize(
    ("process", "y_cut", "said"),
    [
        ("e- e+ > d d~ g", 1 / 3, "y_cut"),
        ("e- e+ > d d~ g g", -0.1, "y_cut"),
        ("e- e+ > d d~ g g", float("nan"), "y_cut"),
        ("e- e+ > d d~", 0.01, "at least 3"),
        ("d d~ > z g g g", 0.01, "its beams are partons"),
        ("e- e+ > t t~ g", 0.01, "massless"),
    ],
)
def test_impossible_requests(process, y_cut, said):
    with pytest.raises(UsageError, match=said):
        sampler(y_cut, process)


def test_hopeless_cuts_end():
    # Possible in principle, one point in 10^9: all six s_ij/s within 1e-4 of 1/6.
    with pytest.raises(UsageError, match="points pass the cuts"):
        sampler(1 / 6 - 1e-4).draw(np.random.default_rng(1), 1)
