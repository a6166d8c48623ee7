"""Dipoles of all four configurations, against the exact amplitudes' collinear and soft limits and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import UsageError
from ampcli.factorisation.hadron_dipoles import hadron_dipoles
from ampcli.factorisation.kernels import C_A, C_F, T_R, final_splitting, initial_splitting
from ampcli.factorisation.momenta import external_momenta
from ampcli.features.blocks import make_block
from ampcli.features.fame import FameBlock
from ampcli.features.hadron_fame import HadronFameBlock
from ampcli.kinematics import min_invariant
from ampcli.models.ansatz import shapes_of
from ampcli.models.fame import FameAnsatz
from ampcli.models.options import FameOptions
from ampcli.phasespace.rambo import rambo
from ampcli.process import PARTICLES, Process, parse_process

METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def kinds(process: str) -> dict[str, int]:
    """Number of dipoles of each configuration and splitting."""
    groups = hadron_dipoles(parse_process(process))
    return {f"{group.configuration} {group.splitting}": len(group.triples) for group in groups}


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ("d d~ > z g", {"II qg": 2}),
        ("d g > z d", {"II gq": 1}),
        ("d d~ > z g g", {"FI gg": 2, "IF qg": 4, "II qg": 4}),
        ("d d~ > z g g g g", {"FF gg": 12, "FI gg": 12, "IF qg": 24, "II qg": 8}),
        ("d g > z d g", {"FI qg": 2, "IF qg": 1, "IF gg": 1, "IF gq": 1, "II qg": 1, "II gg": 1, "II gq": 1}),
        ("g g > z d d~", {"IF gq": 4, "II gq": 4}),  # not g -> d d~, d -> d g: no quark would be left for the z
        ("u g > w+ d g", {"FI qg": 2, "IF qg": 1, "IF gg": 1, "IF gq": 1, "II qg": 1, "II gg": 1, "II gq": 1}),
        ("d d~ > z d d~", {"FI qq": 2, "IF qq": 2, "II qq": 2}),
        ("d u > z d u", {"IF qq": 2, "II qq": 2}),
        (
            "g g > d d~ g",
            {"FF qg": 2, "FF qq": 1, "FI qg": 4, "FI qq": 2, "IF gg": 4, "IF gq": 8, "II gg": 2, "II gq": 4},
        ),
        ("e- d > e- d g", {"FI qg": 1, "IF qg": 1}),
        ("e- e+ > d d~ g g", {"FF qg": 8, "FF gg": 2}),
    ],
)
def test_dipoles_of_a_process(process, expected):
    assert kinds(process) == expected


@pytest.mark.parametrize(
    ("process", "said"), [("d d~ > z", "no dipoles"), ("g g > t t~ g", "massive partons"), ("d g > d z z", None)]
)
def test_processes_without_dipoles(process, said):
    if said is None:
        assert kinds(process) == {"II gq": 1}
        return
    with pytest.raises(UsageError, match=said):
        hadron_dipoles(parse_process(process))


def test_which_block_serves_a_process():
    assert isinstance(make_block("fame", parse_process("d d~ > z g g"), {"alpha_s": 0.1}), HadronFameBlock)
    leptons = make_block("fame", parse_process("e- e+ > d d~ g g"), {})
    assert isinstance(leptons, FameBlock)
    assert (leptons.version, leptons.options) == (1, {"alpha_s": 0.118})


def dot(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (p * q * METRIC).sum(-1)


def regular_points(process: Process, n: int, seed: int, cut: float = 0.02) -> torch.Tensor:
    """Final states (n, n_final, 4) of 1 TeV far from all singularities, in a frame that moves along z."""
    rng = np.random.default_rng(seed)
    if process.n_final == 1:
        mass, y = process.final_masses[0], torch.linspace(-1, 1, n, dtype=torch.float64)
        nothing = torch.zeros_like(y)
        return mass * torch.stack([y.cosh(), nothing, nothing, y.sinh()], dim=1)[:, None]
    final = np.ascontiguousarray(rambo(rng.random((300 * n, process.n_final, 4)), 1000.0))
    transverse = np.hypot(final[..., 1], final[..., 2]).min(axis=1)
    apart = min_invariant(final) > cut * 1000**2 if process.n_final > 2 else np.ones(len(final), dtype=bool)
    space = torch.from_numpy(final[apart & (transverse > 3000 * cut)][:n, :, 1:].copy())
    assert len(space) == n
    masses = torch.tensor(process.final_masses, dtype=torch.float64)
    energy = (space.square().sum(-1) + masses**2).sqrt()
    return boosted(torch.cat([energy[..., None], space], dim=-1), 0.4)


def boosted(p: torch.Tensor, rapidity: float) -> torch.Tensor:
    """Along z."""
    c, s = math.cosh(rapidity), math.sinh(rapidity)
    return torch.stack([c * p[..., 0] + s * p[..., 3], p[..., 1], p[..., 2], c * p[..., 3] + s * p[..., 0]], dim=-1)


def turned(p: torch.Tensor, angle: float) -> torch.Tensor:
    """About z."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.stack([p[..., 0], c * p[..., 1] - s * p[..., 2], s * p[..., 1] + c * p[..., 2], p[..., 3]], dim=-1)


