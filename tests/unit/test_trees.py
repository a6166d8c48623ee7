"""Trees of the Standard Model by brute force: MadGraph's numbers, closed forms, gauge invariance, unitarity."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ampcli.amplitudes import check, trees
from ampcli.amplitudes.standard_model import Constants, polarisations
from ampcli.amplitudes.trees import Trees
from ampcli.process import parse_process

C = Constants()
NO_WIDTHS = Constants(gamma_z=0.0, gamma_w=0.0, gamma_t=0.0, gamma_h=0.0)
E2, G2S = 4 * math.pi * C.alpha_ew, 4 * math.pi * C.alpha_s
S2, C2 = C.sin2_theta_w, 1 - C.sin2_theta_w


def events(text: str, *energies: float) -> np.ndarray:
    """Energies in units of the sum of all masses, or of 100 GeV; at least 500 GeV."""
    return check.events(parse_process(text), energies)


def squares(text: str, momenta: np.ndarray, constants: Constants = C) -> np.ndarray:
    process = parse_process(text)
    return Trees(process, constants).squares(momenta, check.leading_order(process))


def mandelstam(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    def square(q: np.ndarray) -> np.ndarray:
        return q[:, 0] ** 2 - (q[:, 1:] ** 2).sum(axis=1)

    return square(p[:, 0] + p[:, 1]), square(p[:, 0] - p[:, 2]), square(p[:, 0] - p[:, 3])


def published() -> list[dict]:
    """MadGraph's points; with three gluons they take a minute, and the native engine agrees with those."""
    file = Path(__file__).parents[1] / "reference" / "madgraph_standalone.json"
    return [case for case in json.loads(file.read_text())["cases"] if case["process"].count("g") <= 2]


@pytest.mark.parametrize("case", published(), ids=lambda case: case["process"])
def test_madgraph(case):
    found = squares(case["process"], np.array(case["momenta"], dtype=float)[None])
    np.testing.assert_allclose(found, float(case["full"]), rtol=1e-12)


# Closed forms of 2 -> 2, averaged, over k! for identical particles; s, t = (p1 - p3)^2, u.
CHARGE = {"e-": -1.0, "ve": 0.0, "u": 2 / 3, "d": -1 / 3}
ISOSPIN = {"e-": -0.5, "ve": 0.5, "u": 0.5, "d": -0.5}


def z_coupling(f: str) -> dict[str, float]:
    left = (ISOSPIN[f] - CHARGE[f] * S2) / math.sqrt(S2 * C2)
    return {"L": left, "R": -CHARGE[f] * S2 / math.sqrt(S2 * C2)}


