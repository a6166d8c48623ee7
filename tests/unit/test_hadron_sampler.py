"""Hadron collisions against independent integrations: phase space, weights, cross sections, unweighting."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import IntegrityError, UsageError
from ampcli.kinematics import with_beams
from ampcli.phasespace import hadron_sampler
from ampcli.phasespace.colour_chain import ChainMap, JetCuts, chain
from ampcli.phasespace.hadron_sampler import BLOCK, Adaptation, HadronSampler, excess_threshold
from ampcli.phasespace.partons import density, find_pdf, running_alpha_s
from ampcli.phasespace.rambo import flat_volume, rambo
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import parse_process

pytest.importorskip("madspace")

ENERGY = 13000.0
USUAL = JetCuts(20.0, 5.0, 0.4)
HARD = JetCuts(80.0, 3.0, 0.7)
ALPHA_S, AT_Z = 0.118, 0.130
GEV2_PB = 0.389379e9


class Constant:
    """A provider of |M|^2 = 1 GeV^(4 - 2 n_final), for any process."""

    def __init__(self, process):
        self.process = process

    def evaluate(self, momenta):
        return np.ones(len(momenta))


def sampler_of(text, cuts=USUAL, scale=None, provider=Native):
    process = parse_process(text)
    pdf = find_pdf("NNPDF23_lo_as_0130_qed")
    return HadronSampler(process, provider(process), ALPHA_S, ENERGY, cuts, scale, pdf, AT_Z, 0.003)


def jets_of(process, momenta):
    """Momenta of the massless coloured outgoing legs, component first: (4, jets, n)."""
    places = [i for i in range(2, process.n_external) if process.legs[i].kind in ("quark", "antiquark", "gluon")]
    return np.moveaxis(momenta[:, places], (0, 1, 2), (2, 1, 0))


def within(process, momenta, cuts, tolerance=0.0):
    """Which events pass the cuts."""
    e, x, y, z = jets_of(process, momenta)
    del e
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
    """Momenta (n, legs, 4), given where the total is at rest, to where the total is (energy, boost) of this mass."""
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


def independent(rng, process, cuts, points, method="decays", lowest=None):
    """Momenta, x and weights of dx1 dx2 dPhi, without madspace; the mean over `points` integrates."""
    masses = np.array(process.final_masses)
    lowest = (masses.sum() + cuts.pt_min) / ENERGY if lowest is None else lowest
    root = lowest**2  # x1 x2 above this; both uniform in log x
    x = root ** rng.random((points, 2))
    jacobian = math.log(root) ** 2 * x.prod(axis=1)
    total = ENERGY * np.sqrt(x.prod(axis=1))
    kept = np.flatnonzero(total > ENERGY * lowest)
    x, jacobian, total = x[kept], jacobian[kept], total[kept]
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


def mean_and_error(values, tried):
    mean = values.sum() / tried
    return mean, math.sqrt(max((values**2).sum() / tried - mean**2, 0) / tried)


def compare(one, other, precision, sigmas=4.0):
    """Two results (value, error) agree, and to the precision that was meant."""
    error = math.hypot(one[1], other[1])
    assert abs(one[0] - other[0]) < sigmas * error, (one, other)
    assert error < precision * abs(one[0]), (one, other)


# --- the order of the legs --------------------------------------------------------------------------------------


def test_known_chains():
    assert chain(parse_process("d d~ > z g g g g")) == [0, 3, 4, 5, 6, 1, 2]
    assert chain(parse_process("d g > z d g g g")) == [0, 4, 2, 3, 5, 6, 1]
    assert chain(parse_process("g d > z d g g g")) == [0, 5, 6, 3, 2, 4, 1]


BEAMS = ["d d~ > z", "d~ d > z", "d u~ > w-", "d g > z d", "g u > z u", "d~ g > z d~", "g d~ > d~ z", "g g > z d d~"]
BEAMS += ["d d~ > e- e+", "g g > b~ b z h", "g g > d d~", "d d > d d", "u d > u d z", "d d~ > z z", "g g > t t~"]


@pytest.mark.parametrize("beams", BEAMS)
@pytest.mark.parametrize("gluons", range(5))
def test_chains_hold_every_leg_once(beams, gluons):
    process = parse_process(beams + " g" * gluons)
    if process.n_final < 2:
        pytest.skip("one outgoing particle")
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


@pytest.mark.parametrize("observable", [soft, forward, everything])
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
def test_volume_of_phase_space(text, method, observable):
    process, cuts = parse_process(text), JetCuts(60.0, 4.0, 0.5)
    tried = 400_000
    _, p, _, weight = chain_events(text, cuts, tried, 4)
    found = mean_and_error(weight * observable(process, p), tried)
    tried = 1_000_000 if observable is soft else 600_000
    p, weight = plain_events(text, cuts, tried, method)
    compare(found, mean_and_error(weight * observable(process, p), tried), 0.03 if process.n_final > 2 else 0.012)


@cache
def plain_events(text, cuts, tried, method):
    p, _, weight = independent(np.random.default_rng(5), parse_process(text), cuts, tried, method)
    return p, weight
