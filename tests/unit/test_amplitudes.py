"""Exact amplitudes through pyamplicol: reference numbers, closed forms, limits, symmetries, processes in parallel."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from ampcli.amplitudes.artifacts import OPTIONS, artifact_folder, ensure_artifact, generator_version
from ampcli.amplitudes.providers import make_provider
from ampcli.errors import IntegrityError, UsageError
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0
ALPHA_S = 0.118
C_F, C_A, N_C = 4 / 3, 3.0, 3

PROCESSES = {
    "ee_ddg": "e- e+ > d d~ g",
    "ee_ddgg": "e- e+ > d d~ g g",
    "ee_ddggg": "e- e+ > d d~ g g g",
    "ddx_zgg": "d d~ > z g g",
    "ddx_zggg": "d d~ > z g g g",
    "dg_zdg": "d g > z d g",
    "dg_zdgg": "d g > z d g g",
}
DEAR = {"ddx_zgggg": "d d~ > z g g g g", "dg_zdggg": "d g > z d g g g"}  # 40 s each to generate


def provider(process: str):
    return make_provider("pyamplicol", parse_process(process))


def jets(gluons: int):
    return provider("e- e+ > d d~" + " g" * gluons)


def sample(n_final: int, n: int = 300, seed: int = 11) -> np.ndarray:
    return with_beams(np.ascontiguousarray(rambo(np.random.default_rng(seed).random((n, n_final, 4)), E)), E)


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(axis=1)


@pytest.mark.parametrize("name", PROCESSES)
def test_reference(amplitude_reference, name):
    found = provider(PROCESSES[name]).evaluate(amplitude_reference[f"{name}/regular/momenta"])
    np.testing.assert_allclose(found, amplitude_reference[f"{name}/regular/me2"], rtol=1e-10)


@pytest.mark.parametrize("name", PROCESSES)
def test_reference_in_corners(amplitude_reference, name):
    momenta, exact, allowed = corners(amplitude_reference, name)
    assert (np.abs(provider(PROCESSES[name]).evaluate(momenta) / exact - 1) <= allowed).all()


def corners(reference, name):
    """Momenta, |M|^2, and what the rounding of the stored energies costs (tests/reference/README.md)."""
    momenta, exact, size, kind = (reference[f"{name}/corner/{key}"] for key in ("momenta", "me2", "size", "kind"))
    return momenta, exact, np.maximum(np.where(kind == "soft", 5e-14 / size, 5e-14 / size**2), 1e-12)


@pytest.mark.parametrize("name", DEAR)
def test_processes_that_are_dear_to_generate(repository, amplitude_reference, name):
    """Numbers of the last generation, while the generator and its options are the same; else they are made anew."""
    with np.load(repository / "tests" / "reference" / "pyamplicol.npz") as stored:
        record = dict(stored)
    same = json.loads(str(record["made_by"])) == {"pyamplicol": generator_version(), **OPTIONS}
    for region in ("regular", "corner"):
        momenta, exact = (amplitude_reference[f"{name}/{region}/{key}"] for key in ("momenta", "me2"))
        found = record[f"{name}/{region}/me2"] if same else provider(DEAR[name]).evaluate(momenta)
        allowed = 1e-10 if region == "regular" else corners(amplitude_reference, name)[2]
        ours = make_provider("native", parse_process(DEAR[name])).evaluate(momenta)
        assert (np.abs(found / exact - 1) <= allowed).all()
        assert (np.abs(found / ours - 1) <= allowed + 1e-9).all()


def test_identity():
    identity = jets(1).identity()
    assert identity.name == "pyamplicol"
    expected = {"alpha_s": ALPHA_S, "alpha_ew": 1 / 132.507, "m_z": 91.188, "gamma_z": 2.441404}
    assert identity.parameters == pytest.approx(expected, rel=1e-12)
    assert identity.options["color-accuracy"] == "full"
    assert identity.model_dump()["parameters"] == dict(identity.parameters)


# e- e+ -> photon, Z -> d d~ (g) by helicities: couplings of left- and right-handed fermions to the photon are Q, to the
# Z (T3 - Q s^2)/(s c) and -Q s/c (R.K. Ellis, W.J. Stirling, B.R. Webber, QCD and Collider Physics, Secs. 3.1, 8.4).
SIN = 0.47143025548407230
COS = math.sqrt(1 - SIN**2)
E2 = 4 * math.pi / 132.507


def coupling(charge: float, isospin: float, hand: str) -> float:
    return (isospin - charge * SIN**2) / (SIN * COS) if hand == "L" else -charge * SIN / COS


def chiral_strengths() -> dict[str, float]:
    """|Q_e Q_d + g_e g_d s / (s - M^2 + i M Gamma)|^2 for the four pairs of chiralities."""
    s, m, width = E**2, 91.188, 2.441404
    ratio = s / (s - m**2 + 1j * m * width)
    electron = {hand: coupling(-1, -1 / 2, hand) for hand in "LR"}
    down = {hand: coupling(-1 / 3, -1 / 2, hand) for hand in "LR"}
    return {a + b: abs(1 / 3 + electron[a] * down[b] * ratio) ** 2 for a in "LR" for b in "LR"}


def test_two_jets_closed_form():
    p = sample(2)
    strengths = chiral_strengths()
    same, opposite = strengths["LL"] + strengths["RR"], strengths["LR"] + strengths["RL"]
    t, u = -2 * product(p[:, 0], p[:, 2]), -2 * product(p[:, 0], p[:, 3])
    expected = N_C * E2**2 * (same * u**2 + opposite * t**2) / E**4
    np.testing.assert_allclose(jets(0).evaluate(p), expected, rtol=1e-9)


def test_three_jets_closed_form():
    # Per chirality 8 g_s^2 C_F N_c e^4 |P|^2 [(e-.q~)^2 + (e+.q)^2] / (s q.g q~.g) for LL and RR, q <-> q~ for LR, RL.
    p = sample(3)
    electron, positron, q, qbar, g = p.swapaxes(0, 1)
    strengths = chiral_strengths()
    same, opposite = strengths["LL"] + strengths["RR"], strengths["LR"] + strengths["RL"]
    numerator = same * (product(electron, qbar) ** 2 + product(positron, q) ** 2)
    numerator += opposite * (product(electron, q) ** 2 + product(positron, qbar) ** 2)
    strength = 8 * 4 * math.pi * ALPHA_S * C_F * N_C * E2**2 / 4
    expected = strength * numerator / (E**2 * product(q, g) * product(qbar, g))
    np.testing.assert_allclose(jets(1).evaluate(p), expected, rtol=1e-9)


def test_three_jets_averaged_over_directions():
    # (x1^2 + x2^2)/((1-x1)(1-x2)): the average over orientations is exact with 4 Gauss points times 5 angles,
    # because |M|^2 is a polynomial of degree 2 in the direction of the beam.
    nodes, weights = np.polynomial.legendre.leggauss(4)
    event = sample(3, 6)[:, 2:]
    angles = 2 * math.pi * np.arange(5) / 5
    x = 2 * event[..., 0] / E
    average = np.zeros(len(event))
    for node, weight in zip(nodes, weights, strict=True):
        for angle in angles:
            tilt = rotation(1, math.acos(node)) @ rotation(2, angle)
            turned = event.copy()
            turned[..., 1:] = event[..., 1:] @ tilt.T
            average += weight / 2 / len(angles) * jets(1).evaluate(with_beams(turned, E))
    shape = (x[:, 0] ** 2 + x[:, 1] ** 2) / ((1 - x[:, 0]) * (1 - x[:, 1]))
    ratio = average / shape
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)


def rotation(axis: int, angle: float) -> np.ndarray:
    matrix = np.eye(3)
    a, b = [k for k in range(3) if k != axis]
    matrix[a, a] = matrix[b, b] = math.cos(angle)
    matrix[a, b], matrix[b, a] = -math.sin(angle), math.sin(angle)
    return matrix


@pytest.mark.parametrize("order", [(2, 3, 4, 6, 5), (2, 3, 5, 6, 4), (2, 3, 6, 5, 4)])
def test_gluons_are_identical(order):
    p = sample(5, 100)
    np.testing.assert_allclose(jets(3).evaluate(p[:, [0, 1, *order]]), jets(3).evaluate(p), rtol=1e-10)


def test_quark_and_antiquark_are_not():
    p = sample(4, 100)
    assert (np.abs(jets(2).evaluate(p[:, [0, 1, 3, 2, 4, 5]]) / jets(2).evaluate(p) - 1) > 1e-3).mean() > 0.9


def test_charge_conjugation():
    # Electron <-> positron together with quark <-> antiquark.
    p = sample(4, 100)
    np.testing.assert_allclose(jets(2).evaluate(p[:, [1, 0, 3, 2, 4, 5]]), jets(2).evaluate(p), rtol=1e-10)


@pytest.mark.parametrize("gluons", [1, 2])
def test_rotations_of_beams_and_jets(gluons):
    p = sample(2 + gluons, 100)
    turn = rotation(0, 0.3) @ rotation(2, 1.2)
    turned = p.copy()
    turned[..., 1:] = p[..., 1:] @ turn.T
    np.testing.assert_allclose(jets(gluons).evaluate(turned), jets(gluons).evaluate(p), rtol=1e-10)


def test_boosts():
    p = sample(4, 100)
    gamma, beta = 1.25, 0.6
    boosted = p.copy()
    boosted[..., 0] = gamma * (p[..., 0] + beta * p[..., 1])
    boosted[..., 1] = gamma * (p[..., 1] + beta * p[..., 0])
    np.testing.assert_allclose(jets(2).evaluate(boosted), jets(2).evaluate(p), rtol=1e-9)


def with_gluon(final: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Add a massless momentum, and boost and scale everything back to rest and energy E."""
    p = np.concatenate([final, k[:, None]], axis=1)
    total = p.sum(axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1))
    b, gamma = -total[:, 1:] / mass[:, None], total[:, 0] / mass
    along = np.einsum("nla,na->nl", p[..., 1:], b)
    p[..., 1:] += b[:, None] * (p[..., 0] + along / (1 + gamma)[:, None])[..., None]
    p[..., 1:] *= (E / mass)[:, None, None]
    p[..., 0] = np.linalg.norm(p[..., 1:], axis=-1)
    return with_beams(p, E)


