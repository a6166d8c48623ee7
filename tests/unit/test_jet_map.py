"""The map of jets: the same phase space as madspace's, with guides that are like |M|^2."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from cross_sections import adapted_cross_section, compare, mean_and_error

from ampcli.amplitudes.native.provider import Native
from ampcli.instructions import instruction_set
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.hadron_sampler import BLOCK, TAIL, Adaptation, HadronSampler
from ampcli.phasespace.jet_map import VERSION, VERSIONS, JetMap
from ampcli.phasespace.partons import find_pdf
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import parse_process

pytest.importorskip("madspace")

ENERGY = 13000.0
USUAL = JetCuts(20.0, 5.0, 0.4)
HARD = JetCuts(80.0, 3.0, 0.7)
PDF = find_pdf("NNPDF23_lo_as_0130_qed")
_ORDER = ("baseline", "avx2", "avx512")
SETS = _ORDER[: _ORDER.index(instruction_set()) + 1]
MAPPED = ["d d~ > z g", "d d~ > z g g g g", "d g > z d g g g", "g d~ > z d~ g", "g g > g g g", "g g > d d~ g g"]
MAPPED += ["g g > t t~ g", "u d~ > w+ g", "d d~ > g g"]


class Constant:
    """A provider of |M|^2 = 1 GeV^(4 - 2 n_final), for any process."""

    def __init__(self, process):
        self.process = process

    def evaluate(self, momenta):
        return np.ones(len(momenta))


def sampler_of(text, cuts=USUAL, provider=Native, jets=True):
    process = parse_process(text)
    version = VERSION if jets else None
    return HadronSampler(process, provider(process), 0.118, ENERGY, cuts, None, PDF, 0.130, 0.003, jets=version)


def drawn_from(text, cuts=USUAL, points=20_000, seed=1, on=None):
    events = JetMap(parse_process(text), ENERGY, cuts, on)
    rng = np.random.default_rng(seed)
    cube = rng.random((points, events.axes))
    return events.candidates(cube, events.choices(rng, points), VegasGrid.flat(events.axes))


@pytest.mark.parametrize(
    ("text", "covered"),
    [(text, True) for text in MAPPED]
    + [
        ("d d~ > e- e+ g", True),  # see test_lepton_map.py
        ("u u > u u e- e+", True),
        ("u d~ > e+ vm g", False),  # of two generations
        ("u u~ > z e- e+", False),
        ("u u~ > ve e+ mu- vm~", False),
        ("d d > d d", False),  # two lines of quarks
        ("g g > z d d~", False),
        ("d d~ > z z g", False),
        ("g g > h", False),
        ("d d~ > z", False),
        ("e- e+ > d d~ g", False),
        ("d d~ > z g g g g g g g g", False),  # too many gluons
    ],
)
def test_processes_that_it_knows(text, covered):
    assert JetMap.covers(parse_process(text)) is covered


@pytest.mark.parametrize("on", SETS)
@pytest.mark.parametrize("cuts", [USUAL, HARD])
@pytest.mark.parametrize("text", MAPPED)
def test_events_are_physical_and_within_the_cuts(text, cuts, on):
    process = parse_process(text)
    found = drawn_from(text, cuts, on=on)
    p, x = found.momenta, found.x
    assert len(found.rows) > 500
    assert (np.diff(found.rows) > 0).all()
    assert 0 <= found.rows[0] <= found.rows[-1] < 20_000
    for values in (found.volume, found.guide, found.half_ht, x):
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert (x < 1).all()
    masses = np.array([leg.mass for leg in process.legs])
    energy2 = p[..., 0] ** 2
    assert (np.abs(energy2 - (p[..., 1:] ** 2).sum(axis=2) - masses**2) / energy2).max() < 1e-14
    imbalance = np.abs(p[:, :2].sum(axis=1) - p[:, 2:].sum(axis=1)).max(axis=1)
    assert (imbalance < 1e-12 * p[:, :2, 0].sum(axis=1)).all()
    assert np.abs(p[:, :2, 1:3]).max() == 0
    np.testing.assert_allclose(2 * p[:, :2, 0] / ENERGY, x, rtol=1e-14)
    np.testing.assert_array_equal(p[:, :2, 3], p[:, :2, 0] * [1, -1])
    pt2 = p[:, 2:, 1] ** 2 + p[:, 2:, 2] ** 2
    np.testing.assert_allclose(found.half_ht, np.sqrt(pt2 + masses[2:] ** 2).sum(axis=1) / 2, rtol=1e-12)
    looser = JetCuts(cuts.pt_min * (1 - 1e-9), cuts.eta_max + 1e-9, cuts.delta_r - 1e-9)
    assert looser.passed(p[:, 2:], process).all()


@pytest.mark.parametrize("text", MAPPED)
def test_instruction_sets_agree_bit_for_bit(text):
    found = [drawn_from(text, points=3001, on=on) for on in SETS]
    for name in ("rows", "momenta", "x", "volume", "half_ht", "guide"):
        for other in found[1:]:
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("d d~ > z g g g g", "da0524ccf64d7610"),
        ("d g > z d g", "acc033eda49c6219"),
        ("g g > g g g", "18a4dcb1973b8df1"),
        ("g g > t t~ g", "225d997663cffe12"),
    ],
)
def test_version_1_makes_the_points_that_it_made(text, digest):
    """Digests of commit a1fd1e3, before there was a second version."""
    events = JetMap(parse_process(text), ENERGY, USUAL, version="jets 1")
    rng = np.random.default_rng(1)
    cube = rng.random((4000, events.axes))
    found = events.candidates(cube, events.choices(rng, 4000), VegasGrid.flat(events.axes))
    assert hashlib.sha256(found.momenta.tobytes() + found.volume.tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("text", ["d d~ > z g g g", "d g > z d g g"])
def test_hard_jets_that_recoil_against_each_other_are_no_rare_events(text):
    """Beside a soft Z they are far from what the transverse momenta of jets alone, each with its own azimuth, do."""
    seen = {}
    for version in VERSIONS:
        sampler = replace(sampler_of(text), jets=version)
        rng = np.random.default_rng(4)
        drawn, tried = sampler.draw(rng, 60_000, sampler.adapt(rng), False, lambda: None)
        pt = np.sort(np.hypot(drawn.momenta[:, 3:, 1], drawn.momenta[:, 3:, 2]), axis=1)
        hard = (pt[:, -2] > 300) & (np.hypot(drawn.momenta[:, 2, 1], drawn.momenta[:, 2, 2]) < 100)
        weight = drawn.weight[hard]
        seen[version] = weight.sum() / tried, weight.sum() ** 2 / (weight**2).sum() / tried
    (_, now), (_, before) = (seen[version] for version in VERSIONS)
    assert now > 5 * before, seen


@pytest.mark.parametrize("end", [0.0, 1e-300, 0.5, np.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("text", ["d d~ > z g g", "d g > z d g", "g g > g g g"])
def test_events_at_the_ends_of_the_cube(rng, text, end):
    events = JetMap(parse_process(text), ENERGY, USUAL)
    cube = rng.random((20_000, events.axes))
    cube[np.arange(20_000), rng.integers(0, events.axes, 20_000)] = end
    found = events.candidates(cube, events.choices(rng, 20_000), VegasGrid.flat(events.axes))
    assert len(found.rows) > 100
    for values in (found.momenta, found.x, found.volume, found.guide):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("cuts", [HARD, JetCuts(30.0, 4.0, 1.5)])
@pytest.mark.parametrize("text", ["d d~ > z g g", "d g > z d g", "g g > g g g", "g g > d d~ g", "g g > t t~ g"])
def test_phase_space_is_that_of_madspace(text, cuts):
    """|M|^2 = 1: the volume with densities and couplings, where neither map nor guide is of any help."""
    volumes = []
    for jets in (True, False):
        sampler = sampler_of(text, cuts, Constant, jets)
        drawn, tried = sampler.draw(
            np.random.default_rng(3), 150_000, Adaptation(VegasGrid.flat(sampler.map.axes), 1.0), False, lambda: None
        )
        volumes.append(mean_and_error(drawn.weight, tried))
    compare(*volumes, precision=0.06)


def test_cuts_on_jets_that_only_rapidity_keeps_apart():
    """Delta R beyond pi."""
    found, cuts = drawn_from("d d~ > z g g", JetCuts(20.0, 5.0, 3.5)), JetCuts(20.0, 5.0, 3.5)
    process = parse_process("d d~ > z g g")
    everything = drawn_from("d d~ > z g g", JetCuts(20.0, 5.0, 1e-6))
    passed = everything.rows[cuts.passed(everything.momenta[:, 2:], process)]
    np.testing.assert_array_equal(found.rows, passed)
    assert len(passed) > 500


def strings(order_of, p, closed):
    """Sum over the orders of gluons between two ends of products of 1 / (p_a.p_b), (n,)."""
    first, *gluons, last = order_of
    metric = np.array([1.0, -1.0, -1.0, -1.0])
    total = np.zeros(len(p))
    for order in itertools.permutations(gluons):
        line = (first, *order, first if closed else last)
        total += 1 / np.prod([np.abs((p[:, a] * p[:, b]) @ metric) for a, b in itertools.pairwise(line)], axis=0)
    return total


@pytest.mark.parametrize("text", ["g g > g g", "g g > g g g g"])
def test_guides_of_gluons_are_sums_over_orders(text):
    """Those of Parke and Taylor: sum of (p_i.p_j)^4 times the sum over orders of 1 / ((p_1.p_2) ... (p_n.p_1))."""
    found = drawn_from(text)
    p, legs = found.momenta, found.momenta.shape[1]
    metric = np.array([1.0, -1.0, -1.0, -1.0])
    fourth = sum(((p[:, i] * p[:, j]) @ metric) ** 4 for i, j in itertools.combinations(range(legs), 2))
    np.testing.assert_allclose(found.guide, fourth * strings([*range(legs), 0], p, True), rtol=1e-5)


@pytest.mark.parametrize("text", ["d d~ > g g g", "d g > d g g", "g g > d d~ g"])
def test_guides_of_a_quark_line_are_sums_over_orders(text):
    found, process = drawn_from(text), parse_process(text)
    p, metric = found.momenta, np.array([1.0, -1.0, -1.0, -1.0])
    one, two = (leg for leg, particle in enumerate(process.legs) if particle.kind != "gluon")
    gluons = [leg for leg, particle in enumerate(process.legs) if particle.kind == "gluon"]
    a, b = (np.abs(np.einsum("nlc,nc,c->nl", p[:, gluons], p[:, end], metric)) for end in (one, two))
    above = (a * b * (a**2 + b**2)).sum(axis=1) / np.abs((p[:, one] * p[:, two]) @ metric)
    np.testing.assert_allclose(found.guide, above * strings([one, *gluons, two], p, False), rtol=1e-5)


@pytest.mark.parametrize(("text", "spread"), [("d d~ > z g g g", 10), ("d g > z d g g", 20)])
def test_the_guide_is_like_the_amplitude(text, spread):
    """Where the cross section is, over orders of magnitude of the amplitude."""
    sampler = sampler_of(text)
    rng = np.random.default_rng(2)
    grid = sampler.adapt(rng).grid
    cube = rng.random((30_000, grid.axes))
    found = sampler.map.candidates(cube, sampler.map.choices(rng, 30_000), grid)
    amplitude = sampler.provider.evaluate(found.momenta)
    ratio, order = amplitude / found.guide, np.argsort(amplitude / found.guide)
    reached = np.cumsum((found.volume * amplitude)[order])
    low, high = (ratio[order][np.searchsorted(reached, share * reached[-1])] for share in (0.01, 0.99))
    assert high / low < spread
    assert np.ptp(np.log10(np.quantile(amplitude, [0.01, 0.99]))) > 2


def test_gluons_are_exchanged_at_random():
    found = drawn_from("d d~ > z g g g", points=60_000)
    pt = np.hypot(found.momenta[:, 3:, 1], found.momenta[:, 3:, 2])
    first = [np.mean(pt.argmax(axis=1) == leg) for leg in range(3)]
    np.testing.assert_allclose(first, 1 / 3, atol=0.01)
    rapidity = np.arctanh(found.momenta[:, 3:, 3] / found.momenta[:, 3:, 0])
    orders = np.unique(np.argsort(rapidity, axis=1), axis=0, return_counts=True)[1] / len(pt)
    np.testing.assert_allclose(orders, 1 / 6, atol=0.01)


# --- cross sections ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "error"), [("d d~ > z g g g g", 2.930, 0.004), ("d g > z d g g g", 129.8, 0.4)]
)
def test_reference_cross_sections(text, value, error):
    compare(adapted_cross_section(sampler_of(text), 15, 250_000), (value, error), 0.03)


@pytest.mark.parametrize("text", ["d d~ > z g g", "d g > z d g", "g d~ > z d~ g"])
def test_cross_sections_of_either_map(text):
    compare(*(adapted_cross_section(sampler_of(text, jets=jets), 12, 60_000) for jets in (True, False)), precision=0.03)


@pytest.fixture(scope="module")
def jets3():
    """d d~ > z g g g, adapted with thinning, and 60 000 points of either kind.  Read only."""
    sampler = sampler_of("d d~ > z g g g")
    adaptation = sampler.adapt(np.random.default_rng(8), TAIL, thin=True)
    rng = np.random.default_rng(9)
    thinned = sampler.draw(rng, 60_000, adaptation, False, lambda: None)
    whole = sampler.draw(rng, 200_000, replace(adaptation, thin=0.0), False, lambda: None)
    return sampler, adaptation, thinned, whole


def test_thinning_changes_no_distribution(jets3):
    _, _, thinned, whole = jets3
    observables = {
        "H_T": lambda p: np.hypot(p[:, 3:, 1], p[:, 3:, 2]).sum(axis=1),
        "pT of Z": lambda p: np.hypot(p[:, 2, 1], p[:, 2, 2]),
        "m_jj": lambda p: (p[:, 3, 0] + p[:, 4, 0]) ** 2 - ((p[:, 3, 1:] + p[:, 4, 1:]) ** 2).sum(axis=1),
        "rapidity": lambda p: np.log(p[:, 0, 0] / p[:, 1, 0]),
        "first gluon": lambda p: np.hypot(p[:, 3, 1], p[:, 3, 2]),
    }
    for name, observable in observables.items():
        values = [observable(drawn.momenta) for drawn, _ in (thinned, whole)]
        edges = np.quantile(values[0], np.linspace(0, 1, 13)[1:-1])
        chi2 = 0.0
        bins = [np.searchsorted(edges, v) for v in values]
        for number in range(len(edges) + 1):
            one, other = (
                mean_and_error(drawn.weight[chosen == number], tried)
                for (drawn, tried), chosen in zip((thinned, whole), bins, strict=True)
            )
            chi2 += (one[0] - other[0]) ** 2 / (one[1] ** 2 + other[1] ** 2)
        assert chi2 < 33, name  # of 12 bins: 1 in 1000


def test_thinning_saves_exact_amplitudes(jets3):
    _, adaptation, (thinned, tried), (whole, all_tried) = jets3
    assert adaptation.thin > 0
    compare(mean_and_error(thinned.weight, tried), mean_and_error(whole.weight, all_tried), 0.03)
    worth = [drawn.weight.sum() ** 2 / (drawn.weight**2).sum() / len(drawn.weight) for drawn in (thinned, whole)]
    assert worth[0] > 2 * worth[1]


def test_unweighted_events(jets3):
    sampler, adaptation, _, (whole, all_tried) = jets3
    drawn, tried = sampler.draw(np.random.default_rng(10), 20_000, adaptation, True, lambda: None)
    compare(mean_and_error(drawn.weight, tried), mean_and_error(whole.weight, all_tried), 0.03)
    assert (drawn.weight >= adaptation.w_max).all()
    share = (drawn.weight - adaptation.w_max).sum() / drawn.weight.sum()
    assert sampler.overweight / 3 < share < 3 * sampler.overweight
    again, _ = sampler.draw(np.random.default_rng(10), 9000, adaptation, True, lambda: None)
    np.testing.assert_array_equal(again.momenta, drawn.momenta[:9000])


def test_a_cube_of_any_length(rng):
    """The last vector may be filled in part."""
    events = JetMap(parse_process("d d~ > z g g"), ENERGY, USUAL)
    cube, choices, grid = rng.random((77, events.axes)), events.choices(rng, 77), VegasGrid.flat(events.axes)
    whole, part = (events.candidates(cube[:n], choices[:n], grid) for n in (77, 60))
    np.testing.assert_array_equal(part.momenta, whole.momenta[whole.rows < 60])
    with pytest.raises(ValueError, match="another shape"):
        events.candidates(cube[:, 1:], choices, grid)
    with pytest.raises(ValueError, match="labels of other events"):
        events.candidates(cube, choices[:5], grid)
    assert BLOCK % 8 == 0
