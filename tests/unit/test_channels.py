"""Multiparticles: which subprocesses exist, which have the same |M|^2, and how their densities are summed.

Judged by the trees of the Standard Model (`ampcli.amplitudes.trees`), which know nothing of such rules.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from ampcli.amplitudes import check
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.trees import Trees
from ampcli.channels.expansion import exists, expand, key_of
from ampcli.channels.groups import channels_of
from ampcli.channels.multiparticles import default_definitions, parse_definitions, used
from ampcli.channels.record import Survey
from ampcli.channels.survey import allotted, measured, smallest
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import UsageError
from ampcli.generation.proton_points import ProtonSettings
from ampcli.kinematics import with_beams
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.hadron_sampler import HadronSampler
from ampcli.phasespace.jet_map import VERSION
from ampcli.phasespace.luminosity import luminosities
from ampcli.phasespace.partons import density, find_pdf
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import PARTICLES, Process, parse_process

USUAL = default_definitions()


def squares(process: Process, momenta: np.ndarray) -> np.ndarray:
    return Trees(process).squares(momenta, check.leading_order(process))


def processes(beams: str, final: str, jets: int) -> list[Process]:
    """All combinations of these names, whether they exist or not."""
    legs = [PARTICLES[name] for name in beams.split()]
    fixed = tuple(PARTICLES[name] for name in final.split())
    pairs = combinations_with_replacement(legs, 2)
    return [Process(pair, fixed + more) for pair, more in product(pairs, combinations_with_replacement(legs, jets))]


@pytest.mark.parametrize(
    ("beams", "final", "jets"),
    [
        ("u c d u~ d~ s~ g", "z", 1),
        ("u c d u~ d~ s~ g", "w+", 1),
        ("u d u~ s~ g", "e+ ve", 1),
        ("u d u~ g", "e+ mu-", 1),
        ("u d d~ g", "e- e+", 1),
        ("u c~ g", "", 2),
        ("u d c~", "w-", 2),
        ("u s~", "z", 2),
    ],
)
def test_what_exists_is_what_has_diagrams(beams, final, jets):
    seen = set()
    for process in processes(beams, final, jets):
        momenta = check.events(process, (3.0,))
        natural = momenta[:, :2, 0].sum(axis=1) ** (4.0 - 2.0 * process.n_final)
        has_diagrams = bool((squares(process, momenta) > 1e-20 * natural).all())
        assert exists(process) == has_diagrams, str(process)
        seen.add(has_diagrams)
    assert seen == ({True, False} if final != "e+ mu-" else {False})


@pytest.mark.parametrize(
    ("text", "number", "grouped"),
    [
        ("p p > z j", 12, 4),  # q q~ > z g, q g > z q and q~ g > z q~ of four flavours
        ("p p > l+ l- j", 24, 4),  # twice as many pairs of leptons
        ("p p > w+ j", 6, 3),
        ("g g > z j", 0, 0),
        ("p p > j j", 65, 9),
        ("u p > z j", 2, 2),
    ],
)
def test_how_many(text, number, grouped):
    if not number:
        with pytest.raises(UsageError, match="no subprocess"):
            expand(text, USUAL)
        return
    found = expand(text, USUAL)
    channels = channels_of(found)
    assert (len(found), len(channels)) == (number, grouped)
    named = [key_of(parse_process(each.process)) for channel in channels for each in channel.flavours]
    assert Counter(named) == Counter(map(key_of, found))  # each once


def test_five_flavours():
    assert len(expand("p p > z j", default_definitions(5))) == 15
    assert {str(c.process) for c in channels_of(expand("p p > z j", default_definitions(5)))} == {
        "d d~ > z g", "d g > z d", "u u~ > z g", "u g > z u",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["p p > z j", "p p > w+ j", "p p > l+ l- j", "p p > l- vl~ j", "p p > j j", "p p > z z j"]
)
def test_a_channel_has_one_amplitude(text):
    few = parse_definitions(["p=g u d u~ d~", "j=p"]) if text == "p p > j j" else USUAL
    for channel in channels_of(expand(text, few)):
        momenta = check.events(channel.process, (3.0,))
        expected = squares(channel.process, momenta)
        for each in channel.flavours:
            reflected = momenta * [1.0, 1.0, -1.0 if each.mirrored else 1.0, 1.0]
            np.testing.assert_allclose(squares(parse_process(each.process), reflected), expected, rtol=1e-10)


def test_two_lines_have_one_amplitude_as_well():
    channels = channels_of(expand("p p > z j j", USUAL))
    mixed = next(channel for channel in channels if str(channel.process) == "d u~ > z d u~")
    momenta = check.events(mixed.process, (3.0,))
    expected = squares(mixed.process, momenta)
    assert len(mixed.flavours) == 8
    for each in mixed.flavours:
        reflected = momenta * [1.0, 1.0, -1.0 if each.mirrored else 1.0, 1.0]
        np.testing.assert_allclose(squares(parse_process(each.process), reflected), expected, rtol=1e-10)


def test_charge_conjugation_alone_is_no_symmetry():
    """The leptons' angles tell a quark from an antiquark: a channel has e- where its conjugate has e+."""
    process, conjugate = parse_process("d g > e+ e- d"), parse_process("d~ g > e- e+ d~")
    momenta = check.events(process, (3.0,))
    exchanged = momenta[:, [0, 1, 3, 2, 4]]
    right, wrong = squares(conjugate, momenta), squares(conjugate, exchanged)
    np.testing.assert_allclose(right, squares(process, momenta), rtol=1e-2)  # but for the Z's width
    assert (np.abs(wrong / right - 1) > 0.05).any()
    [channel] = channels_of([process, conjugate])
    assert [each.process for each in channel.flavours] == ["d g > e+ e- d", "d~ g > e- e+ d~"]