def plain_dipole(configuration: str, splitting: str, p: list, i: int, j: int, k: int, alpha_s: float) -> tuple:
    """CS's formulas of one dipole and event, in their own variables."""

    def product(a, b):
        return float(dot(p[a], p[b]))

    pij, pik, pjk = product(i, j), product(i, k), product(j, k)
    if configuration in ("FF", "FI"):
        z = pik / (pik + pjk)
        if configuration == "FF":
            y, x = pij / (pij + pik + pjk), 1.0
            one, other = 1 / (1 - z * (1 - y)), 1 / (1 - (1 - z) * (1 - y))
        else:
            x = (pik + pjk - pij) / (pik + pjk)
            y, one, other = 1 - x, 1 / (1 - z + 1 - x), 1 / (z + 1 - x)
        bracket = {
            "qg": 4 / 3 * (2 * one - (1 + z)),
            "gg": 6 * (one + other - 2 + z * (1 - z)),
            "qq": (1 - 2 * z * (1 - z)) / 2,
        }[splitting]
    else:
        if configuration == "IF":
            x, y = (pik + pij - pjk) / (pik + pij), pij / (pij + pik)
            soft = 1 - x + y
        else:
            x, y = (pik - pij - pjk) / pik, pij / pik
            soft = 1 - x
        bracket = {
            "qg": 4 / 3 * (2 / soft - (1 + x)),
            "gg": 6 * (1 / soft - 1 + x * (1 - x) + (1 - x) / x),
            "gq": (1 - 2 * x * (1 - x)) / 2,
            "qq": 4 / 3 * (1 + (1 - x) ** 2) / x,
        }[splitting]
    return 8 * math.pi * alpha_s * bracket / (2 * pij * x), y


@pytest.mark.parametrize("process", ["d d~ > z g g g", "d g > z d g g", "g g > d d~ g", "d d~ > z d d~", "d g > z d"])
def test_same_as_a_plain_loop(process):
    parsed = parse_process(process)
    final = regular_points(parsed, 5, seed=1, cut=0.005)
    block = HadronFameBlock(parsed, alpha_s=0.1)
    found = block.compute(final)
    assert {name: tuple(array.shape[1:]) for name, array in found.items()} == block.shapes()
    triples = [(g.configuration, g.splitting, *triple) for g in block.groups for triple in g.triples]
    legs = range(parsed.n_external)
    pairs = [(i, j) for i in legs for j in legs if i < j]
    for row, p in enumerate(external_momenta(final)):
        expected = [plain_dipole(a, b, p, i, j, k, 0.1) for a, b, i, j, k in triples]
        np.testing.assert_allclose(found["dipoles"][row, : len(triples)], [d for d, _ in expected], rtol=1e-9)
        recoil = [y for _, y in expected] + [float(dot(p[i], p[j])) for i, j in pairs]
        np.testing.assert_allclose(found["recoil"][row], recoil, rtol=1e-9)


