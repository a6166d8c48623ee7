"""Native amplitudes of two quark lines: closed forms, trees, pyamplicol, colour, invariances, collinear limits."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from parton_points import COMPILED, boosted, chain_of, events, product, rotated, sample

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.provider import NATIVE, Native
from ampcli.amplitudes.native.two_lines import find_two_lines
from ampcli.amplitudes.native.two_lines_colour import colour_form, colour_matrix, flows
from ampcli.amplitudes.native.two_lines_provider import NativeTwoLines
from ampcli.amplitudes.providers import make_provider
from ampcli.amplitudes.standard_model import COLOUR_GENERATORS, Constants
from ampcli.amplitudes.trees import Trees
from ampcli.errors import UsageError
from ampcli.process import parse_process

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "two_lines.json").read_text())
CLASSES = [
    "u d > z u d",
    "u u > z u u",
    "u d~ > z u d~ g",
    "d g > z d s s~",
    "g u > u u u~",
    "u d > z u d g g",
    "g g > z u u~ u u~",
    "u u > u u g g",
    "u d > e- e+ u d g",
    "e- e+ > d d~ d d~",
    "u d~ > w+ u u~ g",
    "u d > w+ d d g g",
    "u g > e+ ve d s s~",
]


def native(process: str, **parameters: float) -> NativeTwoLines:
    return NativeTwoLines(parse_process(process), Parameters.of(parameters))


# R.K. Ellis, W.J. Stirling, B.R. Webber, QCD and Collider Physics (1996), table 7.1, in units of g_s^4.
@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ("u d > u d", lambda s, t, u: 4 / 9 * (s**2 + u**2) / t**2),
        ("u d~ > u d~", lambda s, t, u: 4 / 9 * (s**2 + u**2) / t**2),
        ("u u~ > d d~", lambda s, t, u: 4 / 9 * (t**2 + u**2) / s**2),
        ("u u > u u", lambda s, t, u: 2 / 9 * ((s**2 + u**2) / t**2 + (s**2 + t**2) / u**2) - 4 / 27 * s**2 / t / u),
        ("u u~ > u u~", lambda s, t, u: 4 / 9 * ((s**2 + u**2) / t**2 + (t**2 + u**2) / s**2) - 8 / 27 * u**2 / s / t),
    ],
)  # fmt: skip
def test_four_quarks_closed_form(process, expected):
    p = sample(process)
    s, t, u = 2 * product(p[:, 0], p[:, 1]), -2 * product(p[:, 0], p[:, 2]), -2 * product(p[:, 0], p[:, 3])
    coupling = (4 * math.pi * 0.13) ** 2
    found = native(process, alpha_s=0.13).evaluate(p)
    np.testing.assert_allclose(found, coupling * expected(s, t, u), rtol=1e-12)


POWERS = {1: 0, 2: 2, 3: 1}  # of e in the amplitude

# Those that take a second or less; larger ones are among the reference numbers.
TREES = [
    "u d > z u d",
    "u d > e- e+ u d",
    "e- e+ > u d u~ d~",
    "s d~ > mu+ mu- s d~",
    "e+ e- > u u~ u u~",
    "u u > ve ve~ u u",
    "u u > z u u",
    "s u~ > z s u~",
    "d d~ > z d d~",
    "g u > u u u~",
    "u~ d~ > u~ d~ g",
    "u d~ > w+ s s~",
    "d d~ > w- u d~",
    "u u > w+ u d",
    "u s > mu+ vm d s",
    "u d > e+ ve d d",
    "d u~ > e- ve~ u~ u",
]


@pytest.mark.parametrize("process", TREES)
def test_trees_agree(process):
    p, provider = sample(process, 2), native(process)
    expected = Trees(provider.process).squares(p, electroweak=POWERS[provider.line.vector.states])
    np.testing.assert_allclose(provider.evaluate(p), expected, rtol=1e-10)


@pytest.mark.parametrize("process", ["u d > z u d", "u d > e- e+ u d", "u u~ > e- e+ u u~", "u d > w+ d d"])
def test_trees_agree_with_other_parameters(process):
    # the large width makes terms count that are odd under reflections
    changed = {"alpha_s": 0.2, "alpha_ew": 0.01, "sin2_theta_w": 0.3, "m_z": 300.0, "gamma_z": 150.0}
    provider = native(process, **changed)
    p = events(sample(process, 3)[:, 2:], provider.process.final_masses)
    expected = Trees(provider.process, Constants(**changed)).squares(p, electroweak=POWERS[provider.line.vector.states])
    np.testing.assert_allclose(provider.evaluate(p), expected, rtol=1e-10)


@pytest.mark.parametrize("on", COMPILED)
@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: case["process"])
def test_pyamplicol_reference(case, on):
    lines = native(case["process"]).line
    values, bad = engine.evaluate(lines, DEFAULTS, np.array(case["momenta"]), on=on)
    assert not bad.any()
    np.testing.assert_allclose(values, case["squares"], rtol=1e-10)


# ---- colour ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gluons", [0, 1, 2])
def test_colour_matrix_from_gell_mann_matrices(gluons, rng):
    matrices = []
    for kind in (0, 1):
        for v, w in flows(gluons):
            lines = [_word(word) for word in (v, w)]
            inputs = [part for word, line in zip((v, w), lines, strict=True) for part in (line, word)]
            ends = [("i", "l"), ("k", "j")] if kind == 0 else [("i", "j"), ("k", "l")]
            axes = [
                f"{''.join('ab'[letter] for letter in word)}{a}{b}" for word, (a, b) in zip((v, w), ends, strict=True)
            ]
            tensor = np.einsum(f"{','.join(axes)}->{'ab'[:gluons]}ijkl", inputs[0], inputs[2])
            matrices.append(tensor.ravel())
    stacked = np.array(matrices)
    numbers, divisor = colour_matrix(gluons)
    np.testing.assert_allclose(stacked @ stacked.conj().T, numbers / divisor, atol=1e-12)

    x, form = rng.normal(size=len(numbers)), colour_form(gluons)
    y = x.copy()
    for i, j in form.butterflies:
        y[i], y[j] = y[i] + y[j], y[i] - y[j]
    value = sum(y[i] * sum(c * y[j] for j, c in row) for i, row in enumerate(form.rows))
    assert value == pytest.approx(x @ numbers @ x / divisor, rel=1e-12)


def _word(word: tuple[int, ...]) -> np.ndarray:
    """T^a T^b ... with all colours of its gluons; (8, ..., 3, 3)."""
    line = np.eye(3, dtype=complex)
    for _ in word:
        line = np.einsum("...ij,ajk->...aik", line, COLOUR_GENERATORS)
    return line


@pytest.mark.parametrize("process", CLASSES)
def test_flows(process, rng):
    provider, p = native(process), sample(process, 5)
    squares = provider.squared_orderings(p)
    assert squares.shape == (len(p), len(provider.flows))
    assert len(provider.flows) == math.factorial(len(provider.line.gluons) + 1) * (2 if provider.line.exchange else 1)
    assert len(set(provider.flows)) == len(provider.flows)
    assert (squares > 0).all()
    for event in range(len(p)):
        drawn = provider.colour_flows(np.repeat(p[event : event + 1], 200, axis=0), rng.random(200))
        for tags in drawn[:5]:
            kinds = [leg.kind for leg in provider.process.legs]
            for kind, (colour, anticolour) in zip(kinds, tags.tolist(), strict=True):
                assert (colour > 500) == (kind in ("quark", "gluon"))
                assert (anticolour > 500) == (kind in ("antiquark", "gluon"))
                assert colour != anticolour or kind in ("lepton", "vector")
            assert any(chain_of(tags) == flow[0] or chain_of(tags) == flow[1] for flow in provider.flows)


def test_leading_colour_of_a_distinct_pair():
    # C_F / N of the full colour sum, 2, beside N^2 / 4 without the singlet
    p, provider = sample("u d > u d"), native("u d > u d")
    np.testing.assert_allclose(provider.evaluate(p) / provider.leading_colour(p), 8 / 9, rtol=1e-12)
    p, provider = sample("u d > z u d"), native("u d > z u d")
    np.testing.assert_allclose(provider.evaluate(p) / provider.leading_colour(p), 8 / 9, rtol=1e-12)


# ---- invariances -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", [process for process in CLASSES if "g" in process.split()])
def test_gauge_invariance(process):
    line, p = native(process).line, sample(process, 20, y_cut=2e-4)
    usual, _ = engine.evaluate(line, DEFAULTS, p)
    ordered, _ = engine.evaluate(line, DEFAULTS, p, squares=True)
    for gluon in range(len(line.gluons)):
        longitudinal, _ = engine.evaluate(line, DEFAULTS, p, replaced=gluon)
        assert (np.abs(longitudinal) < 1e-25 * usual).all()
        squares, _ = engine.evaluate(line, DEFAULTS, p, squares=True, replaced=gluon)
        assert (squares < 1e-23 * ordered.max(axis=1, keepdims=True)).all()


@pytest.mark.parametrize("process", CLASSES)
def test_rotations_and_boosts(process, rng):
    p, provider = sample(process, 30), native(process)
    expected = provider.evaluate(p)
    np.testing.assert_allclose(provider.evaluate(rotated(p, rng)), expected, rtol=1e-11)
    for beta in ((0, 0, -0.98), (0.3, -0.2, 0.5)):
        np.testing.assert_allclose(provider.evaluate(boosted(p, np.array(beta))), expected, rtol=1e-10)


@pytest.mark.parametrize("process", CLASSES)
def test_identical_legs_and_order_of_legs(process):
    p, provider = sample(process, 10), native(process)
    names = [leg.name for leg in provider.process.legs]
    for first in range(2, len(names)):
        for second in range(2, first):
            order = list(range(len(names)))
            order[first], order[second] = second, first
            swapped = [names[i] for i in order]
            other = native(f"{names[0]} {names[1]} > {' '.join(swapped[2:])}")
            np.testing.assert_allclose(other.evaluate(p[:, order]), provider.evaluate(p), rtol=1e-11)
    turned = native(f"{names[1]} {names[0]} > {' '.join(names[2:])}")
    np.testing.assert_allclose(turned.evaluate(p[:, [1, 0, *range(2, len(names))]]), provider.evaluate(p), rtol=1e-11)


@pytest.mark.parametrize(
    ("process", "conjugate"), [("u d > u d g g", "u~ d~ > u~ d~ g g"), ("u u > u u g", "u~ u~ > u~ u~ g")]
)
def test_charge_conjugation(process, conjugate):
    p = sample(process, 20)
    np.testing.assert_allclose(native(process).evaluate(p), native(conjugate).evaluate(p), rtol=1e-11)


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "parent"),
    [
        ("d d~ > z u u~", "d d~ > z g"),
        ("d d~ > z d d~", "d d~ > z g"),
        ("d g > z d s s~", "d g > z d g"),
        ("d d~ > z g u u~", "d d~ > z g g"),
        ("d d~ > z g g u u~", "d d~ > z g g g"),
    ],
)
def test_gluon_to_collinear_quarks(process, parent):
    # |M|^2 -> 8 pi alpha_s / (2 p.q) T_R (z^2 + (1 - z)^2) |M of the gluon|^2, averaged over the azimuth.
    p, one_line, two_lines = sample(parent, 20, y_cut=0.01), Native(parse_process(parent)), native(process)
    fraction, size = 0.3, 1e-4
    gluon = p[:, -1]
    along = gluon[:, 1:] / gluon[:, :1]
    first = np.cross(along, [0.0, 0.6, 0.8])
    first /= np.linalg.norm(first, axis=1)[:, None]
    second = np.cross(along, first)
    ratios = []
    for phi in np.arange(4) * math.pi / 4:  # terms cos 2 phi and sin 2 phi cancel
        aside = size * gluon[:, :1] * (math.cos(phi) * first + math.sin(phi) * second)
        pair = [fraction * gluon[:, 1:] + aside, (1 - fraction) * gluon[:, 1:] - aside]
        final = np.concatenate([p[:, 2:-1, 1:], *(k[:, None] for k in pair)], axis=1)
        final = np.concatenate([np.zeros((*final.shape[:2], 1)), final], axis=2)
        split = events(final, two_lines.process.final_masses)
        copies = two_lines.process.identical_factor / one_line.process.identical_factor
        kernel = 8 * math.pi * DEFAULTS.alpha_s / (2 * product(split[:, -2], split[:, -1]))
        kernel *= 0.5 * (fraction**2 + (1 - fraction) ** 2)
        ratios.append(two_lines.evaluate(split) * copies / (kernel * one_line.evaluate(p)))
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1.0, atol=5e-3)


# ---- how it is called ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["u u > z u u g", "u d > u d g g"])
def test_values_depend_on_their_event_alone(process):
    lines, p = native(process).line, sample(process, 53)
    together, _ = engine.evaluate(lines, DEFAULTS, p)
    assert len(set(together.tolist())) == len(p)
    for size in (1, 7, 8):
        parts = [engine.evaluate(lines, DEFAULTS, p[i : i + size])[0] for i in range(0, len(p), size)]
        np.testing.assert_array_equal(np.concatenate(parts), together)
    shared, _ = engine.evaluate(lines, DEFAULTS, p, threads=3)
    np.testing.assert_array_equal(shared, together)


@pytest.mark.skipif("avx512" not in COMPILED, reason="this processor has no AVX-512")
@pytest.mark.parametrize("process", CLASSES)
def test_avx2_and_avx512_give_the_same_bits(process):
    lines, p = native(process).line, sample(process, 21)
    for squares in (False, True):
        found = [engine.evaluate(lines, DEFAULTS, p, squares=squares, on=on)[0] for on in ("avx2", "avx512")]
        np.testing.assert_array_equal(found[0], found[1])


def test_coupling_of_each_event(rng):
    p, provider = sample("u d > z u d g", 10), native("u d > z u d g")
    assert provider.alpha_s_power == 3
    couplings = rng.uniform(0.08, 0.3, len(p))
    expected = [native("u d > z u d g", alpha_s=value).evaluate(p[i : i + 1])[0] for i, value in enumerate(couplings)]
    np.testing.assert_allclose(provider.evaluate(p, couplings), expected, rtol=1e-13)


def test_bad_momenta_are_named():
    p = sample("u d > z u d", 5)
    p[3, 4, 0] *= 1.001
    with pytest.raises(UsageError, match="event 3"):
        native("u d > z u d").evaluate(p)


@pytest.mark.parametrize("process", CLASSES)
def test_default_provider(process):
    provider = make_provider("auto", parse_process(process))
    assert isinstance(provider, NativeTwoLines)
    assert provider.identity().name == "native"


@pytest.mark.parametrize(
    "process",
    [
        "u d > u d g g g",
        "u d > z z u d",
        "u d > z u s",
        "u d > e- mu+ u d",
        "e- u > e- u d d~",
        "u d > e+ ve d s",
        "u d > e+ ve u u",
        "u d > w+ u d",
        "u d~ > w- u u~",
        "u b > w+ d c",
        "u e- > ve d s s~",
        "u z > u d d~",
        "u d~ > c s~",
        "t u > t u",
        "u u~ > d d~ s s~",
        "u d > u d a",
        "d d~ > z g g",
    ],
)
def test_not_two_lines(process):
    assert find_two_lines(parse_process(process)) is None
    with pytest.raises(UsageError, match="two massless quark lines"):
        native(process)


def test_what_is_covered_is_said():
    assert "two massless quark lines" in str(NATIVE.covers(parse_process("u d > u d g g g")))
