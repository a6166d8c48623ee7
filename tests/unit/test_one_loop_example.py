"""The one-loop library of examples/c: published numbers, poles, crossings."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from own_library import COMPILER, ONE_LOOP, OneLoop, compiled

from ampcli.amplitudes.native.provider import Native
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

N, C_F, FLAVOURS = 3.0, 4 / 3, 5
ALPHA_S = 0.118
MCFM = {
    "alphas": ALPHA_S,
    "alpha": 1 / 132.6844139,
    "m_z": 91.1876,
    "gamma_z": 2.4952,
    "sw2": 1 - (80.44 / 91.1876) ** 2,
}
OURS = {"alphas": ALPHA_S, "alpha": 1 / 132.507, "m_z": 91.188, "gamma_z": 2.441404, "sw2": 0.4714302554840723**2}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return compiled(ONE_LOOP, tmp_path_factory.mktemp("library") / "libeeqqg.so")


@pytest.fixture(scope="module")
def cases(repository) -> list[dict]:
    return json.loads((repository / "tests" / "reference" / "one_loop.json").read_text())["cases"]


def events(n: int) -> np.ndarray:
    final = np.ascontiguousarray(rambo(np.random.default_rng(5).random((n, 3, 4)), 800.0))
    return with_beams(final, 800.0)


def to_dred(result: np.ndarray) -> float:
    """The finite part in dimensional reduction: Kunszt, Signer, Trocsanyi, hep-ph/9305239."""
    return result[2] + ALPHA_S / (2 * math.pi) * (C_F + N / 6) * result[3]


@pytest.mark.parametrize(("codes", "case"), [("1 -1 -> 11 -11 21", 0), ("1 21 -> 11 -11 1", 1)])
def test_mcfm(codes, case, library, cases, tmp_path):
    """To 1.5e-9, the digits of its alpha."""
    event = np.array(cases[0]["momenta"])
    found, accuracy = OneLoop(library, codes, tmp_path, **MCFM)(event, cases[0]["mu_r"])
    born, finite, single, double = cases[case]["amp"]
    np.testing.assert_allclose(found[[0, 1, 3]], [double, single, born], rtol=2e-9)
    np.testing.assert_allclose(to_dred(found), finite, rtol=2e-8)
    assert accuracy < 1e-12


def triangle(s12: float, s: float, m2: float) -> complex:
    """Axial form factor of a quark loop between a gluon of virtuality s12 and a Z of s, up to a constant."""

    def squared_log(q2: float) -> complex:
        beta = math.sqrt(abs(1 - 4 * m2 / q2))
        return (math.log((1 + beta) / (1 - beta)) - 1j * math.pi) ** 2 if q2 > 4 * m2 else -4 * math.atan(1 / beta) ** 2

    def bubble(q2: float) -> complex:
        beta = math.sqrt(abs(1 - 4 * m2 / q2))
        if q2 > 4 * m2:
            return -beta * (math.log((1 + beta) / (1 - beta)) - 1j * math.pi)
        return -2 * beta * math.atan(1 / beta)

    if m2 == 0:
        return (1 + s / (s - s12) * math.log(s12 / s)) / (2 * (s - s12))
    scalar = (squared_log(s12) - squared_log(s)) / (2 * (s12 - s))
    return (1 + 2 * m2 * scalar + s / (s - s12) * (bubble(s) - bubble(s12))) / (2 * (s - s12))


def boosted(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """A momentum in the rest frame of q, seen where q is."""
    mass = math.sqrt(q[0] ** 2 - q[1:] @ q[1:])
    gamma, beta = q[0] / mass, q[1:] / q[0]
    along = beta @ p[1:]
    return np.array([gamma * (p[0] + along), *(p[1:] + ((gamma - 1) * along / (beta @ beta) + gamma * p[0]) * beta)])


def decays(event: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """d d~ > l- l+ g in place of d d~ > z g: lepton directions and weights that integrate quadratic functions."""
    z, found = event[2], []
    half = math.sqrt(z[0] ** 2 - z[1:] @ z[1:]) / 2
    for cosine, weight in zip(*np.polynomial.legendre.leggauss(3), strict=True):
        for phi in np.arange(4) * math.pi / 2 + 0.3:
            sine = math.sqrt(1 - cosine**2)
            axis = half * np.array([sine * math.cos(phi), sine * math.sin(phi), cosine])
            pair = [boosted(np.array([half, *(sign * axis)]), z) for sign in (1, -1)]
            found.append((weight, np.array([event[0], event[1], *pair, event[3]])))
    return found


def heavy_quarks(event: np.ndarray, sw2: float, top: float) -> float:
    """Interference of the triangle of top and bottom with the Born of d d~ > z g, over alpha_s/2 pi and the Born.

    The amplitude is that of Bern, Dixon, Kosower, hep-ph/9708239, of one helicity of the quarks: the other's is its
    mirror image, with the opposite sign of the axial coupling.
    """
    mixed = squared = 0.0
    for weight, (d, d_bar, lepton, antilepton, gluon) in decays(event):
        legs = np.array([-d, -d_bar, lepton, antilepton, gluon])
        up = np.sqrt((legs[:, 0] + legs[:, 1]).astype(complex))
        down = (legs[:, 2] + 1j * legs[:, 3]) / up
        s = 2 * (np.outer(legs[:, 0], legs[:, 0]) - legs[:, 1:] @ legs[:, 1:].T)
        angle = np.outer(up, down) - np.outer(down, up)
        square = -s / (angle + np.eye(5))
        total = s[2, 3]
        loop = 2 * (triangle(s[0, 1], total, 0.0) - triangle(s[0, 1], total, top**2))
        for a, b, anti, quark, out, bar in ((angle, square, 0, 1, 2, 3), (square, angle, 1, 0, 3, 2)):
            sandwich = a[out, quark] * b[quark, anti] + a[out, 4] * b[4, anti]
            born = -b[anti, bar] * sandwich / (b[quark, 4] * b[4, anti] * total)
            axial = a[quark, 4] * a[out, 4] * b[anti, bar] / total * loop
            mixed += weight * (np.conj(born) * axial).real
            squared += weight * abs(born) ** 2
    left, right = -1 + 2 / 3 * sw2, 2 / 3 * sw2
    return (left - right) / (left**2 + right**2) * mixed / squared


@pytest.mark.parametrize("case", [2, 3])
def test_gosam_and_openloops(case, library, cases, tmp_path):
    """d d~ > z g: the mean over the directions of the leptons, and the heavy quarks that the library leaves out."""
    stored = cases[case]
    event = np.array(stored["momenta"])
    call = OneLoop(library, "1 -1 -> 11 -11 21", tmp_path, **MCFM)
    total = sum(weight * call(lepton_event, stored["mu_r"])[0] for weight, lepton_event in decays(event))
    ours = total[:3] / total[3] * 2 * math.pi / ALPHA_S
    ours[2] -= heavy_quarks(event, 1 - (80.419 / 91.188) ** 2, 171.2)
    born, finite, single, double = stored["amp"]
    np.testing.assert_allclose(ours, np.array([double, single, finite]) / born, rtol=1e-7)


def poles(event: np.ndarray, quark: int, antiquark: int, gluon: int, mu: float) -> tuple[float, float]:
    """1/eps^2 and 1/eps over alpha_s/2 pi and the Born: the operator I of Catani and Seymour, hep-ph/9605323."""
    products = {(quark, antiquark): N / 2 - C_F, (quark, gluon): -N / 2, (antiquark, gluon): -N / 2}
    single = -(2 * 1.5 * C_F + 11 / 6 * N - FLAVOURS / 3)
    for (i, j), product in products.items():
        p, q = event[i], event[j]
        single += 2 * product * math.log(mu**2 / abs(2 * (p[0] * q[0] - p[1:] @ q[1:])))
    return -(2 * C_F + N), single


@pytest.mark.parametrize(
    ("codes", "legs"),
    [
        ("11 -11 -> 2 -2 21", (2, 3, 4)),
        ("-13 13 -> 21 3 -3", (3, 4, 2)),
        ("2 -2 -> 15 -15 21", (0, 1, 4)),
        ("21 -5 -> 11 -5 -11", (1, 3, 0)),
    ],
)
def test_poles(codes, legs, library, tmp_path):
    call = OneLoop(library, codes, tmp_path, **OURS)
    for event in events(20):
        found, accuracy = call(event, 300.0)
        expected = np.array(poles(event, *legs, 300.0)) * ALPHA_S / (2 * math.pi) * found[3]
        np.testing.assert_allclose(found[:2], expected, rtol=1e-10)
        assert 0 <= accuracy < 1e-9


def test_scale(library, tmp_path):
    """The renormalised amplitude at another scale, by its poles and the running of alpha_s."""
    call = OneLoop(library, "11 -11 -> 2 -2 21", tmp_path, **OURS)
    event = events(1)[0]
    (double, single, finite, born), _ = call(event, 300.0)
    grown = 2 * math.log(500.0 / 300.0)
    running = ALPHA_S / (2 * math.pi) * (11 * N - 2 * FLAVOURS) / 6 * born
    expected = finite + grown * (single + running) + grown**2 / 2 * double
    np.testing.assert_allclose(call(event, 500.0)[0][2], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("codes", "process"),
    [
        ("11 -11 -> 2 -2 21", "e- e+ > u u~ g"),
        ("1 -1 -> 11 -11 21", "d d~ > e- e+ g"),
        ("2 21 -> 11 -11 2", "u g > e- e+ u"),
    ],
)
def test_born(codes, process, library, tmp_path):
    momenta = events(20)
    call = OneLoop(library, codes, tmp_path, **OURS)
    found = [call(event, 100.0)[0][3] for event in momenta]
    np.testing.assert_allclose(found, Native(parse_process(process)).evaluate(momenta), rtol=1e-11)