def test_definitions():
    known = parse_definitions(["J = g u d", "q=j s"])
    assert known["j"] == ("g", "u", "d")
    assert known["q"] == ("g", "u", "d", "s")
    assert used("p p > z J", known) == {"p": USUAL["p"], "j": ("g", "u", "d")}
    assert [str(each) for each in expand("u p > z j", known)] == ["u u~ > z g", "u g > z u"]


@pytest.mark.parametrize(
    ("text", "naming"),
    [("j", "write it as"), ("j=", "write it as"), ("d=u s", "is a particle"), ("j=x g", 'unknown particle "x"')],
)
def test_definitions_that_cannot_be(text, naming):
    with pytest.raises(UsageError, match=naming):
        parse_definitions([text])


@pytest.mark.parametrize("text", ["p p > ", "p > z j", "p p z j", "p p > z q", "p p > z j / a"])
def test_processes_that_cannot_be_read(text):
    with pytest.raises(UsageError, match="cannot read the process"):
        expand(text, USUAL)


def test_too_many_combinations():
    with pytest.raises(UsageError, match="combinations"):
        expand("p p > j j j j j j j j", USUAL)


PDF = find_pdf("NNPDF23_lo_as_0130_qed")


def test_luminosities(rng):
    pytest.importorskip("madspace")
    x, scale = rng.uniform(1e-3, 0.5, (50, 2)), rng.uniform(20, 500, 50)
    found = luminosities(PDF, [(1, 21), (-3, 21), (1, 21)], x, scale)
    gluon = density(PDF, 21, x[:, 1], scale)
    for column, code in enumerate((1, -3, 1)):
        np.testing.assert_array_equal(found[:, column], density(PDF, code, x[:, 0], scale) * gluon)


def sampler(text: str, beams: tuple[tuple[int, int], ...] = ()) -> HadronSampler:
    process = parse_process(text)
    return HadronSampler(
        process, Native(process), 0.118, 13000.0, JetCuts(), None, PDF, 0.13, 0.003, jets=VERSION, beams=beams
    )


