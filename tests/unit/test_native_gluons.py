"""Native amplitudes of gluons alone: MadGraph's and pyamplicol's numbers, closed forms, colour, invariances, limits."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from parton_points import COMPILED, boosted, events, product, rotated, sample

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.colour import product_of_traces
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.gluons import colour_form, colour_matrix, find_gluons
from ampcli.amplitudes.native.gluons_provider import NativeGluons
from ampcli.amplitudes.providers import make_provider
from ampcli.errors import UsageError
from ampcli.process import parse_process

REFERENCE = Path(__file__).parents[1] / "reference"
PROCESSES = ["g g > g g", "g g > g g g", "g g > g g g g"]


def native(process: str, **parameters: float) -> NativeGluons:
    return NativeGluons(parse_process(process), Parameters.of(parameters))


def test_four_gluons_closed_form():
    # R.K. Ellis, W.J. Stirling, B.R. Webber, QCD and Collider Physics (1996), table 7.1
    p = sample("g g > g g")
    s, t, u = 2 * product(p[:, 0], p[:, 1]), -2 * product(p[:, 0], p[:, 2]), -2 * product(p[:, 0], p[:, 3])
    expected = (4 * math.pi * 0.13) ** 2 * 9 / 2 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2) / 2
    np.testing.assert_allclose(native("g g > g g", alpha_s=0.13).evaluate(p), expected, rtol=1e-12)


def test_five_gluons_of_madgraph():
    cases = json.loads((REFERENCE / "madgraph_standalone.json").read_text())["cases"]
    case = next(case for case in cases if case["process"] == "g g > g g g")
    momenta = np.array(case["momenta"], dtype=float)[None]
    provider = native("g g > g g g")
    np.testing.assert_allclose(provider.evaluate(momenta), float(case["full"]), rtol=1e-11)
    np.testing.assert_allclose(provider.leading_colour(momenta), float(case["lc"]), rtol=1e-11)


@pytest.mark.parametrize("on", COMPILED)
def test_six_gluons_of_pyamplicol(on):
    case = json.loads((REFERENCE / "six_gluons.json").read_text())
    values, bad = engine.evaluate(native(case["process"]).line, DEFAULTS, np.array(case["momenta"]), on=on)
    assert not bad.any()
    np.testing.assert_allclose(values, case["squares"], rtol=1e-10)


@pytest.mark.parametrize("between", [2, 3])
def test_colour_from_traces(between, rng):
    # chains of structure constants as commutators, whose traces are multiplied exactly
    def commutators(word: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
        terms = [(1, (0,))]
        for letter in word:
            terms = [t for sign, w in terms for t in ((sign, (*w, letter + 1)), (-sign, (letter + 1, *w)))]
        return terms

    last = between + 1
    words = list(itertools.permutations(range(between)))
    for row, left in enumerate(words[:2]):
        for column, right in enumerate(words):
            total = sum(
                4 * a * b * product_of_traces(((last, *v), (last, *w[::-1])))
                for (a, v), (b, w) in itertools.product(commutators(left), commutators(right))
            )
            assert total == colour_matrix(between)[row, column]
    x, form = rng.normal(size=len(words)), colour_form(between)
    y = x.copy()
    for i, j in form.butterflies:
        y[i], y[j] = y[i] + y[j], y[i] - y[j]
    value = sum(y[i] * sum(c * y[j] for j, c in row) for i, row in enumerate(form.rows))
    assert value == pytest.approx(x @ colour_matrix(between) @ x, rel=1e-12)


@pytest.mark.parametrize("process", PROCESSES)
def test_orderings(process):
    provider, p = native(process), sample(process, 10)
    squares, orderings = provider.squared_orderings(p), provider.orderings
    assert squares.shape == (len(p), len(orderings)) == (len(p), math.factorial(len(provider.line.gluons) - 1))
    place = {ordering: i for i, ordering in enumerate(orderings)}
    reversed_ones = [place[(ordering[0], *ordering[:0:-1])] for ordering in orderings]
    np.testing.assert_allclose(squares[:, reversed_ones], squares, rtol=1e-9)
    np.testing.assert_allclose(provider.leading_colour(p), squares.sum(axis=1), rtol=1e-14)
    if len(provider.line.gluons) < 6:  # exact for four and five gluons: N^(n - 2) (N^2 - 1) beside N^n
        np.testing.assert_allclose(provider.evaluate(p) / provider.leading_colour(p), 8 / 9, rtol=1e-11)


@pytest.mark.parametrize("process", PROCESSES)
def test_colour_lines(process, rng):
    provider, p = native(process), sample(process, 1)
    drawn = provider.colour_flows(np.repeat(p, 50, axis=0), rng.random(50))
    for tags in drawn:
        colour, anticolour = np.concatenate([tags[:2, ::-1], tags[2:]]).T.tolist()  # all outgoing
        chain = [len(colour) - 1]
        while len(chain) == 1 or chain[-1] != chain[0]:
            chain.append(anticolour.index(colour[chain[-1]]))
        assert tuple(chain[:-1]) in provider.orderings


@pytest.mark.parametrize("process", PROCESSES)
def test_invariances(process, rng):
    p, provider = sample(process, 20), native(process)
    expected = provider.evaluate(p)
    assert (expected > 0).all()
    np.testing.assert_allclose(provider.evaluate(rotated(p, rng)), expected, rtol=1e-11)
    np.testing.assert_allclose(provider.evaluate(boosted(p, np.array((0.3, -0.2, 0.5)))), expected, rtol=1e-10)
    for _ in range(3):
        order = [*rng.permutation(2), *(2 + rng.permutation(provider.process.n_final))]
        np.testing.assert_allclose(provider.evaluate(p[:, order]), expected, rtol=1e-10)
    for gluon in range(len(provider.line.gluons) - 1):
        longitudinal, _ = engine.evaluate(provider.line, DEFAULTS, p, replaced=gluon)
        assert (np.abs(longitudinal) < 1e-25 * expected).all()


@pytest.mark.parametrize("reduced", PROCESSES[:2])
def test_soft_gluon_between_its_neighbours(reduced, rng):
    # Each ordering's square -> g_s^2 N p_i.p_j / (p_i.k p_j.k) x the square without k, with i and j next to k.
    before, after, p = native(reduced), native(reduced + " g"), sample(reduced, 20, y_cut=0.02)
    k = rng.normal(size=(len(p), 3))
    k *= 1e-5 * 1000.0 / np.linalg.norm(k, axis=1)[:, None]
    final = p[:, 2:, 1:].copy()
    final[np.arange(len(p)), p[:, 2:, 0].argmax(axis=1), :2] -= k[:, :2]
    space = np.concatenate([final, k[:, None]], axis=1)
    found = events(np.concatenate([space[..., :1], space], axis=2), after.process.final_masses)
    shorter = {}
    for ordering, column in zip(before.orderings, before.squared_orderings(p).T, strict=True):
        for turn in range(len(ordering)):
            shorter[(*ordering[turn:], *ordering[:turn])] = column
    soft = p.shape[1]
    copies = after.process.identical_factor / before.process.identical_factor
    for ordering, column in zip(after.orderings, after.squared_orderings(found).T, strict=True):
        at = ordering.index(soft)
        i, j = ordering[at - 1], ordering[(at + 1) % len(ordering)]
        pi, pj, pk = found[:, i], found[:, j], found[:, soft]
        factor = 4 * math.pi * DEFAULTS.alpha_s * 3 * product(pi, pj) / (product(pi, pk) * product(pj, pk))
        expected = factor * shorter[(*ordering[:at], *ordering[at + 1 :])] / copies
        np.testing.assert_allclose(column, expected, rtol=0.03)


@pytest.mark.skipif("avx512" not in COMPILED, reason="this processor has no AVX-512")
@pytest.mark.parametrize("process", PROCESSES)
def test_avx2_and_avx512_give_the_same_bits(process):
    line, p = native(process).line, sample(process, 21)
    for squares in (False, True):
        found = [engine.evaluate(line, DEFAULTS, p, squares=squares, on=on)[0] for on in ("avx2", "avx512")]
        np.testing.assert_array_equal(found[0], found[1])


def test_coverage():
    assert isinstance(make_provider("auto", parse_process("g g > g g g")), NativeGluons)
    assert native("g g > g g g").alpha_s_power == 3
    for process in ("g g > g g g g g", "g g > g z", "g g > u u~", "u d > u d"):
        assert find_gluons(parse_process(process)) is None
        with pytest.raises(UsageError, match="four to 6 gluons"):
            native(process)
