"""Pairs of leptons in proton collisions: phase space, cuts, guides, copies, and cross sections of other programs."""

from __future__ import annotations

import json
import math
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from cross_sections import adapted_cross_section, compare, mean_and_error

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import UsageError
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.phasespace.cuts import JetCuts, LeptonCuts
from ampcli.phasespace.decays import decayed, pair_mass, rest_directions
from ampcli.phasespace.divergences import require_finite
from ampcli.phasespace.hadron_sampler import TAIL, HadronSampler
from ampcli.phasespace.jet_map import VERSION, JetMap
from ampcli.phasespace.lepton_pair import lepton_pair
from ampcli.phasespace.partons import find_pdf
from ampcli.phasespace.perturb import perturbed_events
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import parse_process

pytest.importorskip("madspace")

ENERGY = 13000.0
JETS, LEPTONS = JetCuts(20.0, 5.0, 0.4), LeptonCuts()
TIGHT = LeptonCuts(25.0, 2.0, 1.0, 0.7, 60.0)
PDF = find_pdf("NNPDF23_lo_as_0130_qed")
_ORDER = ("baseline", "avx2", "avx512")
SETS = _ORDER[: _ORDER.index(instruction_set()) + 1]
GUIDED = [
    "d d~ > e- e+",
    "d d~ > e- e+ g",
    "g u~ > mu+ u~ mu- g",
    "u d~ > e+ ve g",
    "d d~ > ve ve~ g",
    "d g > u e- ve~",
]
MAPPED = [*GUIDED, "g g > e- e+ d d~", "u u > u u e- e+", "u d~ > e+ ve g g g"]


class Constant:
    """A provider of |M|^2 = 1 GeV^(4 - 2 n_final), for any process."""

    def __init__(self, process):
        self.process = process

    def evaluate(self, momenta):
        return np.ones(len(momenta))


def sampler_of(text, leptons=LEPTONS, provider=Native, jets=VERSION, scale=91.188):
    process = parse_process(text)
    made = provider(process)
    return HadronSampler(process, made, 0.118, ENERGY, JETS, scale, PDF, 0.130, 0.003, jets=jets, leptons=leptons)


def drawn_from(text, leptons=LEPTONS, points=20_000, on=None):
    events = JetMap(parse_process(text), ENERGY, JETS, on, leptons)
    rng = np.random.default_rng(1)
    cube = rng.random((points, events.axes))
    return events.candidates(cube, events.choices(rng, points), VegasGrid.flat(events.axes))


@pytest.mark.parametrize("on", SETS)
@pytest.mark.parametrize("cuts", [LEPTONS, TIGHT])
@pytest.mark.parametrize("text", MAPPED)
def test_events_are_physical_and_within_the_cuts(text, cuts, on):
    process = parse_process(text)
    found = drawn_from(text, cuts, on=on)
    p = found.momenta
    assert len(found.rows) > 200
    for values in (found.volume, found.half_ht, found.x):
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert (found.x < 1).all()
    energy2 = p[..., 0] ** 2
    assert (np.abs(energy2 - (p[..., 1:] ** 2).sum(axis=2)) / energy2).max() < 1e-14
    imbalance = np.abs(p[:, :2].sum(axis=1) - p[:, 2:].sum(axis=1)).max(axis=1)
    assert (imbalance < 1e-12 * p[:, :2, 0].sum(axis=1)).all()
    np.testing.assert_allclose(found.half_ht, np.hypot(p[:, 2:, 1], p[:, 2:, 2]).sum(axis=1) / 2, rtol=1e-12)
    looser = LeptonCuts(*np.array(astuple(cuts)) * (1 - 1e-9))
    looser = replace(looser, eta_max=cuts.eta_max + 1e-9)
    assert looser.passed(p[:, 2:], process).all()
    assert JetCuts(20.0 * (1 - 1e-9), 5.0 + 1e-9, 0.4 - 1e-9).passed(p[:, 2:], process).all()
    best = drawn_from(text, cuts)
    for name in ("rows", "momenta", "x", "volume", "half_ht"):
        np.testing.assert_array_equal(getattr(found, name), getattr(best, name))