def test_a_channel_is_the_sum_of_its_flavours(rng):
    """Point by point: d g > z d, s g > z s, d~ g > z d~ and s~ g > z s~, each with its own amplitude."""
    pytest.importorskip("madspace")
    singles = [sampler(text) for text in ("d g > z d", "s g > z s", "d~ g > z d~", "s~ g > z s~")]
    beams = tuple((each.process.incoming[0].pdg, 21) for each in singles)
    grouped = sampler("d g > z d", beams)
    cube = rng.random((2000, grouped.map.axes))
    choices, grid = grouped.map.choices(rng, 2000), VegasGrid.flat(grouped.map.axes)
    rows, drawn = grouped.integrand(cube, choices, grid)
    total = sum(each.integrand(cube, choices, grid)[1].weight for each in singles)
    assert len(rows) > 100
    np.testing.assert_allclose(drawn.weight, total, rtol=1e-9)
    # and events have flavours in proportion to what each adds
    many = drawn.chosen(np.full(40_000, int(np.argmax(drawn.weight))))
    counts = np.bincount(grouped.flavours(rng, many).astype(int), minlength=4) / 40_000
    row = int(np.argmax(drawn.weight))
    shares = np.array([each.integrand(cube, choices, grid)[1].weight[row] for each in singles]) / drawn.weight[row]
    np.testing.assert_allclose(counts, shares, atol=5 * 0.5 / np.sqrt(40_000))


def test_plans_without_channels_are_as_before():
    pytest.importorskip("madspace")
    alone = ProtonSettings("lhc13").collisions(1)
    assert "flavours" not in alone.model_dump(mode="json")
    assert alone.arrays == {"x": (2,)}
    [channel] = channels_of(expand("u u~ > z j", parse_definitions(["j=g"])))
    assert len(channel.flavours) == 1
    several = replace(ProtonSettings("lhc13"), flavours=channels_of(expand("p p > z j", USUAL))[0].flavours)
    made = several.collisions(1)
    assert made.arrays == {"x": (2,), "flavour": ()}
    assert ProtonCollisions.model_validate(made.model_dump(mode="json")) == made


def test_points_go_where_the_cross_section_is():
    def survey(sigma: float, spread: float) -> Survey:
        return Survey(cross_section=sigma, error=0.0, spread=spread)

    found = [survey(70.0, 1.0), survey(20.0, 1.0), survey(10.0, 2.0), survey(0.0, 0.0)]
    assert allotted(found, 1004, unweighted=True) == [701, 201, 101, 1]
    assert allotted(found, 1004, unweighted=False) == [251, 251, 501, 1]
    assert sum(allotted(found, 999, unweighted=True)) == 999


def test_small_channels_keep_their_short_survey():
    """As many as carry a tenth of the cross section, counted with three errors; never one without a survey, nor all."""

    def survey(sigma: float, error: float = 0.0) -> Survey:
        return Survey(cross_section=sigma, error=error, spread=1.0)

    assert smallest([survey(70.0), survey(4.0), survey(20.0), survey(6.1)]) == {1}
    assert smallest([survey(71.0), survey(4.0), survey(20.0), survey(5.9)]) == {1, 3}
    assert smallest([survey(71.0), survey(4.0, 2.1), survey(20.0), survey(5.0)]) == {3}
    assert smallest([survey(100.0), None, survey(0.0)]) == {2}
    assert smallest([survey(1.0)]) == smallest([survey(0.0), survey(0.0)]) == smallest([None]) == set()


def test_a_survey_measures(rng):
    weights = np.where(rng.random(100_000) < 0.25, rng.exponential(8.0, 100_000), 0.0)
    found = measured(weights)
    assert abs(found.cross_section - 2.0) < 5 * found.error
    # one accepted point in four tried; the variance of a tried one is 0.25 * 2 * 64 - 4
    assert found.spread == pytest.approx((0.25 * 28.0) ** 0.5, rel=0.03)
    assert found.error == pytest.approx((28.0 / 100_000) ** 0.5, rel=0.03)


def test_reflection_is_a_symmetry_of_cuts_and_beams(rng):
    """Reflected events (p_y) stay physical, with their beams along z."""
    final = rng.normal(size=(10, 3, 4))
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=-1))
    reflected = final * [1.0, 1.0, -1.0, 1.0]
    np.testing.assert_array_equal(with_beams(final)[:, :2], with_beams(reflected)[:, :2])
    process = parse_process("d d~ > g g g")
    np.testing.assert_array_equal(JetCuts().passed(final * 50, process), JetCuts().passed(reflected * 50, process))