# T_i.T_j of q q~ and of q q~ g.
COLOURS = {2: {(0, 1): -C_F}, 3: {(0, 1): C_A / 2 - C_F, (0, 2): -C_A / 2, (1, 2): -C_A / 2}}


@pytest.mark.parametrize("gluons", [1, 2])
@pytest.mark.parametrize("x", [1e-4, 1e-6])
def test_soft_gluon(rng, gluons, x):
    reduced = sample(1 + gluons, 100)
    if gluons == 2:  # the reduced event must not be singular itself
        reduced = reduced[(2 * reduced[:, 2:, 0] / E < 0.9).all(axis=1)]
    direction = rng.normal(size=(len(reduced), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    k = x * E * np.concatenate([np.ones((len(reduced), 1)), direction], axis=1)
    eikonal = 0.0
    for (i, j), colour in COLOURS[1 + gluons].items():
        a, b = reduced[:, 2 + i], reduced[:, 2 + j]
        eikonal = eikonal - 2 * 4 * math.pi * ALPHA_S * colour * product(a, b) / (product(a, k) * product(b, k))
    full = jets(gluons).evaluate(with_gluon(reduced[:, 2:], k))
    ratio = full / (jets(gluons - 1).evaluate(reduced) * eikonal)
    # |M|^2 contains 1/k! for k gluons: 1/n_g remains.  Corrections are of order x, in units of the other energies.
    assert np.median(np.abs(gluons * ratio - 1)) < 10 * x
    np.testing.assert_allclose(gluons * ratio, 1.0, atol=2000 * x)


def split(parent: np.ndarray, spectator: np.ndarray, z: np.ndarray, y: float, phi: np.ndarray):
    """p_i, p_j, p_k of the massless splitting parent -> i j with spectator k (Catani-Seymour, Sec. 5.3)."""
    axis = parent[:, 1:] / parent[:, :1]  # in the centre of mass of a back-to-back pair, k_T is purely spatial
    helper = np.cross(axis, np.where(np.abs(axis[:, 2:]) < 0.9, [[0.0, 0, 1]], [[1.0, 0, 0]]))
    first = helper / np.linalg.norm(helper, axis=1, keepdims=True)
    second = np.cross(axis, first)
    size = np.sqrt(2 * product(parent, spectator) * y * z * (1 - z))
    kt = np.zeros_like(parent)
    kt[:, 1:] = size[:, None] * (np.cos(phi)[:, None] * first + np.sin(phi)[:, None] * second)
    # k_T is orthogonal to the parent; make it orthogonal to the spectator, too (it stays orthogonal to the parent).
    kt -= (product(kt, spectator) / product(parent, spectator))[:, None] * parent
    z, u = z[:, None], 1 - z[:, None]
    p_i, p_j = z * parent + y * u * spectator + kt, u * parent + y * z * spectator - kt
    for p in (p_i, p_j):
        p[:, 0] = np.linalg.norm(p[:, 1:], axis=1)
    return p_i, p_j, (1 - y) * spectator


def collinear(reduced: np.ndarray, emitter: int, spectator: int, z: np.ndarray, y: float, phi: np.ndarray):
    """The event with `emitter` split into itself and one more gluon (last), and p_i.p_j."""
    i, j, k = split(reduced[:, 2 + emitter], reduced[:, 2 + spectator], z, y, phi)
    final = np.concatenate([reduced[:, 2:], j[:, None]], axis=1)
    final[:, emitter], final[:, spectator] = i, k
    return with_beams(final, E), y * product(reduced[:, 2 + emitter], reduced[:, 2 + spectator])


@pytest.mark.parametrize(("gluons", "emitter"), [(1, 0), (1, 1), (2, 0), (2, 1)])
def test_collinear_quark_and_gluon(rng, gluons, emitter):
    y = 1e-8
    reduced = sample(1 + gluons, 60)
    z, phi = rng.uniform(0.2, 0.8, len(reduced)), rng.uniform(0, 2 * math.pi, len(reduced))
    full, pij = collinear(reduced, emitter, 1 - emitter, z, y, phi)
    splitting = 8 * math.pi * ALPHA_S * C_F * (1 + z**2) / (1 - z) / (2 * pij)
    ratio = jets(gluons).evaluate(full) / (jets(gluons - 1).evaluate(reduced) * splitting)
    assert np.median(np.abs(gluons * ratio - 1)) < 2e-3
    np.testing.assert_allclose(gluons * ratio, 1.0, atol=0.02)


def test_collinear_gluons(rng):
    # Averaged over two azimuths a quarter turn apart, which cancels cos(2 phi) and sin(2 phi).
    y = 1e-8
    reduced = sample(3, 60)
    z, phi = rng.uniform(0.2, 0.8, len(reduced)), rng.uniform(0, 2 * math.pi, len(reduced))
    values = []
    for turn in (0.0, math.pi / 2):
        full, pij = collinear(reduced, 2, 0, z, y, phi + turn)
        values.append(jets(2).evaluate(full))
    splitting = 16 * math.pi * ALPHA_S * C_A * (z / (1 - z) + (1 - z) / z + z * (1 - z)) / (2 * pij)
    ratio = sum(values) / 2 / (jets(1).evaluate(reduced) * splitting)
    assert np.median(np.abs(2 * ratio - 1)) < 2e-3
    np.testing.assert_allclose(2 * ratio, 1.0, atol=0.02)


def test_shapes_and_memory_order():
    p = sample(4, 50)
    plain = jets(2).evaluate(p)
    assert plain.shape == (50,)
    assert plain.dtype == np.float64
    np.testing.assert_array_equal(jets(2).evaluate(np.asfortranarray(p)), plain)
    np.testing.assert_array_equal(jets(2).evaluate(np.repeat(p, 2, axis=0)[::2]), plain)
    assert jets(2).evaluate(np.empty((0, 6, 4))).shape == (0,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.__setitem__((7, 3, 1), np.nan), "event 7 .*leg 3 .*not finite"),
        (lambda p: p.__setitem__((7, 2, 0), p[7, 2, 0] * 1.001), "event 7 .*leg 2 is off its mass shell"),
        (lambda p: p.__setitem__((7, 4), p[7, 4] * 1.001), "event 7 .*not conserved"),
        (lambda p: p.__setitem__((7, slice(0, 2)), -p[7, :2]), "event 7 .*leg 0 has the energy -500"),
    ],
)
def test_unphysical_events_are_named(change, said):
    p = sample(4, 20)
    change(p)
    with pytest.raises(UsageError, match=said):
        jets(2).evaluate(p)