@pytest.mark.parametrize("text", ["d d~ > e- e+ g", "u d~ > e+ ve", "u u > u u e- e+"])
def test_cuts_of_the_map_are_those_of_the_record(text):
    process = parse_process(text)
    loose = LeptonCuts(1e-3, 50.0, 1e-6, 1e-6, 59.0)
    everything, found = drawn_from(text, loose), drawn_from(text, replace(loose, pt_min=30.0))
    mass2 = [lepton_pair(process).mass2_range(ENERGY, cuts) for cuts in (loose, replace(loose, pt_min=30.0))]
    assert mass2[0] == mass2[1]
    passed = everything.rows[replace(loose, pt_min=30.0).passed(everything.momenta[:, 2:], process)]
    np.testing.assert_array_equal(found.rows, passed)
    for change in ({"eta_max": 1.0}, {"delta_r_ll": 2.0}, {"delta_r_jl": 2.0}):
        tight = replace(loose, **change)
        passed = everything.rows[tight.passed(everything.momenta[:, 2:], process)]
        found = drawn_from(text, tight)
        np.testing.assert_array_equal(found.rows, passed)
        assert len(passed) > 100


class Falling(Constant):
    """|M|^2 that falls with the mass of the pair, slowly enough for madspace, which knows no resonance."""

    def evaluate(self, momenta):
        pair = lepton_pair(self.process)
        return (1 + pair_mass(momenta[:, [pair.lepton, pair.antilepton]]) ** 2 / pair.mass**2) ** -4


class Unguided(JetMap):
    guided = False


@pytest.mark.parametrize("text", ["d d~ > e- e+ g", "u d~ > e+ ve g"])
def test_phase_space_is_that_of_madspace(text):
    cuts, volumes = LeptonCuts(20.0, 3.0, 0.4, 0.4, 30.0), []
    for jets in (VERSION, None):  # cuts on leptons are applied behind madspace
        sampler = sampler_of(text, cuts, Falling, jets)
        if jets:  # adapted to this |M|^2, not to the guide
            sampler.__dict__["map"] = Unguided(sampler.process, ENERGY, JETS, leptons=cuts)
        volumes.append(adapted_cross_section(sampler, 3, 40_000))
    compare(*volumes, 0.02)


@pytest.mark.parametrize(
    "text", ["d d~ > e- e+", "u~ u > e- e+ g", "g d > d e- e+", "u d~ > e+ ve g", "d g > u e- ve~"]
)
def test_guides_of_up_to_one_gluon_are_exact(text):
    found = drawn_from(text)
    ratio = Native(parse_process(text)).evaluate(found.momenta) / found.guide
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-5)


@pytest.mark.parametrize(("text", "spread"), [("d d~ > e- e+ g g", 10), ("d g > e- e+ d g", 20)])
def test_guides_of_more_gluons_are_like_the_amplitude(text, spread):
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


def test_without_a_good_guide_there_is_none():
    assert all(JetMap(parse_process(text), ENERGY, JETS, None, LEPTONS).guided for text in GUIDED)
    for text in ("g g > e- e+ d d~", "u u > u u e- e+"):
        assert drawn_from(text).guide is None


def test_the_resonance_is_followed():
    found = drawn_from("u d~ > e+ ve g")
    mass = pair_mass(found.momenta[:, 2:4])
    assert 0.35 < np.mean(np.abs(mass - 80.419) < 2 * 2.0476) < 0.6


# --- cross sections -----------------------------------------------------------------------------------------------

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "cross_sections.json").read_text())["p p > e+ e- j"]


@pytest.mark.parametrize(
    ("name", "process"),
    [("qqbar_eeg", "{q} {q}~ > e+ e- g"), ("gq_eeq", "g {q} > e+ e- {q}"), ("gqbar_eeqbar", "g {q}~ > e+ e- {q}~")],
)
def test_madgraph_finds_the_same_cross_sections(name, process):
    """Both beams may give either parton here; the classes count one order."""
    found = [adapted_cross_section(sampler_of(process.format(q=quark)), 5, 25_000) for quark in "udsc"]
    value, error = sum(v for v, _ in found) / 2, math.sqrt(sum(e**2 for _, e in found)) / 2
    expected, theirs = REFERENCE[name]
    assert abs(value - expected) < 4 * math.hypot(error, theirs)
    assert error < 0.005 * expected


def test_unweighted_and_thinned_events_have_the_same_cross_section():
    sampler = sampler_of("d d~ > e- e+ g", scale=None)
    adaptation = sampler.adapt(np.random.default_rng(8), TAIL, thin=True)
    assert adaptation.thin > 0
    events, tried = sampler.draw(np.random.default_rng(9), 10_000, adaptation, True, lambda: None)
    compare(mean_and_error(events.weight, tried), adapted_cross_section(sampler, 10, 60_000), 0.02)


# --- what is refused ------------------------------------------------------------------------------------------------