def transverse(p: torch.Tensor, q: torch.Tensor, phi: float) -> torch.Tensor:
    """Spacelike unit vectors at right angles to massless p and q, at an azimuth: (n, 4)."""
    basis: list[torch.Tensor] = []
    for axis in (1, 2):
        e = torch.zeros_like(p)
        e[:, axis] = 1.0
        e = e - (dot(e, q) / dot(p, q))[:, None] * p - (dot(e, p) / dot(p, q))[:, None] * q
        for other in basis:
            e = e + dot(e, other)[:, None] * other
        basis.append(e / (-dot(e, e)).sqrt()[:, None])
    return math.cos(phi) * basis[0] + math.sin(phi) * basis[1]


def split(
    configuration: str,
    before: torch.Tensor,
    emitter: int,
    spectator: int,
    share: torch.Tensor,
    small: torch.Tensor,
    phi: float,
) -> torch.Tensor:
    """The inverse of the maps of CS: events (n, legs, 4) -> (n, legs + 1, 4), the emitted leg last.

    Args:
        share: z, or x of an incoming emitter; small: y, 1 - x, u or v.
    """
    parent, other = before[:, emitter], before[:, spectator]
    after = torch.cat([before, before[:, :1]], dim=1)
    z, y = share[:, None], small[:, None]
    if configuration in ("FF", "FI"):
        reference = other if configuration == "FF" else other / (1 - y)
        k = (2 * dot(parent, reference) * small * share * (1 - share)).sqrt()[:, None]
        k = k * transverse(parent, reference, phi)
        after[:, emitter] = z * parent + y * (1 - z) * reference + k
        after[:, -1] = (1 - z) * parent + y * z * reference - k
        after[:, spectator] = (1 - y) * other if configuration == "FF" else reference
        return after
    a = parent / z
    after[:, emitter] = a
    if configuration == "IF":
        k = (2 * dot(a, other) * small * (1 - small) * (1 - share)).sqrt()[:, None] * transverse(a, other, phi)
        after[:, -1] = (1 - z) * (1 - y) * a + y * other + k
        after[:, spectator] = (1 - z) * y * a + (1 - y) * other - k
        return after
    k = (2 * dot(a, other) * small * (1 - share - small)).sqrt()[:, None] * transverse(a, other, phi)
    after[:, -1] = (1 - z - y) * a + y * other + k
    old, new = (parent + other)[:, None], (a + other - after[:, -1])[:, None]
    rest, both = before[:, 2:], old + new
    rest = rest - 2 * (dot(rest, both) / dot(both, both))[..., None] * both
    after[:, 2:-1] = rest + 2 * (dot(before[:, 2:], old) / dot(old, old))[..., None] * new
    return after


def placed(after: torch.Tensor, position: int, process: Process) -> torch.Tensor:
    """The last leg moved to a position, all on their mass shells, as final states."""
    order = list(range(after.shape[1] - 1))
    order.insert(position, after.shape[1] - 1)
    final = after[:, order][:, 2:]
    masses = torch.tensor(process.final_masses, dtype=torch.float64)
    energy = (final[..., 1:].square().sum(-1) + masses**2).sqrt()
    return torch.cat([energy[..., None], final[..., 1:]], dim=-1)


def reduced(process: Process, i: int, j: int, splitting: str) -> Process:
    """The process without leg j; an incoming gluon that emits a quark becomes its antiquark."""
    legs = list(process.legs)
    if splitting == "gq":
        legs[i] = next(particle for particle in PARTICLES.values() if particle.pdg == -legs[j].pdg)
    del legs[j]
    return Process((legs[0], legs[1]), tuple(legs[2:]))