def exchange(a: str, b: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """Photon and Z between lines a and b at momentum transfer squared x, by chiralities, over e^2."""
    width = C.m_z * C.gamma_z
    z = 1 / (x - C.m_z**2 + 1j * width)
    return {i + j: CHARGE[a] * CHARGE[b] / x + z_coupling(a)[i] * z_coupling(b)[j] * z for i in "LR" for j in "LR"}


def annihilation(a, b, colour):
    def formula(s, t, u):
        p = exchange(a, b, s)
        same, other = (abs(p["LL"]) ** 2 + abs(p["RR"]) ** 2), (abs(p["LR"]) ** 2 + abs(p["RL"]) ** 2)
        return colour * E2**2 * (same * u**2 + other * t**2)

    return formula


def scattering(a, b):
    def formula(s, t, u):
        p = exchange(a, b, t)
        return E2**2 * (
            sum(abs(p[k]) ** 2 for k in ("LL", "RR")) * s**2 + sum(abs(p[k]) ** 2 for k in ("LR", "RL")) * u**2
        )

    return formula


def bhabha(s, t, u):
    a, b = exchange("e-", "e-", s), exchange("e-", "e-", t)
    same = sum(abs(a[k] + b[k]) ** 2 for k in ("LL", "RR")) * u**2
    crossed = sum(abs(a[k]) ** 2 * t**2 + abs(b[k]) ** 2 * s**2 for k in ("LR", "RL"))
    return E2**2 * (same + crossed)


def moller(s, t, u):
    a, b = exchange("e-", "e-", t), exchange("e-", "e-", u)
    same = sum(abs(a[k] + b[k]) ** 2 for k in ("LL", "RR")) * s**2
    crossed = sum(abs(a[k]) ** 2 * u**2 + abs(b[k]) ** 2 * t**2 for k in ("LR", "RL"))
    return E2**2 * (same + crossed) / 2


def charged_current(s, t, u):
    return E2**2 / (4 * S2**2) * u**2 / abs(s - C.m_w**2 + 1j * C.m_w * C.gamma_w) ** 2


def photons(f, colour):
    return lambda s, t, u: colour * (E2 * CHARGE[f] ** 2) ** 2 * (t / u + u / t)


def strength(f):
    return E2 * sum(g**2 for g in z_coupling(f).values())


def z_and_massless(f, coupling, colour):
    return lambda s, t, u: colour * strength(f) * coupling * (t**2 + u**2 + 2 * s * C.m_z**2) / (t * u)


def two_z(f, colour):
    g4 = E2**2 * sum(g**4 for g in z_coupling(f).values())
    m2 = C.m_z**2
    return lambda s, t, u: colour * g4 / 2 * (t / u + u / t + 4 * m2 * s / (t * u) - m2**2 * (1 / t**2 + 1 / u**2))


def boson_and_higgs(couplings, mass, width, mass_coupling, colour):
    def formula(s, t, u):
        product = (mass**2 - t) * (mass**2 - u) / 4  # p1.k p2.k with k the boson's momentum
        return (
            colour
            * couplings
            / 4
            * mass_coupling
            * (s + 4 * product / mass**2)
            / abs(s - mass**2 + 1j * mass * width) ** 2
        )

    return formula


def heavy_pair(s, t, u):
    m2 = C.m_t**2
    return G2S**2 * 4 / 9 * ((t - m2) ** 2 + (u - m2) ** 2 + 2 * m2 * s) / s**2


def gluons_to_heavy_pair(s, t, u):  # B.L. Combridge, Nucl. Phys. B151 (1979) 429
    m2 = C.m_t**2
    a, b = m2 - t, m2 - u
    return G2S**2 * (1 / (6 * a * b) - 3 / (8 * s**2)) * (a**2 + b**2 + 4 * m2 * s - 4 * (m2 * s) ** 2 / (a * b))


Z_H = (E2 / (S2 * C2)) * C.m_z**2
W_H = (E2 / S2) * C.m_w**2

FORMS = {
    "e- e+ > mu- mu+": annihilation("e-", "e-", 1),
    "e- e+ > ta- ta+": annihilation("e-", "e-", 1),
    "e- e+ > vm vm~": annihilation("e-", "ve", 1),
    "e- e+ > u u~": annihilation("e-", "u", 3),
    "e- e+ > d d~": annihilation("e-", "d", 3),
    "u u~ > e- e+": annihilation("u", "e-", 1 / 3),
    "d d~ > mu- mu+": annihilation("d", "e-", 1 / 3),
    "e- mu- > e- mu-": scattering("e-", "e-"),
    "e- u > e- u": scattering("e-", "u"),
    "e- d > e- d": scattering("e-", "d"),
    "e- e+ > e- e+": bhabha,
    "e- e- > e- e-": moller,
    "u d~ > ve e+": lambda s, t, u: charged_current(s, t, u) / 3,
    "u d~ > e+ ve": lambda s, t, u: charged_current(s, u, t) / 3,
    "e- e+ > a a": photons("e-", 1),
    "u u~ > a a": photons("u", 1 / 3),
    "d d~ > a a": photons("d", 1 / 3),
    "a a > e- e+": lambda s, t, u: 2 * photons("e-", 1)(s, t, u),
    "e- a > e- a": lambda s, t, u: -2 * E2**2 * (s / u + u / s),
    "u u~ > a g": lambda s, t, u: 8 / 9 * G2S * E2 * 4 / 9 * (t / u + u / t),
    "a g > u u~": lambda s, t, u: G2S * E2 * 4 / 9 * (t / u + u / t),
    "g u > a u": lambda s, t, u: -1 / 3 * G2S * E2 * 4 / 9 * (s / u + u / s),
    "e- e+ > z a": z_and_massless("e-", E2, 1),
    "u u~ > z a": z_and_massless("u", E2 * 4 / 9, 1 / 3),
    "d d~ > z a": z_and_massless("d", E2 / 9, 1 / 3),
    "d d~ > z g": z_and_massless("d", G2S, 4 / 9),
    "e- e+ > z z": two_z("e-", 1),
    "u u~ > z z": two_z("u", 1 / 3),
    "e- e+ > z h": boson_and_higgs(strength("e-"), C.m_z, C.gamma_z, Z_H, 1),
    "u u~ > z h": boson_and_higgs(strength("u"), C.m_z, C.gamma_z, Z_H, 1 / 3),
    "u d~ > w+ h": boson_and_higgs(E2 / (2 * S2), C.m_w, C.gamma_w, W_H, 1 / 3),
    "u u~ > d d~": lambda s, t, u: G2S**2 * 4 / 9 * (t**2 + u**2) / s**2,
    "u d > u d": lambda s, t, u: G2S**2 * 4 / 9 * (s**2 + u**2) / t**2,
    "u u > u u": lambda s, t, u: (
        G2S**2 / 2 * (4 / 9 * ((s**2 + u**2) / t**2 + (s**2 + t**2) / u**2) - 8 / 27 * s**2 / (t * u))
    ),
    "u u~ > u u~": lambda s, t, u: (
        G2S**2 * (4 / 9 * ((s**2 + u**2) / t**2 + (t**2 + u**2) / s**2) - 8 / 27 * u**2 / (s * t))
    ),
    "u u~ > g g": lambda s, t, u: G2S**2 / 2 * (32 / 27 * (t / u + u / t) - 8 / 3 * (t**2 + u**2) / s**2),
    "g g > u u~": lambda s, t, u: G2S**2 * ((t / u + u / t) / 6 - 3 / 8 * (t**2 + u**2) / s**2),
    "g u > g u": lambda s, t, u: G2S**2 * (-4 / 9 * (s / u + u / s) + (s**2 + u**2) / t**2),
    "g g > g g": lambda s, t, u: G2S**2 / 2 * 9 / 2 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2),
    "u u~ > t t~": heavy_pair,
    "g g > t t~": gluons_to_heavy_pair,
}


