"""Native amplitudes of quark lines with outgoing leptons, and with gluons alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import parton_points
import pytest

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.standard_model import Constants
from ampcli.amplitudes.trees import Trees
from ampcli.instructions import instruction_set
from ampcli.kinematics import min_invariant, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0
REFERENCE = Path(__file__).parents[1] / "reference"
_ORDER = ("baseline", "avx2", "avx512")
COMPILED = _ORDER[: _ORDER.index(instruction_set()) + 1]

NEUTRAL = ["d d~ > e- e+", "u~ u > mu+ mu- g", "d g > e- e+ d g", "g g > ta- b ta+ b~", "u~ g > e- e+ u~"]
NEUTRAL += ["u u~ > ve ve~ g", "g d > d vm vm~"]
CHARGED = [
    "u d~ > e+ ve",
    "d~ u > ve g e+",
    "s c~ > mu- vm~ g",
    "g u > d e+ ve g",
    "g s~ > c~ e+ ve",
    "g g > u d~ e- ve~",
]
PARTONS = ["u u~ > g g", "d~ d > g g g", "d g > d g g", "g g > b b~ g", "g u~ > u~ g"]
ALL = [*NEUTRAL, *CHARGED, *PARTONS]
LARGE = ["d d~ > e- e+ g g g g", "g g > u d~ e- ve~ g g", "g u > u g g g", "u u~ > g g g g g"]


def native(process: str, **parameters: float) -> Native:
    return Native(parse_process(process), Parameters.of(parameters))


def sample(process: str, n: int = 40, y_cut: float = 1e-3) -> np.ndarray:
    """Massless points whose legs are apart from each other and from the beams."""
    legs = parse_process(process)
    final = np.ascontiguousarray(rambo(np.random.default_rng(6).random((400 * n, legs.n_final, 4)), E))
    forward = (final[..., 0] - np.abs(final[..., 3])).min(axis=1) * E
    final = final[(min_invariant(final) > y_cut * E**2) & (forward > y_cut * E**2)][:n]
    assert len(final) == n
    return with_beams(final)


@pytest.mark.parametrize("process", [process for process in ALL if process != "d g > d g g"])
def test_trees_by_brute_force_agree(process):
    p = sample(process, 2)  # 3 s each with five legs of colour
    np.testing.assert_allclose(native(process).evaluate(p), Trees(parse_process(process)).squares(p), rtol=1e-12)


# one quark line and a W on its shell, whose mass follows from those of the trees
@pytest.mark.parametrize("process", ["u d~ > w+", "d g > w- u", "s~ c > w+ g g", "g g > w+ d u~"])
def test_trees_agree_on_a_w(process):
    changed = {"alpha_s": 0.13, "alpha_ew": 1 / 128, "m_z": 91.5, "sin2_theta_w": 0.25}
    provider = native(process, **changed)
    assert provider.process == provider.identity().described(process)
    (mass,) = (leg.mass for leg in provider.process.outgoing if leg.pdg in (24, -24))
    assert mass == pytest.approx(91.5 * 0.75**0.5, rel=1e-15)
    if provider.process.n_final == 1:
        p = mass / 2 * np.array([[[1.0, 0, 0, 1], [1, 0, 0, -1], [2, 0, 0, 0]]])
    else:
        p = parton_points.events(parton_points.sample(process, 3)[:, 2:], provider.process.final_masses)
    expected = Trees(provider.process, Constants(**changed)).squares(p)
    np.testing.assert_allclose(provider.evaluate(p), expected, rtol=1e-12)


def test_parameters_are_those_of_the_trees():
    changed = Parameters(0.13, 1 / 128, 91.5, 2.6, 0.23, 2.2)
    constants = Constants(alpha_s=0.13, alpha_ew=1 / 128, m_z=91.5, gamma_z=2.6, sin2_theta_w=0.23, gamma_w=2.2)
    for process in ("d d~ > e- e+ g", "u d~ > e+ ve g", "g g > d d~"):
        p, legs = sample(process, 5), parse_process(process)
        np.testing.assert_allclose(Native(legs, changed).evaluate(p), Trees(legs, constants).squares(p), rtol=1e-12)


@pytest.mark.parametrize("on", COMPILED)
def test_madgraph_agrees(on):
    cases = json.loads((REFERENCE / "madgraph_standalone.json").read_text())["cases"]
    compared = 0
    for case in cases:
        if " e+ e-" not in case["process"]:
            continue
        provider, p = native(case["process"]), np.array([case["momenta"]], dtype=float)
        values, _ = engine.evaluate(provider.line, DEFAULTS, p, on=on)
        np.testing.assert_allclose(values, [float(case["full"])], rtol=1e-13)
        np.testing.assert_allclose(provider.leading_colour(p), [float(case["lc"])], rtol=1e-13)
        compared += 1
    assert compared == 3


def test_mcfm_agrees():
    stored = json.loads((REFERENCE / "leptons.json").read_text())
    mixing = 1 - stored["m_w"] ** 2 / stored["m_z"] ** 2
    given = {name: stored[name] for name in ("alpha_s", "m_z", "gamma_z")}
    p = np.array([stored["momenta"]], dtype=float)
    ratios = []
    for process, born in stored["born"].items():
        provider = native(process, **given, alpha_ew=1 / stored["one_over_alpha"], sin2_theta_w=mixing)
        ratios.append(provider.evaluate(p)[0] / born)
    np.testing.assert_allclose(ratios, 1, rtol=2e-9)  # the digits of their alpha
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-10)


@pytest.mark.parametrize("process", [*ALL, *LARGE])
def test_lorentz_invariance(process, rng):
    p, provider = sample(process, 10, 2e-4), native(process)
    expected = provider.evaluate(p)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    turned = np.concatenate([p[..., :1], p[..., 1:] @ turn.T], axis=2)
    np.testing.assert_allclose(provider.evaluate(turned), expected, rtol=1e-11)
    for beta in (0.9, -0.99):
        gamma = 1 / np.sqrt(1 - beta**2)
        boosted = p.copy()
        boosted[..., 0], boosted[..., 3] = (
            gamma * (p[..., 0] + beta * p[..., 3]),
            gamma * (p[..., 3] + beta * p[..., 0]),
        )
        np.testing.assert_allclose(provider.evaluate(boosted), expected, rtol=1e-10)


@pytest.mark.parametrize("process", [process for process in (*ALL, *LARGE) if " g" in process or process[0] == "g"])
def test_gauge_invariance(process):
    line, p = native(process).line, sample(process, 10, 2e-4)
    usual, bad = engine.evaluate(line, DEFAULTS, p)
    assert not bad.any()
    assert (usual > 0).all()
    for gluon in range(len(line.gluons)):
        longitudinal, _ = engine.evaluate(line, DEFAULTS, p, replaced=gluon)
        assert (np.abs(longitudinal) < 1e-25 * usual).all()


def test_crossing_of_the_leptons():
    # incoming leptons are outgoing ones of the other charge: the same function of the invariants
    p = sample("e- e+ > d d~", 20)
    crossed = p[:, [3, 2, 1, 0]]  # d d~ beams become e- e+ that fly out of them, and the other way round
    ours, theirs = native("d d~ > e- e+"), native("e- e+ > d d~")
    # averages over initial spins and colours: 36 and 4 states
    np.testing.assert_allclose(9 * ours.evaluate(crossed), theirs.evaluate(p), rtol=1e-12)


def test_two_quarks_to_two_gluons_closed_form():
    # R.K. Ellis, W.J. Stirling, B.R. Webber, QCD and Collider Physics, table 7.1
    p = sample("u u~ > g g", 30)
    s = (p[:, 0, 0] + p[:, 1, 0]) ** 2
    t = -2 * (p[:, 0, 0] * p[:, 2, 0] - (p[:, 0, 1:] * p[:, 2, 1:]).sum(axis=1))
    u = -s - t
    expected = (4 * np.pi * 0.118) ** 2 * (32 / 27 * (t**2 + u**2) / (t * u) - 8 / 3 * (t**2 + u**2) / s**2) / 2
    np.testing.assert_allclose(native("u u~ > g g").evaluate(p), expected, rtol=1e-12)


def product(p: np.ndarray, i: int, j: int) -> np.ndarray:
    """p_i.p_j of massless legs, without cancellation at small angles."""
    p, q = p[:, i], p[:, j]
    cosine = (p[:, 1:] * q[:, 1:]).sum(axis=1)
    crossed = (np.cross(p[:, 1:], q[:, 1:]) ** 2).sum(axis=1)
    acute = crossed / (p[:, 0] * q[:, 0] + np.maximum(cosine, 0))
    return np.where(cosine > 0, acute, p[:, 0] * q[:, 0] - cosine)


def close_leptons(mass: float, rng: np.random.Generator) -> np.ndarray:
    """Pairs of this mass with 450 GeV or so, and a gluon that balances them."""
    directions, across = rng.normal(size=(2, 50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    across -= (across * directions).sum(axis=1, keepdims=True) * directions
    across *= 0.5 * mass / np.linalg.norm(across, axis=1, keepdims=True)
    final = np.zeros((50, 3, 4))
    final[:, 0, 1:], final[:, 1, 1:] = 300 * directions + across, 150 * directions - across
    final[:, 2, 1:] = -450 * directions
    final[..., 0] = np.linalg.norm(final[..., 1:], axis=2)
    return with_beams(final)


@pytest.mark.parametrize(("mass", "rtol"), [(500.0, 1e-12), (80.0, 1e-12), (4.0, 1e-11), (0.1, 1e-8)])
def test_one_gluon_closed_form_with_close_leptons(mass, rtol, rng):
    # e+e- > q q~ g of R.K. Ellis, D.A. Ross, A.E. Terrano, Nucl. Phys. B178 (1981) 421, crossed, by chiralities:
    # s_ll ((q.l)^2 + (q~.l~)^2) / (q.g q~.g) times the propagators squared
    p = close_leptons(mass, rng)
    line = native("d d~ > e- e+ g").line
    assert (line.quark, line.antiquark, line.vector.leptons) == (1, 0, (3, 2))
    s = 2 * product(p, 2, 3)
    m_z, width, _, photon, *couplings = engine.constants(line, DEFAULTS)[3][:8]

    def propagators(two: list[float]) -> np.ndarray:
        return sum(np.abs(photon / s + z / (s - m_z**2 + 1j * width)) ** 2 for z in two)

    same = propagators(couplings[:2]) * (product(p, 1, 2) ** 2 + product(p, 0, 3) ** 2)
    flip = propagators(couplings[2:]) * (product(p, 1, 3) ** 2 + product(p, 0, 2) ** 2)
    colours = (3 * 4 / 3) * 8 * (4 * np.pi * 0.118) / 36
    expected = colours * s * (same + flip) / (product(p, 0, 4) * product(p, 1, 4))
    np.testing.assert_allclose(native("d d~ > e- e+ g").evaluate(p) / expected, 1, rtol=rtol)


@pytest.mark.parametrize("process", ["d d~ > e- e+ g g", "g u > d e+ ve g", "u u~ > g g g", "g g > u u~ g g"])
def test_threads_of_a_gpu_would_agree(process):
    from ampcli.amplitudes.native.engine import PACKAGE, constants
    from ampcli.instructions import compiled_module

    provider, p = native(process), sample(process, 20)
    module = compiled_module(PACKAGE, "baseline")
    values, bad = module.evaluate_as_threads(p, *constants(provider.line, DEFAULTS), single=False)
    assert not bad.any()
    np.testing.assert_allclose(values, provider.evaluate(p), rtol=1e-12)
    single, _ = module.evaluate_as_threads(p, *constants(provider.line, DEFAULTS), single=True)
    np.testing.assert_allclose(single, values, rtol=1e-3)


def test_colour_flows_of_partons(rng):
    p = sample("u u~ > g g", 200)
    flows = native("u u~ > g g").colour_flows(p, rng.random(200))
    for event in flows:
        ends = [event[0, 0], event[1, 1]]  # the quark's colour and the antiquark's anticolour flow into the event
        assert min(ends) > 0
        lines = sorted([*event[:2].ravel(), *event[2:, ::-1].ravel()])
        assert [n for n in lines if n] == sorted(2 * [501, 502, 503])


@pytest.mark.parametrize("process", ["d d~ > e- e+ g", "u d~ > e+ ve", "u u~ > g g g"])
def test_identity_and_alpha_s(process):
    provider, p = native(process), sample(process, 5)
    assert ("gamma_w" in provider.identity().parameters) == ("ve" in process)
    gluons = process.split(">")[1].split().count("g")
    np.testing.assert_allclose(provider.evaluate(p, 0.236), 2.0**gluons * provider.evaluate(p), rtol=1e-14)