def exact(process: Process, final: torch.Tensor) -> torch.Tensor:
    """|M|^2 without the factor of identical particles, which differs between a process and its reduced one."""
    values = torch.from_numpy(Native(process).evaluate(external_momenta(final).numpy()))
    return values * process.identical_factor


COLLINEAR = [
    (process, group.configuration, group.splitting, triple)
    for process in ("d d~ > z g g g", "d g > z d g g", "g d~ > z d~ g", "g g > z d d~ g", "d g > z d")
    for group in hadron_dipoles(parse_process(process))
    for triple in group.triples[:2]
]


@pytest.mark.parametrize(("name", "configuration", "splitting", "triple"), COLLINEAR)
def test_exact_collinear_limit(name, configuration, splitting, triple):
    # |M_n|^2 / (D |M_n-1|^2), averaged over the azimuth: what remains is of the order of the angle squared.
    process = parse_process(name)
    i, j, k = triple
    small_process = reduced(process, i, j, splitting)
    position, spectator = i - (i > j), k - (k > j)
    n, azimuths = 8, 8
    final = regular_points(small_process, n, seed=3)
    before = external_momenta(final)
    base = exact(small_process, final)
    block = HadronFameBlock(process)
    column = [(g.configuration, *t) for g in block.groups for t in g.triples].index((configuration, *triple))
    share = torch.from_numpy(np.random.default_rng(5).uniform(0.25, 0.75, n))

    def worst(small: float) -> float:
        ratios = []
        for step in range(azimuths):
            phi = 2 * math.pi * (step + 0.3) / azimuths
            after = split(configuration, before, position, spectator, share, torch.full_like(share, small), phi)
            event = placed(after, j, process)
            found = block.compute(event)
            np.testing.assert_allclose(found["recoil"][:, column], small, rtol=1e-6)
            ratios.append(exact(process, event) / (found["dipoles"][:, column] * base))
        return float((torch.stack(ratios).mean(dim=0) - 1).abs().max())

    first, second = worst(1e-6), worst(1e-8)
    assert first < 1e-3
    assert second < 1e-5
    assert second < max(first / 20, 1e-6)


COLOUR = {"quark": C_F, "antiquark": C_F, "gluon": C_A}


@pytest.mark.parametrize(
    "name", ["d d~ > z g", "d d~ > z g g", "d g > z d g", "g d~ > z d~ g", "e- e+ > d d~ g", "e- e+ > d d~ g g"]
)
def test_exact_soft_limit(name):
    """|M_n|^2 -> sum of -T_k.T_ij / T_ij^2 D_ij,k |M_n-1|^2; with at most three partons colour is a number."""
    process = parse_process(name)
    block = HadronFameBlock(process)
    soft = process.n_external - 1
    small_process = reduced(process, 0, soft, "qg")
    partons = [i for i, leg in enumerate(small_process.legs) if leg.kind in COLOUR]
    casimir = {i: COLOUR[small_process.legs[i].kind] for i in partons}
    weights = []
    for group in block.groups:
        for i, j, k in group.triples:
            if soft not in (i, j):
                weights.append(0.0)
                continue
            emitter = i if j == soft else j
            others = [casimir[leg] for leg in partons if leg not in (emitter, k)]
            product = (sum(others) - casimir[emitter] - casimir[k]) / 2  # T_ij.T_k
            weights.append(-product / casimir[emitter])
    n = 8
    final = regular_points(small_process, n, seed=7) if small_process.n_final > 2 or "z" in name else two_jets(n)
    before, base = external_momenta(final), exact(small_process, final)

    def worst(size: float) -> float:
        y = torch.full((n,), 0.4 * size, dtype=torch.float64)
        configuration, emitter, spectator = ("FF", 2, 3) if name.startswith("e-") else ("II", 0, 1)
        after = split(configuration, before, emitter, spectator, torch.full_like(y, 1 - size), y, 0.9)
        event = placed(after, soft, process)
        summed = block.compute(event)["dipoles"][:, : block.n_dipoles] @ torch.tensor(weights, dtype=torch.float64)
        return float((exact(process, event) / (summed * base) - 1).abs().max())

    first, second = worst(1e-4), worst(1e-6)
    assert first < 5e-3
    assert second < 5e-5
    assert second < first / 20