@pytest.mark.parametrize("text", FORMS)
def test_closed_forms(text):
    momenta = events(text, 4.0, 9.0, 30.0)
    constants = NO_WIDTHS if "t" in text.split() else C
    np.testing.assert_allclose(squares(text, momenta, constants), FORMS[text](*mandelstam(momenta)), rtol=1e-9)


GAUGE = [
    "e- e+ > w+ w- a", "w+ w- > w+ w- a", "u d~ > w+ z a", "a a > w+ w-", "t b~ > w+ a", "w+ a > w+ h z", "a e- > e- z",
    "u d~ > e+ ve a", "e- ve~ > w- a", "g t > b w+", "u u~ > w+ w- g", "g g > t t~",
]  # fmt: skip


@pytest.mark.parametrize("text", GAUGE)
def test_gauge_invariance(text, monkeypatch):
    """The momentum in the place of a photon's or gluon's polarisation gives nothing (without widths)."""
    momenta = events(text, 3.0, 10.0)
    usual = squares(text, momenta, NO_WIDTHS)

    def longitudinal(p, mass):
        return polarisations(p, mass) if mass else np.repeat(p[:, None] / p[:, :1, None], 2, axis=1)

    monkeypatch.setattr(trees, "polarisations", longitudinal)
    assert (squares(text, momenta, NO_WIDTHS) < 1e-18 * usual).all()


UNITARY = [
    "e- e+ > w+ w-", "w+ w- > w+ w-", "z z > z z", "w+ w- > z z", "h h > h h", "z z > h h", "w+ w- > h h", "z h > z h",
    "w+ w- > t t~", "t t~ > w+ w-", "ve ve~ > w+ w-", "b b~ > w+ w-", "e- ve~ > w- z", "w+ z > w+ z", "t b~ > w+ z",
]  # fmt: skip


@pytest.mark.parametrize("text", UNITARY)
def test_no_growth_with_energy(text):
    """Single diagrams grow like s or s^2; their sum does not (widths would spoil that)."""
    low, high = squares(text, events(text, 100.0), NO_WIDTHS), squares(text, events(text, 1000.0), NO_WIDTHS)
    assert 0 < high[0] < 50 * low[0]


def test_electroweak_order():
    """u u~ > d d~: gluons alone, or everything; the orders add up to the whole amplitude's interference."""
    process, momenta = parse_process("u u~ > d d~"), events("u u~ > d d~", 5.0)
    whole = Trees(process).squares(momenta)
    strong, weak = Trees(process).squares(momenta, 0), Trees(process).squares(momenta, 2)
    assert 0 < weak[0] < 0.1 * strong[0]
    assert abs(whole[0] - strong[0] - weak[0]) < 2 * math.sqrt(strong[0] * weak[0])


@pytest.mark.parametrize("text", ["e- e+ > d u~", "e- e+ > h", "u s~ > w+", "a a > a a"])
def test_what_vanishes(text):
    assert check.vanishes(parse_process(text))


@pytest.mark.parametrize("text", ["u d~ > c s~", "e- e+ > ve ve~", "u d > u d h"])
def test_what_does_not(text):
    assert not check.vanishes(parse_process(text))