def test_wrong_shapes_and_dtypes():
    p = sample(4, 5)
    with pytest.raises(UsageError, match=r"\(events, 5, 4\)"):
        jets(1).evaluate(p)
    with pytest.raises(UsageError, match="float32"):
        jets(2).evaluate(p.astype(np.float32))


def test_impossible_process(tmp_path, monkeypatch):
    monkeypatch.setenv("AMPCLI_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match="no tree amplitude"):
        ensure_artifact(parse_process("e- e+ > d u~"))
    assert not list((tmp_path / "pyamplicol").glob("*"))


def test_unknown_provider():
    with pytest.raises(UsageError, match='unknown provider "madloop"'):
        make_provider("madloop", parse_process("e- e+ > d d~ g"))


def test_damaged_artifact(tmp_path, monkeypatch):
    monkeypatch.setenv("AMPCLI_CACHE", str(tmp_path))
    artifact_folder(parse_process("e- e+ > d d~ g")).mkdir(parents=True)
    with pytest.raises(IntegrityError, match="cannot be loaded") as refused:
        jets(1).evaluate(sample(3, 2))
    assert str(tmp_path) in refused.value.what


def test_artifacts_of_different_processes_live_apart():
    folders = {artifact_folder(parse_process(text)) for text in [*PROCESSES.values(), *DEAR.values(), "e+ e- > d d~ g"]}
    assert len(folders) == len(PROCESSES) + len(DEAR) + 1


def test_providers_travel_to_workers_and_threads():
    p = sample(4, 50)
    expected = jets(2).evaluate(p)
    travelled = pickle.loads(pickle.dumps(jets(2)))
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(travelled.evaluate(p)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], expected)