def two_jets(n: int) -> torch.Tensor:
    """Back to back, at 1 TeV."""
    cosine = torch.linspace(-0.8, 0.8, n, dtype=torch.float64)
    direction = torch.stack([(1 - cosine**2).sqrt(), torch.zeros_like(cosine), cosine], dim=1)
    energy = torch.full((n, 1), 500.0, dtype=torch.float64)
    return torch.stack([torch.cat([energy, sign * 500.0 * direction], dim=1) for sign in (1, -1)], dim=1)


SHARE = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)


def test_collinear_limits_of_splittings_into_quarks():
    # Those whose reduced amplitudes the native provider does not have: g -> q q~, and q -> g with a quark outgoing.
    z = SHARE
    torch.testing.assert_close(final_splitting("qq", z, 1 - z, z), T_R * (z**2 + (1 - z) ** 2))
    torch.testing.assert_close(initial_splitting("qq", z, 1 - z), C_F * (1 + (1 - z) ** 2) / z)
    torch.testing.assert_close(initial_splitting("gq", z, 1 - z), T_R * (z**2 + (1 - z) ** 2))


@pytest.mark.parametrize("process", ["d d~ > z g g g", "d g > z d g"])
def test_invariance_under_boosts_and_rotations(process):
    parsed = parse_process(process)
    final = regular_points(parsed, 20, seed=2, cut=0.005)
    block = HadronFameBlock(parsed)
    here = block.compute(final)
    there, round_about = block.compute(boosted(final, 1.7)), block.compute(turned(final, 2.0))
    for name in ("recoil", "dipoles", "azimuth"):
        scale = here[name].abs().amax(dim=0)
        for moved in (there, round_about):
            assert ((moved[name] - here[name]).abs() <= 1e-9 * scale).all(), name
    rest = here["rest_momenta"]
    torch.testing.assert_close(there["rest_momenta"], rest, rtol=0, atol=1e-8)
    torch.testing.assert_close(round_about["rest_momenta"], turned(rest, 2.0), rtol=0, atol=1e-8)
    torch.testing.assert_close(rest.sum(dim=1)[:, 1:], torch.zeros((20, 3), dtype=torch.float64), rtol=0, atol=1e-8)
    amplitude = exact(parsed, final)
    ansatz = FameAnsatz.fit(parsed, {"momenta": final, **here}, amplitude, FameOptions())
    inputs = ansatz.inputs({"momenta": final, **here})
    assert inputs.shape == (20, ansatz.n_inputs)
    assert ansatz.n_outputs == here["dipoles"].shape[1]
    for moved in (there, round_about):
        moved_inputs = ansatz.inputs({"momenta": 7 * final, **moved})  # momenta of the laboratory are not used
        torch.testing.assert_close(moved_inputs, inputs, rtol=0, atol=1e-5)


def test_exact_coefficients_give_the_exact_amplitude():
    process = parse_process("d g > z d g")
    final = regular_points(process, 30, seed=4, cut=0.005)
    arrays = {"momenta": final, **HadronFameBlock(process).compute(final)}
    amplitude = exact(process, final)
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions())
    coefficient = amplitude / arrays["dipoles"].sum(dim=1) * ansatz.s_dipole / ansatz.s_pred
    outputs = torch.asinh(coefficient)[None, :, None].expand(1, -1, ansatz.n_outputs)
    torch.testing.assert_close(ansatz.amplitude(outputs, arrays)[0], amplitude, rtol=1e-9, atol=0)
    again = FameAnsatz.restore(process, shapes_of(arrays), FameOptions(), ansatz.scales())
    assert torch.equal(again.inputs(arrays), ansatz.inputs(arrays))
    error, _ = ansatz.losses(outputs.float(), ansatz.table(arrays, amplitude))
    assert float(error) < 1e-8
