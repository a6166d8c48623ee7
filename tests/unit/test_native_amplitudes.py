"""Native amplitudes: reference numbers, pyamplicol, closed forms, couplings, and the same bits however it is called."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.providers import make_provider
from ampcli.instructions import instruction_set
from ampcli.kinematics import min_invariant, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0
N_C = 3

REFERENCES = {
    "ee_ddg": "e- e+ > d d~ g",
    "ee_ddgg": "e- e+ > d d~ g g",
    "ee_ddggg": "e- e+ > d d~ g g g",
    "ddx_zgg": "d d~ > z g g",
    "ddx_zggg": "d d~ > z g g g",
    "ddx_zgggg": "d d~ > z g g g g",
    "dg_zdg": "d g > z d g",
    "dg_zdgg": "d g > z d g g",
    "dg_zdggg": "d g > z d g g g",
}

_ORDER = ("baseline", "avx2", "avx512")
COMPILED = _ORDER[: _ORDER.index(instruction_set()) + 1]  # those that this processor runs


def native(process: str, **parameters: float) -> Native:
    return Native(parse_process(process), Parameters.of(parameters))


def sample(process: str, n: int = 100, seed: int = 5, m_z: float = DEFAULTS.m_z) -> np.ndarray:
    """Flat massless points, their Z then put on its mass shell (sqrt(s) grows with it), partons well apart."""
    legs = parse_process(process).with_mass("z", m_z)
    final = np.ascontiguousarray(rambo(np.random.default_rng(seed).random((20 * n, legs.n_final, 4)), E))
    final = final[min_invariant(final) > 1e-4 * E**2][:n]
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(legs.final_masses) ** 2)
    assert len(final) == n
    return with_beams(final)


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(axis=1)


@pytest.mark.parametrize("on", COMPILED)
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(("region", "rtol"), [("regular", 1e-12), ("corner", 1e-9)])
def test_reference(amplitude_reference, name, region, rtol, on):
    provider = native(REFERENCES[name])
    values, bad = engine.evaluate(provider.line, DEFAULTS, amplitude_reference[f"{name}/{region}/momenta"], on=on)
    assert not bad.any()
    np.testing.assert_allclose(values, amplitude_reference[f"{name}/{region}/me2"], rtol=rtol)


@pytest.mark.parametrize(
    ("process", "theirs", "order"),
    [
        ("e- e+ > d d~", "e- e+ > d d~", [0, 1, 2, 3]),
        ("e- e+ > u u~ g g", "e- e+ > u u~ g g", [0, 1, 2, 3, 4, 5]),
        ("d d~ > z g g g", "d d~ > z g g g", [0, 1, 2, 3, 4, 5]),
        ("d g > z d g g", "d g > z d g g", [0, 1, 2, 3, 4, 5]),
        ("g g > z d d~", "g g > z d d~", [0, 1, 2, 3, 4]),
        ("d~ g > z d~ g", "d~ g > z d~ g", [0, 1, 2, 3, 4]),
        ("u~ u > z g g", "u u~ > z g g", [1, 0, 2, 3, 4]),
    ],
)
def test_pyamplicol_agrees(process, theirs, order):
    p = sample(process, 2000)
    expected = make_provider("pyamplicol", parse_process(theirs)).evaluate(p[:, order])
    np.testing.assert_allclose(native(process).evaluate(p), expected, rtol=1e-9)


LAYOUTS = ["e- e+ > d d~ g g", "e- e+ > u u~", "d d~ > z g g g", "g g > z u u~ g"]


@pytest.mark.skipif("avx512" not in COMPILED, reason="this processor has no AVX-512")
@pytest.mark.parametrize("process", [*LAYOUTS, "d d~ > z g g g g g"])
@pytest.mark.parametrize("squares", [False, True])
def test_avx2_and_avx512_give_the_same_bits(process, squares):
    line, p = native(process).line, sample(process, 101)
    found = [engine.evaluate(line, DEFAULTS, p, squares=squares, on=on)[0] for on in ("avx2", "avx512")]
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("on", COMPILED)
@pytest.mark.parametrize("process", LAYOUTS)
def test_values_depend_on_their_event_alone(process, on):
    line, p = native(process).line, sample(process)
    together, _ = engine.evaluate(line, DEFAULTS, p, on=on)
    assert len(set(together.tolist())) == len(p)
    backwards, _ = engine.evaluate(line, DEFAULTS, p[::-1].copy(), on=on)
    np.testing.assert_array_equal(backwards[::-1], together)
    for size in (1, 2, 7, 8, 9):
        starts = range(0, len(p), size)
        parts = [engine.evaluate(line, DEFAULTS, p[start : start + size], on=on)[0] for start in starts]
        np.testing.assert_array_equal(np.concatenate(parts), together)
    for threads in (1, 2, 3, 50):
        shared, _ = engine.evaluate(line, DEFAULTS, p, threads=threads, on=on)
        np.testing.assert_array_equal(shared, together)


# e- e+ -> photon, Z -> q q~: helicity amplitudes 2 e^2 (Q_e Q_q + g_e g_q s / (s - M^2 + i M Gamma)) u/s for equal,
# t/s for opposite chiralities; couplings to the Z are (T3 - Q s_w^2) / (s_w c_w) and -Q s_w / c_w.
@pytest.mark.parametrize(("quark", "charge", "isospin"), [("d", -1 / 3, -0.5), ("u", 2 / 3, 0.5), ("b", -1 / 3, -0.5)])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"m_z": 700.0, "gamma_z": 150.0},
        {"m_z": 1000.0, "gamma_z": 30.0},
        {"alpha_ew": 1 / 100},
        {"sin2_theta_w": 0.4},
    ],
)
def test_two_jets_closed_form(quark, charge, isospin, changed):
    p = sample(f"e- e+ > {quark} {quark}~")
    parameters = Parameters.of(changed)
    sine = math.sqrt(parameters.sin2_theta_w)
    cosine = math.sqrt(1 - sine**2)

    def to_z(charge: float, isospin: float, hand: str) -> float:
        return (isospin - charge * sine**2) / (sine * cosine) if hand == "L" else -charge * sine / cosine

    s, t, u = E**2, -2 * product(p[:, 0], p[:, 2]), -2 * product(p[:, 0], p[:, 3])
    resonance = s / (s - parameters.m_z**2 + 1j * parameters.m_z * parameters.gamma_z)
    expected = np.zeros(len(p))
    for electron in "LR":
        for other in "LR":
            exchanged = -charge + to_z(-1, -0.5, electron) * to_z(charge, isospin, other) * resonance
            amplitude = 2 * 4 * math.pi * parameters.alpha_ew * abs(exchanged) * (u if electron == other else t) / s
            expected += N_C * amplitude**2 / 4
    np.testing.assert_allclose(native(f"e- e+ > {quark} {quark}~", **changed).evaluate(p), expected, rtol=1e-12)


# Tr[p2 gamma^mu p1 gamma^nu P_L] (-g_mu nu + k_mu k_nu / M^2) = 4 p1.p2 = 2 M^2 for each chirality; 3 of 9 pairs of
# colours, 4 of spins.
@pytest.mark.parametrize(("quark", "charge", "isospin"), [("d", -1 / 3, -0.5), ("u", 2 / 3, 0.5)])
@pytest.mark.parametrize("changed", [{}, {"m_z": 50.0}, {"alpha_ew": 0.01}, {"sin2_theta_w": 0.3}])
@pytest.mark.parametrize("rapidity", [0.0, 1.5, -3.0])
def test_quarks_to_z_closed_form(quark, charge, isospin, changed, rapidity):
    provider = native(f"{quark} {quark}~ > z", **changed)
    m, sin2 = provider.parameters.m_z, provider.parameters.sin2_theta_w
    p = with_beams(np.array([[[m * math.cosh(rapidity), 0.0, 0.0, m * math.sinh(rapidity)]]]))
    strength = 4 * math.pi * provider.parameters.alpha_ew / (sin2 * (1 - sin2))
    couplings = strength * ((isospin - charge * sin2) ** 2 + (charge * sin2) ** 2)
    assert provider.evaluate(p) == pytest.approx(N_C * couplings * 2 * m**2 / (4 * N_C**2), rel=1e-12)


@pytest.mark.parametrize("process", ["e- e+ > d d~", "e- e+ > d d~ g g", "d d~ > z g", "d g > z d g g"])
def test_strong_coupling(process):
    p = sample(process)
    power = process.split().count("g")
    usual = native(process).evaluate(p)
    np.testing.assert_allclose(native(process, alpha_s=0.2).evaluate(p), usual * (0.2 / 0.118) ** power, rtol=1e-14)
    np.testing.assert_allclose(native(process).evaluate(p, alpha_s=0.2), usual * (0.2 / 0.118) ** power, rtol=1e-14)
    running = np.linspace(0.05, 0.3, len(p))
    np.testing.assert_allclose(
        native(process).evaluate(p, alpha_s=running), usual * (running / 0.118) ** power, rtol=1e-14
    )
    changed = native(process, alpha_s=0.3).evaluate(p, alpha_s=running)
    np.testing.assert_allclose(changed, usual * (running / 0.118) ** power, rtol=1e-14)


# The names of the same legs in another order, with their positions in the first process.
ORDERS = [
    ("e- e+ > d d~ g g", "e+ e- > d d~ g g", [1, 0, 2, 3, 4, 5]),
    ("e- e+ > d d~ g g", "e- e+ > g d~ g d", [0, 1, 4, 3, 5, 2]),
    ("e- e+ > d d~ g g", "mu- mu+ > s s~ g g", [0, 1, 2, 3, 4, 5]),
    ("e- e+ > d d~ g g", "ta+ ta- > b~ b g g", [1, 0, 3, 2, 4, 5]),
    ("e- e+ > u u~ g", "e- e+ > c c~ g", [0, 1, 2, 3, 4]),
    ("d d~ > z g g g", "d~ d > z g g g", [1, 0, 2, 3, 4, 5]),
    ("d d~ > z g g g", "b b~ > g g z g", [0, 1, 3, 4, 2, 5]),
    ("d g > z d g g", "g d > z d g g", [1, 0, 2, 3, 4, 5]),
    ("d g > z d g g", "d g > g g d z", [0, 1, 4, 5, 3, 2]),
    ("g g > z u u~ g", "g g > u~ z g u", [1, 0, 4, 2, 5, 3]),
]


@pytest.mark.parametrize(("process", "other", "order"), ORDERS)
def test_order_of_legs_and_names(process, other, order):
    p = sample(process)
    np.testing.assert_allclose(native(other).evaluate(p[:, order].copy()), native(process).evaluate(p), rtol=1e-12)


# Charge conjugation: both chiralities couple to the Z, and their amplitudes' squares are each other's mirror images.
@pytest.mark.parametrize(
    ("process", "conjugate"),
    [
        ("d d~ > z g g g", "d~ d > z g g g"),
        ("d g > z d g g", "d~ g > z d~ g g"),
        ("g u > z u g", "g u~ > z u~ g"),
        ("g g > z d d~ g", "g g > z d~ d g"),
        ("e- e+ > u u~ g g", "e+ e- > u~ u g g"),
    ],
)
def test_quarks_and_antiquarks_exchanged(process, conjugate):
    p = sample(process)
    mirrored = p * np.array([1.0, -1.0, -1.0, -1.0])
    expected = native(process).evaluate(p)
    np.testing.assert_allclose(native(process).evaluate(mirrored), expected, rtol=1e-13)
    np.testing.assert_allclose(native(conjugate).evaluate(p), expected, rtol=1e-13)
    np.testing.assert_allclose(native(conjugate).evaluate(mirrored), expected, rtol=1e-13)


def test_quarks_and_antiquarks_differ_in_their_angles_to_the_electron():
    p = sample("e- e+ > d d~ g")
    swapped = native("e- e+ > d~ d g").evaluate(p)
    assert (np.abs(swapped / native("e- e+ > d d~ g").evaluate(p) - 1) > 1e-3).mean() > 0.9


@pytest.mark.parametrize("process", ["e- e+ > d d~", "d d~ > z", "d d~ > z g g", "g g > z d d~ g g g"])
@pytest.mark.parametrize("on", COMPILED)
def test_no_events(process, on):
    provider = native(process)
    none = np.empty((0, provider.process.n_external, 4))
    assert provider.evaluate(none).shape == (0,)
    assert provider.evaluate(none, alpha_s=np.empty(0)).shape == (0,)
    assert provider.squared_orderings(none).shape == (0, math.factorial(len(provider.line.gluons)))
    for threads in (1, 3):
        values, bad = engine.evaluate(provider.line, DEFAULTS, none, threads=threads, on=on)
        assert values.shape == bad.shape == (0,)


@pytest.mark.parametrize("process", ["d d~ > z g", "d g > z d g", "g g > z d d~ g", "d d~ > z g g g g"])
def test_dimension(process):
    # GeV^(4 - 2 n_final).  Scaling by 4 is exact, square roots included.
    p = sample(process)
    larger = native(process, m_z=4 * DEFAULTS.m_z).evaluate(4 * p)
    power = 4 - 2 * parse_process(process).n_final
    np.testing.assert_array_equal(larger, native(process).evaluate(p) * 4.0**power)