def test_pairs_of_vanishing_mass_are_refused():
    process = parse_process("d d~ > e- e+ g")
    for cuts in (LeptonCuts(pt_min=0.0), LeptonCuts(delta_r_ll=0.0)):
        with pytest.raises(UsageError, match="infinite cross section"):
            require_finite(process, cuts)
        require_finite(process, replace(cuts, m_ll_min=1.0))
        require_finite(parse_process("u d~ > e+ ve g"), cuts)


def test_the_smallest_mass_within_the_cuts(rng):
    cuts = LeptonCuts(10.0, 2.5, 0.4, 0.0)
    pt = 10.0 + 1e-6 + rng.exponential(0.1, (20_000, 2))
    angle, size = 2 * np.pi * rng.random(20_000), 0.4 + 1e-6 + rng.exponential(0.01, 20_000)
    eta, phi = np.zeros((2, 20_000, 2))
    eta[:, 1], phi[:, 1] = size * np.cos(angle), size * np.sin(angle)
    p = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    assert cuts.passed(p, parse_process("d d~ > e- e+")).all()
    masses = pair_mass(p)
    assert cuts.least_mass < masses.min() < 1.01 * cuts.least_mass
    assert replace(cuts, m_ll_min=5.0).least_mass == 5.0


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("d d~ > e- e+ g", (2, 3, (True, True), 91.188)),
        ("u d~ > g ve e+", (3, 4, (False, True), 80.41900244575616)),
        ("d u~ > mu- g vm~", (2, 4, (True, False), 80.41900244575616)),
        ("d d~ > vt~ vt", (3, 2, (False, False), 91.188)),
    ],
)
def test_pairs(text, pair):
    found = lepton_pair(parse_process(text))
    assert (found.lepton, found.antilepton, found.charged) == pair[:3]
    assert found.mass == pytest.approx(pair[3], rel=1e-12)


@pytest.mark.parametrize(
    "text", ["d d~ > z g", "d d~ > e- mu+ g", "u d~ > e+ vm", "e- e+ > d d~", "d d~ > e- e+ z", "d d~ > e- e+ a",
             "u u~ > e- e+ ve ve~", "d d~ > e- e- e+ e+", "g g > t t~ e- e+", "d e- > d e-"]
)  # fmt: skip
def test_other_processes_have_no_pair(text):
    assert lepton_pair(parse_process(text)) is None


# --- copies ---------------------------------------------------------------------------------------------------------


def test_decays_and_back(rng):
    p = drawn_from("d d~ > e- e+ g g").momenta[:, 2:]
    leptons = p[:, :2]
    again = decayed(leptons.sum(axis=1), pair_mass(leptons), rest_directions(leptons))
    np.testing.assert_allclose(again, leptons, rtol=1e-9, atol=1e-9)
    turned = rng.normal(size=(len(p), 3))
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    other = decayed(leptons.sum(axis=1), pair_mass(leptons), turned)
    np.testing.assert_allclose(other.sum(axis=1), leptons.sum(axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(pair_mass(other), pair_mass(leptons), rtol=1e-8)
    np.testing.assert_allclose(rest_directions(other), turned, atol=1e-7)


@pytest.mark.parametrize("text", ["d d~ > e- e+ g g", "g u > d ve e+ g"])
@pytest.mark.parametrize("size", [0.01, 0.15])
def test_perturbed_events(text, size, rng):
    process = parse_process(text)
    final = drawn_from(text).momenta[:2000, 2:]
    copies, new = perturbed_events(final, process, size, rng, JETS, ENERGY, LEPTONS)
    assert 0.3 < new.mean() < 1
    np.testing.assert_array_equal(copies[~new], final[~new])
    assert LEPTONS.passed(copies, process).all()
    assert JETS.passed(copies, process).all()
    assert (np.abs(copies[new] - final[new]).max(axis=(1, 2)) > 0).all()
    assert np.abs(copies[:, :, 1:3].sum(axis=1)).max() < 1e-9
    pair = lepton_pair(process)
    legs = [pair.lepton - 2, pair.antilepton - 2]
    np.testing.assert_allclose(pair_mass(copies[:, legs]), pair_mass(final[:, legs]), rtol=1e-7)
    assert np.isfinite(Native(process).evaluate(with_beams(copies))).all()
    moved = 1 - (rest_directions(copies[new][:, legs]) * rest_directions(final[new][:, legs])).sum(axis=1)
    assert 0.2 * size**2 < np.median(moved) < 3 * size**2