EVALUATE = """
import sys
import numpy as np
from ampcli.amplitudes.providers import make_provider
from ampcli.process import parse_process
with np.load("tests/reference/amplitudes.npz") as stored:
    p = stored["ee_ddgg/regular/momenta"]
provider = make_provider("pyamplicol", parse_process("e- e+ > d d~ g g"))
for _ in range(300):
    values = provider.evaluate(p)
assert "symbolica" not in sys.modules
print(values.sum().hex())
"""


def test_processes_evaluate_at_the_same_time_without_symbolica(repository):
    command = [sys.executable, "-c", EVALUATE]
    running = [subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {(process.communicate(timeout=120)[0], process.returncode) for process in running}
    assert len(said) == 1
    assert said.pop()[1] == 0


GENERATE = """
import logging
from ampcli.amplitudes.artifacts import ensure_artifact
from ampcli.process import parse_process
logging.basicConfig(level=logging.INFO, format="%(message)s")
print(ensure_artifact(parse_process("e- e+ > d d~")))
"""


def test_two_processes_generate_once(tmp_path):
    environment = {**os.environ, "AMPCLI_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", GENERATE]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    running = [subprocess.Popen(command, **pipes) for _ in range(2)]
    outcomes = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], outcomes
    assert outcomes[0][0] == outcomes[1][0] != ""
    assert sum(stderr.count("generating the amplitude of e- e+ > d d~") for _, stderr in outcomes) == 1
    assert [entry.name for entry in (tmp_path / "pyamplicol").iterdir() if entry.is_dir()] == [
        artifact_folder(parse_process("e- e+ > d d~")).name
    ]
