"""Hadron collisions against independent integrations: phase space, weights, cross sections, unweighting."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from cross_sections import adapted_cross_section, compare, mean_and_error
from quick import ROUND_BLOCKS, quick_adaptation

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import IntegrityError, UsageError
from ampcli.kinematics import with_beams
from ampcli.phasespace import hadron_sampler
from ampcli.phasespace.colour_chain import ChainMap, chain
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.hadron_sampler import BLOCK, TAIL, Adaptation, HadronSampler, excess_threshold
from ampcli.phasespace.partons import density, find_pdf
from ampcli.phasespace.rambo import flat_volume, rambo
from ampcli.phasespace.running_coupling import running_alpha_s
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import parse_process

pytest.importorskip("madspace")

ENERGY = 13000.0
USUAL = JetCuts(20.0, 5.0, 0.4)
HARD = JetCuts(80.0, 3.0, 0.7)
ALPHA_S, AT_Z = 0.118, 0.130
GEV2_PB = 0.389379e9
PDF = find_pdf("NNPDF23_lo_as_0130_qed")


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    with quick_adaptation():
        yield


class Constant:
    """A provider of |M|^2 = 1 GeV^(4 - 2 n_final), for any process."""

    def __init__(self, process):
        self.process = process

    def evaluate(self, momenta):
        return np.ones(len(momenta))


def sampler_of(text, cuts=USUAL, scale=None, provider=Native):
    process = parse_process(text)
    return HadronSampler(process, provider(process), ALPHA_S, ENERGY, cuts, scale, PDF, AT_Z, 0.003)


def jets_of(process, momenta):
    """Momenta of the massless coloured outgoing legs, component first: (4, jets, n)."""
    places = [i for i in range(2, process.n_external) if process.legs[i].kind in ("quark", "antiquark", "gluon")]
    return np.moveaxis(momenta[:, places], (0, 1, 2), (2, 1, 0))


def within(process, momenta, cuts, tolerance=0.0):
    """Which events pass the cuts."""
    _, x, y, z = jets_of(process, momenta)
    pt, phi = np.hypot(x, y), np.arctan2(y, x)
    eta = np.arcsinh(z / pt)
    good = (pt > cuts.pt_min * (1 - tolerance)).all(axis=0) & (np.abs(eta) < cuts.eta_max + tolerance).all(axis=0)
    for i in range(len(pt)):
        for j in range(i):
            turn = (phi[i] - phi[j] + math.pi) % (2 * math.pi) - math.pi
            good &= np.hypot(eta[i] - eta[j], turn) > cuts.delta_r - tolerance
    return good


def half_ht(process, momenta):
    """Half the sum of all outgoing transverse masses."""
    total = np.zeros(len(momenta))
    for leg in range(2, process.n_external):
        _, x, y, _ = momenta[:, leg].T
        total += np.sqrt(process.legs[leg].mass ** 2 + x**2 + y**2) / 2
    return total


def boosted(momenta, boost, energy, mass):
    """Momenta (n, legs, 4) from where their sum is (mass, 0) to where it is (energy, boost)."""
    along = (momenta[..., 1:] * boost[:, None]).sum(axis=2)
    e = (momenta[..., 0] * energy[:, None] + along) / mass[:, None]
    shift = (along / (energy + mass)[:, None] + momenta[..., 0]) / mass[:, None]
    return np.concatenate([e[..., None], momenta[..., 1:] + boost[:, None] * shift[..., None]], axis=2)


def decays(rng, masses, total):
    """n-body phase space by a chain of two-body decays of uniform masses (F. James, CERN 68-15): momenta, weights."""
    n, events = len(masses), len(total)
    lowest = np.cumsum(masses)
    room = total - lowest[-1]
    steps = np.sort(rng.random((events, n - 2)), axis=1)
    inner = [np.full(events, lowest[0]), *(lowest[k] + steps[:, k - 1] * room for k in range(1, n - 1)), total]
    weight = room ** (n - 2) / math.factorial(n - 2)
    momenta = np.zeros((events, 1, 4))
    momenta[:, 0, 0] = masses[0]
    for k in range(1, n):
        m, light = inner[k], inner[k - 1]
        p = np.sqrt((m**2 - (light + masses[k]) ** 2) * (m**2 - (light - masses[k]) ** 2)) / (2 * m)
        weight = weight * p / (4 * math.pi * m)
        if k < n - 1:
            weight = weight * m / math.pi  # dm^2 / (2 pi)
        cos, phi = rng.uniform(-1, 1, events), rng.uniform(0, 2 * math.pi, events)
        sin = np.sqrt(1 - cos**2)
        direction = p[:, None] * np.stack([sin * np.cos(phi), sin * np.sin(phi), cos], axis=1)
        energy = np.sqrt(p**2 + light**2)
        if k == 1:
            older = np.concatenate([energy[:, None], direction], axis=1)[:, None]  # a leg, perhaps massless
        else:
            older = boosted(momenta, direction, energy, light)
        newer = np.concatenate([np.sqrt(p**2 + masses[k] ** 2)[:, None], -direction], axis=1)[:, None]
        momenta = np.concatenate([older, newer], axis=1)
    return momenta, weight


def flat(rng, n_final, total):
    """The same by RAMBO, massless."""
    momenta = np.ascontiguousarray(rambo(rng.random((len(total), n_final, 4)), 1.0)) * total[:, None, None]
    return momenta, flat_volume(n_final, 1.0) * total ** (2 * n_final - 4)


def independent(rng, process, cuts, points, method="decays", slope=0.0):
    """Momenta, x and weights of dx1 dx2 dPhi, without madspace; the mean over `points` integrates.

    Both x have the density x^(slope - 1), above the smallest x1 x2 that there can be.
    """
    masses = np.array(process.final_masses)
    lowest = ((masses.sum() + cuts.pt_min) / ENERGY) ** 2
    u = rng.random((points, 2))
    if slope == 0:
        x = lowest**u
        jacobian = math.log(lowest) ** 2 * x.prod(axis=1)
    else:
        x = u ** (1 / slope)
        jacobian = x.prod(axis=1) ** (1 - slope) / slope**2
    kept = np.flatnonzero(x.prod(axis=1) > lowest)
    x, jacobian = x[kept], jacobian[kept]
    total = ENERGY * np.sqrt(x.prod(axis=1))
    momenta, volume = flat(rng, len(masses), total) if method == "flat" else decays(rng, masses, total)
    difference, energy = (x[:, 0] - x[:, 1]) * ENERGY / 2, (x[:, 0] + x[:, 1]) * ENERGY / 2
    momenta = boosted(momenta, np.stack([0 * energy, 0 * energy, difference], axis=1), energy, total)
    full = with_beams(momenta)
    good = within(process, full, cuts)
    return full[good], x[good], (jacobian * volume)[good]


def chain_events(text, cuts, points, seed):
    """Momenta, x, weights of points tried through the map."""
    events = ChainMap(parse_process(text), ENERGY, cuts)
    rng = np.random.default_rng(seed)
    branch = rng.integers(0, 2, (points, events.branches), dtype=np.int32)
    return events.events(rng.random((points, events.axes)), branch)


# --- the order of the legs --------------------------------------------------------------------------------------


def test_known_chains():
    assert chain(parse_process("d d~ > z g g g g")) == [0, 3, 4, 5, 6, 1, 2]
    assert chain(parse_process("d g > z d g g g")) == [0, 4, 2, 3, 5, 6, 1]
    assert chain(parse_process("g d > z d g g g")) == [0, 5, 6, 3, 2, 4, 1]


BEAMS = ["d d~ > z", "d~ d > z", "d u~ > w-", "d g > z d", "g u > z u", "d~ g > z d~", "g d~ > d~ z", "g g > z d d~"]
BEAMS += ["d d~ > e- e+", "g g > b~ b z h", "g g > d d~", "d d > d d", "u d > u d z", "d d~ > z z", "g g > t t~"]


ALL = [process for beams in BEAMS for n in range(5) if (process := parse_process(beams + " g" * n)).n_final > 1]


@pytest.mark.parametrize("process", ALL, ids=str)
def test_chains_hold_every_leg_once(process):
    order = chain(process)
    assert sorted(order) == list(range(process.n_external))
    assert order[0] == 0
    colourless = [i for i, leg in enumerate(process.legs) if leg.kind not in ("quark", "antiquark", "gluon")]
    if "g" not in (process.incoming[0].name, process.incoming[1].name):
        assert order[order.index(1) + 1 :] == colourless  # all partons between the beams
    else:
        assert order[-1] == 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("e- e+ > d d~ g", "no partons in both beams"),
        ("e- d > e- d", "no partons in both beams"),
        ("d e+ > d e+", "no partons in both beams"),
        ("a g > d d~", "no partons in both beams"),
        ("d d~ > z", "one outgoing particle"),
    ],
)
def test_processes_without_a_chain(text, match):
    with pytest.raises(UsageError, match=match) as refused:
        chain(parse_process(text))
    assert f'"{text}"' in refused.value.what
    assert refused.value.hint


# --- events of the map ------------------------------------------------------------------------------------------

MAPPED = ["d d~ > z g", "d d~ > z g g g g", "d g > z d g g g", "g d~ > z d~ g", "g g > g g g", "g g > z d d~ g"]


@pytest.mark.parametrize("cuts", [USUAL, HARD])
@pytest.mark.parametrize("text", MAPPED)
def test_events_are_physical_and_within_the_cuts(text, cuts):
    process = parse_process(text)
    kept, p, x, weight = chain_events(text, cuts, 20_000, 1)
    assert len(kept) == len(p) == len(x) == len(weight) > 1000
    assert p.shape[1:] == (process.n_external, 4)
    assert p.flags.c_contiguous
    assert (np.diff(kept) > 0).all()
    assert 0 <= kept[0] <= kept[-1] < 20_000
    assert np.isfinite(weight).all()
    assert (weight > 0).all()
    assert ((x > 0) & (x <= 1)).all()
    energy2 = p[..., 0] ** 2
    masses = np.array([leg.mass for leg in process.legs])
    off_shell = np.abs(energy2 - (p[..., 1:] ** 2).sum(axis=2) - masses**2) / energy2
    assert off_shell.max() < 1e-9
    assert (p[..., 0] > 0).all()
    imbalance = np.abs(p[:, :2].sum(axis=1) - p[:, 2:].sum(axis=1)).max(axis=1)
    assert (imbalance < 1e-9 * p[:, :2, 0].sum(axis=1)).all()
    assert np.abs(p[:, :2, 1:3]).max() == 0
    np.testing.assert_allclose(p[:, :2, 3], p[:, :2, 0] * [1, -1], rtol=1e-12)
    np.testing.assert_allclose(2 * p[:, :2, 0] / ENERGY, x, rtol=1e-9)
    assert within(process, p, cuts, tolerance=1e-9).all()


@pytest.mark.parametrize("text", MAPPED)
def test_jets_come_close_to_the_cuts(text):
    """Cuts are where they should be, not inside."""
    process = parse_process(text)
    _, p, _, _ = chain_events(text, HARD, 100_000, 2)
    assert not within(process, p, replace(HARD, pt_min=1.02 * HARD.pt_min)).all()
    assert not within(process, p, replace(HARD, eta_max=0.98 * HARD.eta_max)).all()
    if process.n_jets > 1:
        assert not within(process, p, replace(HARD, delta_r=1.05 * HARD.delta_r)).all()


@pytest.mark.parametrize("text", ["d d~ > z g g", "d g > z d g", "g g > g g g"])
@pytest.mark.parametrize("end", [0.0, 1e-300, 0.5, np.nextafter(1.0, 0.0)])
def test_events_at_the_ends_of_the_cube(rng, text, end):
    events = ChainMap(parse_process(text), ENERGY, USUAL)
    random = rng.random((20_000, events.axes))
    random[np.arange(20_000), rng.integers(0, events.axes, 20_000)] = end
    kept, p, x, weight = events.events(random, rng.integers(0, 2, (20_000, events.branches), dtype=np.int32))
    assert len(kept) > 100
    for found in (p, x, weight):
        assert np.isfinite(found).all()


# --- the volume of phase space ----------------------------------------------------------------------------------


def soft(process, p):
    return np.exp(-half_ht(process, p) / 200) / (p[:, 0, 0] * p[:, 1, 0])


def forward(process, p):
    return p[:, 0, 0] ** 2 / p[:, 1, 0]


def everything(process, p):
    return np.ones(len(p))


def test_two_bodies_on_a_grid():
    """x1, x2 and cos(theta) on a grid: the formula of two-body phase space, by the midpoint rule."""
    cuts, m = JetCuts(300.0, 2.5, 0.4), 91.188
    middle = (np.arange(240) + 0.5) / 240
    x1, x2, u = np.meshgrid(middle, middle, middle, indexing="ij", sparse=True)
    s = x1 * x2 * ENERGY**2
    p = np.maximum(s - m**2, 0) / (2 * np.sqrt(s))
    cos = 2 * u - 1
    eta = np.arctanh(cos) + np.log(x1 / x2) / 2
    good = (p * np.sqrt(1 - cos**2) > cuts.pt_min) & (np.abs(eta) < cuts.eta_max)
    exact = (good * (1 - m**2 / s) / (8 * math.pi)).mean()
    found = mean_and_error(chain_events("d d~ > z g", cuts, 400_000, 3)[3], 400_000)
    compare(found, (exact, 2e-4 * exact), 0.01)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("d d~ > z g", "decays"),
        ("d g > z d", "decays"),
        ("g d > z d", "decays"),
        ("d d~ > z g g", "decays"),
        ("d g > z d g", "decays"),
        ("g d~ > g z d~", "decays"),
        ("g g > d d~ z", "decays"),
        ("g g > g g g", "flat"),
        ("g g > g g g", "decays"),
        ("d d~ > g g g", "flat"),
        ("u d > u d g", "flat"),
        ("g g > g g g g", "flat"),
    ],
)
def test_volume_of_phase_space(text, method):
    process, cuts = parse_process(text), JetCuts(60.0, 4.0, 0.5)
    tried = 400_000
    _, p, _, weight = chain_events(text, cuts, tried, 4)
    q, _, plain_weight = independent(np.random.default_rng(5), process, cuts, tried, method, slope=0.5)
    for observable in (soft, forward, everything):
        found = mean_and_error(weight * observable(process, p), tried)
        plain = mean_and_error(plain_weight * observable(process, q), tried)
        compare(found, plain, 0.012 if process.n_final < 4 else 0.02)


# --- weights ----------------------------------------------------------------------------------------------------


def by_hand(text, p, x, volume, scale=None, provider=Constant):
    """dsigma in pb of events whose first parton comes from the first proton, written out; and |M|^2."""
    process = parse_process(text)
    scale = half_ht(process, p) if scale is None else np.full(len(p), scale)
    f1, f2 = (density(PDF, leg.pdg, x[:, i], scale) for i, leg in enumerate(process.incoming))
    power = process.n_final - ("z" in text)
    square = provider(process).evaluate(p)
    coupling = (running_alpha_s(scale, AT_Z) / ALPHA_S) ** power
    return volume * f1 * f2 * coupling * square * GEV2_PB / (2 * x.prod(axis=1) * ENERGY**2), square


@pytest.mark.parametrize("scale", [None, 91.188])
@pytest.mark.parametrize(
    ("text", "assignments"),
    [("d d~ > z g g", 2), ("d g > z d g g", 2), ("g u~ > z u~ g", 2), ("g g > g g g", 1), ("g g > z d d~", 1)],
)
def test_weights_by_hand(text, assignments, scale):
    sampler = sampler_of(text, scale=scale, provider=Constant)
    rng = np.random.default_rng(6)
    random, branch = rng.random((5000, sampler.map.axes)), sampler.map.choices(rng, 5000)
    rows, drawn = sampler.integrand(random, branch, VegasGrid.flat(sampler.map.axes))
    kept, p, x, volume = sampler.map.events(random, branch)
    np.testing.assert_array_equal(rows, kept)
    np.testing.assert_array_equal(drawn.momenta, p)
    np.testing.assert_array_equal(drawn.x, x)
    expected, square = by_hand(text, p, x, volume, scale)
    np.testing.assert_array_equal(drawn.amplitude, square)
    np.testing.assert_allclose(drawn.weight, assignments * expected, rtol=1e-5)  # the unit pb has digits


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("d d~ > z g", 1),
        ("d d~ > z g g g g", 4),
        ("d g > z d g g g", 4),
        ("g g > z d d~", 2),
        ("g g > g g g", 3),
        ("u d > u d", 2),
        ("d d~ > z h", 0),
        ("d d~ > a g g", 2),
        ("g g > t t~ g", 3),
        ("d d~ > e- e+ g", 1),
    ],
)
def test_power_of_the_coupling(text, power):
    assert parse_process(text).alpha_s_power == power


def test_amplitudes_are_those_of_the_provider(jets2):
    sampler, adaptation = jets2
    drawn, _ = sampler.draw(np.random.default_rng(7), 3000, adaptation, False, lambda: None)
    np.testing.assert_array_equal(drawn.amplitude, sampler.provider.evaluate(drawn.momenta))
    np.testing.assert_allclose(2 * drawn.momenta[:, :2, 0] / ENERGY, drawn.x, rtol=1e-9)
    np.testing.assert_allclose(with_beams(drawn.momenta[:, 2:]), drawn.momenta, rtol=1e-9, atol=1e-6)


# --- cross sections ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jets2():
    """d d~ > z g g, adapted.  Read only."""
    sampler = sampler_of("d d~ > z g g")
    return sampler, sampler.adapt(np.random.default_rng(8), TAIL)


@pytest.fixture(scope="module")
def weighted(jets2):
    """100 000 weighted events and how many points were tried."""
    sampler, adaptation = jets2
    return sampler.draw(np.random.default_rng(9), 100_000, adaptation, False, lambda: None)


@pytest.fixture(scope="module")
def unweighted(jets2):
    """30 000 unweighted events and how many points were tried."""
    sampler, adaptation = jets2
    return sampler.draw(np.random.default_rng(10), 30_000, adaptation, True, lambda: None)


def average(values, weights):
    """Weighted mean and its error."""
    mean = (values * weights).sum() / weights.sum()
    return mean, math.sqrt((weights**2 * (values - mean) ** 2).sum()) / weights.sum()


@pytest.mark.parametrize(
    ("text", "exchanged"), [("d d~ > z g", "d~ d > z g"), ("d d~ > z g g", "d~ d > z g g"), ("d g > z d", "g d > z d")]
)
def test_cross_section_without_madspace(text, exchanged):
    """Both assignments of partons to protons, each with its own amplitude, over plain phase space."""
    cuts, tried = JetCuts(100.0, 3.0, 0.7), 1_000_000
    p, x, volume = independent(np.random.default_rng(11), parse_process(text), cuts, tried)
    plain = by_hand(text, p, x, volume, None, Native)[0] + by_hand(exchanged, p, x, volume, None, Native)[0]
    found = adapted_cross_section(sampler_of(text, cuts), 12, 50_000)
    compare(found, mean_and_error(plain, tried), 0.02)


def test_cross_section_without_adaptation(jets2, weighted):
    sampler, _ = jets2
    flat_grid = Adaptation(VegasGrid.flat(sampler.map.axes), 1.0)
    drawn, tried = sampler.draw(np.random.default_rng(13), 500_000, flat_grid, False, lambda: None)
    plain, adapted = mean_and_error(drawn.weight, tried), mean_and_error(weighted[0].weight, weighted[1])
    compare(plain, adapted, 0.02)
    assert adapted[1] ** 2 * weighted[1] < plain[1] ** 2 * tried / 4  # what adapting is for


def test_exchanged_beams_give_the_same():
    one, other = (adapted_cross_section(sampler_of(text), 14, 50_000) for text in ("d g > z d g", "g d > z d g"))
    compare(one, other, 0.02)


@pytest.fixture(scope="module", params=[("d d~ > z g g g g", 2.930, 0.004), ("d g > z d g g g", 129.8, 0.4)])
def reference(request):
    """A process of four jets' result, and an independent program's."""
    text, value, error = request.param
    with quick_adaptation(round_blocks=8):  # as `gen` does it, for errors below 1 %
        return adapted_cross_section(sampler_of(text), 15, 200_000), (value, error)


def test_reference_cross_sections(reference):
    compare(*reference, precision=0.01)


# --- unweighting ------------------------------------------------------------------------------------------------


def test_weighted_and_unweighted_agree(jets2, weighted, unweighted):
    sampler, _ = jets2
    (one, one_tried), (other, other_tried) = weighted, unweighted
    compare(mean_and_error(one.weight, one_tried), mean_and_error(other.weight, other_tried), 0.02)
    for observable in (
        lambda drawn: 2 * half_ht(sampler.process, drawn.momenta),
        lambda drawn: np.abs(np.log(drawn.x[:, 0] / drawn.x[:, 1])),
        lambda drawn: np.hypot(drawn.momenta[:, 2, 1], drawn.momenta[:, 2, 2]),
    ):
        compare(average(observable(one), one.weight), average(observable(other), other.weight), 0.02)


def test_unweighted_events(jets2, unweighted):
    _, adaptation = jets2
    drawn, tried = unweighted
    for found, shape in ((drawn.momenta, (5, 4)), (drawn.x, (2,)), (drawn.amplitude, ()), (drawn.weight, ())):
        assert found.shape == (30_000, *shape)
    assert (drawn.weight >= adaptation.w_max).all()
    assert 0.97 < (drawn.weight == adaptation.w_max).mean() < 1
    assert tried > 30_000
    assert drawn.weight.sum() ** 2 / (drawn.weight**2).sum() > 0.98 * 30_000


def test_share_of_the_excess(jets2, weighted, unweighted):
    sampler, adaptation = jets2
    excess = np.maximum(weighted[0].weight - adaptation.w_max, 0).sum() / weighted[0].weight.sum()
    assert sampler.overweight / 2 < excess < 2 * sampler.overweight
    weight = unweighted[0].weight
    assert sampler.overweight / 2 < (weight - adaptation.w_max).sum() / weight.sum() < 2 * sampler.overweight


def test_unweighted_events_are_a_subset_of_the_tried_ones(jets2):
    sampler, adaptation = jets2
    rng = np.random.default_rng(16)
    grid = adaptation.grid
    random = rng.random((BLOCK, grid.axes))
    kept, tried_ones = sampler.integrand(random, sampler.map.choices(rng, BLOCK), grid)
    full = tried_ones.weight
    accepted = np.flatnonzero(full > adaptation.w_max * rng.random(len(kept)))[:100]
    drawn, tried = sampler.draw(np.random.default_rng(16), 100, adaptation, True, lambda: None)
    np.testing.assert_array_equal(drawn.momenta, tried_ones.momenta[accepted])
    np.testing.assert_array_equal(drawn.amplitude, tried_ones.amplitude[accepted])
    np.testing.assert_array_equal(drawn.weight, np.maximum(full[accepted], adaptation.w_max))
    assert tried == kept[accepted[-1]] + 1


@pytest.mark.parametrize("text", ["d d~ > z g", "d g > z d g"])
def test_weighted_events_follow_the_stream(text):
    sampler = sampler_of(text)
    adaptation = Adaptation(VegasGrid.flat(sampler.map.axes), 1.0)
    rng, rows = np.random.default_rng(17), 12_000
    momenta, weights, indices = [], [], []
    for block in range(3):
        random = rng.random((BLOCK, sampler.map.axes))
        kept, events = sampler.integrand(random, sampler.map.choices(rng, BLOCK), adaptation.grid)
        momenta.append(events.momenta)
        weights.append(events.weight)
        indices.append(kept + block * BLOCK)
    drawn, tried = sampler.draw(np.random.default_rng(17), rows, adaptation, False, lambda: None)
    np.testing.assert_array_equal(drawn.momenta, np.concatenate(momenta)[:rows])
    np.testing.assert_allclose(drawn.weight, np.concatenate(weights)[:rows], rtol=1e-12)
    assert tried == np.concatenate(indices)[rows - 1] + 1


@pytest.mark.parametrize("unweight", [False, True])
def test_the_same_seed_gives_the_same_events(jets2, unweight):
    sampler, adaptation = jets2

    def events(seed, rows, of=sampler):
        return of.draw(np.random.default_rng(seed), rows, adaptation, unweight, lambda: None)

    one, tried = events(18, 2000)
    other, tried_again = events(18, 2000, of=replace(sampler))  # a map of its own
    longer, tried_longer = events(18, 9000)
    for name in ("momenta", "x", "amplitude", "weight"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(getattr(one, name), getattr(longer, name)[:2000])
    assert tried == tried_again < tried_longer
    assert not np.isin(events(19, 2000)[0].amplitude, one.amplitude).any()


def test_the_same_seed_gives_the_same_adaptation():
    sampler = sampler_of("d d~ > z g")
    one, again, other = (sampler.adapt(np.random.default_rng(seed)) for seed in (20, 20, 21))
    np.testing.assert_array_equal(one.grid.edges, again.grid.edges)
    assert one.w_max == again.w_max
    assert np.abs(one.grid.edges - other.grid.edges).max() > 0
    assert one.w_max != other.w_max


def test_a_fixed_scale_changes_only_the_weights(jets2):
    sampler, adaptation = jets2
    fixed = replace(sampler, scale=91.188)
    (one, one_tried), (other, other_tried) = (
        of.draw(np.random.default_rng(22), 5000, adaptation, False, lambda: None) for of in (sampler, fixed)
    )
    assert one_tried == other_tried
    for name in ("momenta", "x", "amplitude"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    factors = []
    for scale in (half_ht(sampler.process, one.momenta), np.full(5000, 91.188)):
        partons = density(PDF, 1, one.x[:, 0], scale) * density(PDF, -1, one.x[:, 1], scale)
        factors.append(partons * running_alpha_s(scale, AT_Z) ** 2)
    np.testing.assert_allclose(other.weight * factors[0], one.weight * factors[1], rtol=1e-12)
    assert np.abs(other.weight - one.weight).sum() > 0.03 * one.weight.sum()


# --- the weight above which events keep it ----------------------------------------------------------------------


def excess_of(weights, w_max):
    return np.maximum(weights - w_max, 0).sum() / weights.sum()


@pytest.mark.parametrize("share", [1e-6, 1e-3, 0.003, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("sigma", [0.01, 1.0, 3.0])
def test_excess_threshold(rng, share, sigma):
    weights = np.exp(sigma * rng.standard_normal(3000))
    low, high = 0.0, weights.max()
    for _ in range(200):  # bisection of the definition
        middle = (low + high) / 2
        low, high = (middle, high) if excess_of(weights, middle) > share else (low, middle)
    found = excess_threshold(weights, share)
    assert found == pytest.approx(high, rel=1e-9)
    assert excess_of(weights, found) == pytest.approx(share, rel=1e-9)
    assert excess_threshold(7 * weights[rng.permutation(3000)], share) == pytest.approx(7 * found, rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "share", "expected"),
    [
        ([5.0], 0.1, 4.5),
        ([2.0, 2.0, 2.0, 2.0], 0.25, 1.5),
        ([1.0, 3.0], 0.25, 2.0),
        ([3.0, 1.0], 0.5, 1.0),
        ([1.0, 3.0], 0.75, 0.5),
        ([0.0, 0.0, 4.0], 0.5, 2.0),
    ],
)
def test_small_excess_thresholds(weights, share, expected):
    assert excess_threshold(np.array(weights), share) == pytest.approx(expected, rel=1e-12)


def test_more_excess_accepts_more_events(jets2):
    sampler, adaptation = jets2
    weights = sampler.draw(np.random.default_rng(23), 20_000, adaptation, False, lambda: None)[0].weight
    thresholds = [excess_threshold(weights, share) for share in (1e-4, 1e-3, 1e-2, 1e-1)]
    assert (np.diff(thresholds) < 0).all()


# --- what is kept, and what is refused --------------------------------------------------------------------------


def test_an_adaptation_is_saved(jets2, tmp_path):
    _, adaptation = jets2
    adaptation.save(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    loaded = Adaptation.load(tmp_path / "a")
    np.testing.assert_array_equal(loaded.grid.edges, adaptation.grid.edges)
    assert loaded.w_max == adaptation.w_max


def test_damaged_adaptations(tmp_path):
    file = tmp_path / "a"
    with pytest.raises(IntegrityError, match="cannot be read"):
        Adaptation.load(file)
    for content in (b"", b"no archive"):
        file.write_bytes(content)
        with pytest.raises(IntegrityError, match="cannot be read") as refused:
            Adaptation.load(file)
        assert str(file) in refused.value.what
    with file.open("wb") as stream:
        np.savez(stream, edges=np.zeros((2, 3)))
    with pytest.raises(IntegrityError, match="cannot be read"):
        Adaptation.load(file)


@pytest.mark.parametrize("cuts", [JetCuts(6600.0, 5.0, 0.4), JetCuts(20.0, 5.0, 20.0), JetCuts(20.0, 1e-9, 0.4)])
def test_cuts_that_nothing_passes(cuts, monkeypatch):
    sampler = sampler_of("d d~ > z g g", cuts)
    rng = np.random.default_rng(24)
    with pytest.raises(UsageError, match=f"0 of {ROUND_BLOCKS * BLOCK} points pass the cuts"):
        sampler.adapt(rng)
    monkeypatch.setattr(hadron_sampler, "HOPELESS", 3)
    nowhere = Adaptation(VegasGrid.flat(sampler.map.axes), 1.0)
    with pytest.raises(UsageError, match=f"none of {3 * BLOCK} points became an event"):
        sampler.draw(rng, 10, nowhere, False, lambda: None)


def test_an_event_is_never_accepted(jets2, monkeypatch):
    sampler, adaptation = jets2
    monkeypatch.setattr(hadron_sampler, "HOPELESS", 3)
    with pytest.raises(UsageError, match="became an event"):
        sampler.draw(np.random.default_rng(25), 10, replace(adaptation, w_max=1e30), True, lambda: None)


def test_every_pass_is_announced(jets2):
    sampler, adaptation = jets2
    announced = []
    _, tried = sampler.draw(np.random.default_rng(26), 12_000, adaptation, False, lambda: announced.append(1))
    assert len(announced) == -(-tried // BLOCK) > 1

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sampler.draw(np.random.default_rng(26), 10, adaptation, False, stop)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_adaptation_is_an_integrity_error(tmp_path, damage):
    file = tmp_path / "adaptation.npz"
    Adaptation(VegasGrid.flat(5), 3.0).save(file)
    assert Adaptation.load(file).w_max == 3.0
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes({"truncated": content[:200], "flipped": content, "empty": b""}[damage])
    with pytest.raises(IntegrityError, match=r"adaptation\.npz"):
        Adaptation.load(file)
