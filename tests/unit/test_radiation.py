"""Radiations, Catani-Seymour maps and kernels of one emission, and their exact collinear limits."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from radiation_reference import (
    KERNEL_FLOOR,
    final_kernel,
    final_map,
    final_variables,
    initial_kernel,
    initial_map,
    initial_variables,
)

from ampcli.amplitudes.providers import make_provider
from ampcli.errors import UsageError
from ampcli.factorisation.kernels import C_A, C_F
from ampcli.factorisation.momenta import external_momenta
from ampcli.factorisation.radiation import Radiation, emissions, last_gluon, parse_radiation, reduced_process
from ampcli.features.radiation import RadiationBlock
from ampcli.kinematics import min_invariant
from ampcli.phasespace.rambo import rambo, with_masses
from ampcli.process import Process, parse_process

METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def radiation(name: str) -> Radiation:
    found = parse_radiation(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fg1", Radiation(False, True, 1)),
        ("FQ2", Radiation(False, False, 2)),
        ("ig3", Radiation(True, True, 3)),
        ("Iq9", Radiation(True, False, 9)),
        ("fg1^2", Radiation(False, True, 1, 2)),
        ("IG2^2", Radiation(True, True, 2, 2)),
    ],
)
def test_names(name, expected):
    assert parse_radiation(name) == expected
    assert expected.name == name.lower()


@pytest.mark.parametrize(
    "name",
    ["", "fg", "fg0", "fg10", "fg-1", "gf1", "fg1^", "fg1^1", "fg1^3", "fg1^22", " fg1", "fg1\n", "fame", "nofa"],
)
def test_other_names_are_none(name):
    assert parse_radiation(name) is None


@pytest.mark.parametrize(
    ("process", "name", "expected"),
    [
        ("d d~ > z g g g g", "fg1", [(3, 4), (3, 5), (3, 6), (4, 5), (4, 6), (5, 6)]),
        ("d d~ > z g g g g", "iq1", [(0, 3), (0, 4), (0, 5), (0, 6), (1, 3), (1, 4), (1, 5), (1, 6)]),
        ("d g > z d g g g", "fg1", [(4, 5), (4, 6), (5, 6)]),
        ("d g > z d g g g", "fq1", [(3, 4), (3, 5), (3, 6)]),
        ("d g > z d g g g", "ig1", [(1, 4), (1, 5), (1, 6)]),
        ("d g > z d g g g", "iq1", [(0, 4), (0, 5), (0, 6)]),
        ("g d~ > g z g d~", "fg1", [(2, 4)]),
        ("g d~ > g z g d~", "fq1", [(5, 2), (5, 4)]),
        ("g d~ > g z g d~", "ig1", [(0, 2), (0, 4)]),
        ("g d~ > g z g d~", "iq1", [(1, 2), (1, 4)]),
        ("g g > z d d~ g g", "fg1", [(5, 6)]),
        ("g g > z d d~ g g", "fq1", [(3, 5), (3, 6), (4, 5), (4, 6)]),
        ("g g > z d d~ g g", "ig1", [(0, 5), (0, 6), (1, 5), (1, 6)]),
        ("g g > t t~ g g", "ig1", [(0, 4), (0, 5), (1, 4), (1, 5)]),  # top quarks are no jets
        ("e- e+ > d d~ g", "fq1", [(2, 4), (3, 4)]),
    ],
)
def test_emissions(process, name, expected):
    parsed = parse_process(process)
    assert emissions(parsed, radiation(name)) == expected
    last = radiation(name[:2] + str(len(expected)))
    assert emissions(parsed, last) == expected
    with pytest.raises(UsageError, match=rf"has {len(expected)} radiations {name[:2].upper()}"):
        emissions(parsed, radiation(name[:2] + str(len(expected) + 1)))


@pytest.mark.parametrize(
    ("process", "name", "found", "spectators"),
    [
        ("d d~ > z g g g g", "fq1", 0, 2),
        ("d d~ > z g g g g", "ig1", 0, 3),
        ("g g > z d d~ g g", "iq1", 0, 3),
        ("e- e+ > d d~ g g", "iq1", 0, 3),
        ("g g > t t~ g g", "fq1", 0, 0),
        ("d d~ > z g g", "fg1", 1, 0),  # no spectator
        ("d g > z d g", "fq1", 1, 0),
        ("g g > t t~ g g", "fg1", 1, 0),
        ("d d~ > z g", "iq1", 2, 0),
        ("d d~ > z", "iq1", 0, 0),
    ],
)
def test_radiations_that_there_are_not(process, name, found, spectators):
    said = f'"{process}" has {found} radiations {name[:2].upper()} and {spectators} spectators'
    with pytest.raises(UsageError, match=re.escape(said)) as raised:
        emissions(parse_process(process), radiation(name))
    assert f"no {name.upper()}" in str(raised.value)


@pytest.mark.parametrize(
    ("process", "jets", "last", "reduced"),
    [
        ("d d~ > z g g g", [3, 4, 5], 5, "d d~ > z g g"),
        ("d g > z d g g", [3, 4, 5], 5, "d g > z d g"),
        ("g d~ > g z g d~", [2, 4, 5], 4, "g d~ > g z d~"),
        ("g g > z d d~ g", [3, 4, 5], 5, "g g > z d d~"),
        ("g g > t g t~", [3], 3, "g g > t t~"),
    ],
)
def test_reduced_process(process, jets, last, reduced):
    parsed = parse_process(process)
    assert list(parsed.jet_legs) == jets
    assert last_gluon(parsed) == last
    assert reduced_process(parsed) == parse_process(reduced)


def massless(rng: np.random.Generator, n: int, energy: float = 100.0) -> torch.Tensor:
    """Momenta (n, 4) in random directions, of random energies."""
    vectors = rng.normal(size=(n, 3))
    vectors *= (energy * rng.uniform(0.1, 1, n) / np.linalg.norm(vectors, axis=1))[:, None]
    return torch.from_numpy(np.concatenate([np.linalg.norm(vectors, axis=1, keepdims=True), vectors], axis=1))


def dot(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (p * q * METRIC).sum(-1)


def mapped(pi: torch.Tensor, pj: torch.Tensor, pk: torch.Tensor, initial: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Emitter and spectator before the emission; (pi, pj, pk) = (emitter, emitted gluon, spectator)."""
    pij, pik, pjk = dot(pi, pj), dot(pi, pk), dot(pj, pk)
    if initial:
        return initial_map(pi, pj, pk, initial_variables(pij, pik, pjk)[0])
    return final_map(pi, pj, pk, final_variables(pij, pjk, pik)[0])


def legs_of_one_emission(rng: np.random.Generator, initial: bool) -> list[torch.Tensor]:
    return [massless(rng, 500, 1000.0 if initial else 100.0), massless(rng, 500), massless(rng, 500)]


@pytest.mark.parametrize("initial", [False, True])
def test_maps_conserve_momentum_and_mass_shells(rng, initial):
    pi, pj, pk = legs_of_one_emission(rng, initial)
    emitter, spectator = mapped(pi, pj, pk, initial)
    before, after = (pj + pk - pi, spectator - emitter) if initial else (pi + pj + pk, emitter + spectator)
    scale = (pi + pj + pk)[:, :1]
    assert ((after - before).abs() / scale).max() < 1e-12
    for p in (emitter, spectator):
        largest = torch.maximum(scale[:, 0], p[:, 0].abs())
        assert (dot(p, p).abs() / largest**2).max() < 1e-12
    # The other of the two Catani-Seymour properties: each keeps the direction of one leg.
    kept, original = (emitter, pi) if initial else (spectator, pk)
    ratio = kept / original
    torch.testing.assert_close(ratio, ratio[:, :1].expand(-1, 4), rtol=1e-12, atol=0)


def boost(p: torch.Tensor, beta: list[float]) -> torch.Tensor:
    """Momenta in a frame that moves with -beta."""
    b = torch.tensor(beta, dtype=torch.float64)
    b2 = float(b @ b)
    gamma = 1 / math.sqrt(1 - b2)
    along = p[..., 1:] @ b
    space = p[..., 1:] + ((gamma - 1) / b2 * along + gamma * p[..., 0])[..., None] * b
    return torch.cat([(gamma * (p[..., 0] + along))[..., None], space], dim=-1)


@pytest.mark.parametrize("initial", [False, True])
def test_maps_are_covariant(rng, initial):
    legs = legs_of_one_emission(rng, initial)
    turned = torch.linalg.qr(torch.from_numpy(rng.normal(size=(3, 3))))[0]

    def moved(p: torch.Tensor) -> torch.Tensor:
        return boost(torch.cat([p[:, :1], p[:, 1:] @ turned], dim=1), [0.3, -0.5, 0.6])

    for there, here in zip(mapped(*map(moved, legs), initial), mapped(*legs, initial), strict=True):
        scale = there.abs().amax(dim=1, keepdim=True).clamp_min(100.0)
        assert ((there - moved(here)).abs() / scale).max() < 1e-10


def split_final(
    parent: torch.Tensor, spectator: torch.Tensor, y: torch.Tensor, z: torch.Tensor, phi: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The inverse of `final_map`: emitter, emitted gluon and spectator after the splitting."""
    size = (2 * dot(parent, spectator) * y * z * (1 - z)).sqrt()
    k = size[:, None] * transverse(parent, spectator, phi)
    y, z = y[:, None], z[:, None]
    first = z * parent + y * (1 - z) * spectator + k
    second = (1 - z) * parent + y * z * spectator - k
    return on_shell(first), on_shell(second), on_shell((1 - y) * spectator)


def split_initial(
    parent: torch.Tensor, spectator: torch.Tensor, x: torch.Tensor, u: torch.Tensor, phi: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The inverse of `initial_map`: incoming emitter, emitted gluon and spectator after the splitting."""
    emitter = parent / x[:, None]
    size = (2 * dot(emitter, spectator) * u * (1 - u) * (1 - x)).sqrt()
    k = size[:, None] * transverse(emitter, spectator, phi)
    x, u = x[:, None], u[:, None]
    gluon = (1 - x) * (1 - u) * emitter + u * spectator + k
    return emitter, on_shell(gluon), on_shell((1 - x) * u * emitter + (1 - u) * spectator - k)


def transverse(p: torch.Tensor, q: torch.Tensor, phi: float) -> torch.Tensor:
    """Spacelike unit vectors at an azimuth, at right angles to massless p and q: (n, 4)."""
    basis = []
    for axis in (1, 2):
        e = torch.zeros_like(p)
        e[:, axis] = 1.0
        e = e - (dot(e, q) / dot(p, q))[:, None] * p - (dot(e, p) / dot(p, q))[:, None] * q
        for other in basis:
            e = e + dot(e, other)[:, None] * other
        basis.append(e / (-dot(e, e)).sqrt()[:, None])
    return math.cos(phi) * basis[0] + math.sin(phi) * basis[1]


def on_shell(p: torch.Tensor) -> torch.Tensor:
    return torch.cat([p[:, 1:].norm(dim=1, keepdim=True), p[:, 1:]], dim=1)


@pytest.mark.parametrize("initial", [False, True])
def test_maps_undo_a_splitting(rng, initial):
    parent, spectator = massless(rng, 300), massless(rng, 300)
    first, second = (torch.from_numpy(rng.uniform(0.05, 0.95, 300)) for _ in range(2))
    legs = (split_initial if initial else split_final)(parent, spectator, first, second, 0.7)
    for found, expected in zip(mapped(*legs, initial), (parent, spectator), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    pij, pik, pjk = dot(legs[0], legs[1]), dot(legs[0], legs[2]), dot(legs[1], legs[2])
    variables = initial_variables(pij, pik, pjk) if initial else final_variables(pij, pjk, pik)
    torch.testing.assert_close(torch.stack(variables), torch.stack([first, second]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("angle", [1e-2, 1e-4])
def test_maps_in_the_collinear_limit(rng, angle):
    parent, spectator = massless(rng, 300), massless(rng, 300)
    small = torch.full((300,), angle**2, dtype=torch.float64)
    share = torch.from_numpy(rng.uniform(0.1, 0.9, 300))
    pi, pj, pk = split_final(parent, spectator, small, share, 1.0)
    emitter, kept = mapped(pi, pj, pk, initial=False)
    assert ((emitter - pi - pj).abs() / pk[:, :1]).max() < 1.1 * angle**2
    assert ((kept - pk).abs() / pk[:, :1]).max() < 1.1 * angle**2
    pa, pj, pk = split_initial(parent, spectator, share, small, 1.0)
    emitter, kept = mapped(pa, pj, pk, initial=True)
    for found, expected in ((emitter, pa - pj), (kept, pk)):
        assert ((found - expected).abs() / (pa + pk)[:, :1]).max() < 2 * angle  # of the order of the k_T


SHARE = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)


@pytest.mark.parametrize("small", [1e-4, 1e-7])
def test_collinear_limit_is_the_splitting_function(small):
    zero = torch.full_like(SHARE, small)
    s = SHARE
    quark = C_F * (1 + s**2) / (1 - s)
    gluon = 2 * C_A * (s / (1 - s) + (1 - s) / s + s * (1 - s))
    for kernel in (final_kernel(False, zero, s), initial_kernel(False, s, zero)):
        torch.testing.assert_close(kernel, quark, rtol=45 * small, atol=0)
    for kernel in (final_kernel(True, zero, s), initial_kernel(True, s, zero)):
        torch.testing.assert_close(kernel, gluon, rtol=45 * small, atol=0)


def test_kernels_at_a_point():
    half, fifth = torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)
    # final, z = 1/2, y = 1/5: 1 - z (1-y) = 3/5
    assert float(final_kernel(False, fifth, half)) == pytest.approx(4 / 3 * (10 / 3 - 3 / 2), rel=1e-14)
    assert float(final_kernel(True, fifth, half)) == pytest.approx(6 * (10 / 3 - 2 + 1 / 4), rel=1e-14)
    # initial, x = 1/2, u = 1/5: 1 - x + u = 7/10
    assert float(initial_kernel(False, half, fifth)) == pytest.approx(4 / 3 * (20 / 7 - 3 / 2), rel=1e-14)
    assert float(initial_kernel(True, half, fifth)) == pytest.approx(6 * (10 / 7 + 1 - 1 + 1 / 4), rel=1e-14)


def test_kernels_as_printed():
    half, fifth = torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)
    # -1 + z for -(1 + z); no z (1-z); twice C_F; no (1-x)/x
    assert float(final_kernel(False, fifth, half, "paper")) == pytest.approx(4 / 3 * (10 / 3 - 1 + 1 / 2), rel=1e-14)
    assert float(final_kernel(True, fifth, half, "paper")) == pytest.approx(6 * (10 / 3 - 2), rel=1e-14)
    assert float(initial_kernel(False, half, fifth, "paper")) == pytest.approx(8 / 3 * (20 / 7 - 3 / 2), rel=1e-14)
    assert float(initial_kernel(True, half, fifth, "paper")) == pytest.approx(6 * (10 / 7 - 1 + 1 / 4), rel=1e-14)


def test_gluon_kernel_does_not_know_which_gluon_is_which():
    y = torch.full_like(SHARE, 0.3)
    for kernel in ("corrected", "paper"):
        torch.testing.assert_close(final_kernel(True, y, SHARE, kernel), final_kernel(True, y, 1 - SHARE, kernel))


@pytest.mark.parametrize("gluon", [False, True])
@pytest.mark.parametrize("kernel", ["corrected", "paper"])
def test_the_floor_of_initial_kernels(gluon, kernel):
    x, u = torch.meshgrid(*[torch.linspace(0.01, 1, 100, dtype=torch.float64)] * 2, indexing="ij")
    found = initial_kernel(gluon, x, u, kernel)
    soft = 1 / (1 - x + u)
    if gluon:
        bare = 2 * C_A * (soft + ((1 - x) / x if kernel == "corrected" else 0) - 1 + x * (1 - x))
    else:
        bare = {"corrected": 1, "paper": 2}[kernel] * C_F * (2 * soft - 1 - x)
    assert found.min() == KERNEL_FLOOR > bare.min()  # the grid reaches where the floor is needed
    above = bare > KERNEL_FLOOR
    assert above.double().mean() > 0.6
    torch.testing.assert_close(found[above], bare[above], rtol=1e-12, atol=0)
    assert (found[~above] == KERNEL_FLOOR).all()


@pytest.mark.parametrize("kernel", ["corrected", "paper"])
@pytest.mark.parametrize("gluon", [False, True])
def test_soft_limit_of_final_kernels_is_the_eikonal_factor(rng, gluon, kernel):
    # F_ij,k + F_kj,i -> 8 pi alpha_s C p_i.p_k / (p_i.p_j p_j.p_k): C_A or C_F.
    pi, pj, pk = massless(rng, 200), 1e-6 * massless(rng, 200), massless(rng, 200)
    pij, pjk, pik = dot(pi, pj), dot(pj, pk), dot(pi, pk)
    both = (
        final_kernel(gluon, *final_variables(pij, pjk, pik), kernel) / pij
        + final_kernel(gluon, *final_variables(pjk, pij, pik), kernel) / pjk
    )
    eikonal = 2 * (C_A if gluon else C_F) * pik / (pij * pjk)
    torch.testing.assert_close(both, eikonal, rtol=1e-3, atol=0)


@pytest.mark.parametrize("gluon", [False, True])
def test_soft_limit_of_initial_kernels_is_half_the_eikonal_factor(rng, gluon):
    # 2 C p_a.p_k / (p_a.p_i (p_a.p_i + p_i.p_k)): with its mirror image, emitter k, it makes the eikonal factor.
    pa, pi, pk = massless(rng, 200, 1000.0), 1e-6 * massless(rng, 200), massless(rng, 200)
    pai, pak, pik = dot(pa, pi), dot(pa, pk), dot(pi, pk)
    x, u = initial_variables(pai, pak, pik)
    found = initial_kernel(gluon, x, u) / (x * pai)
    expected = 2 * (C_A if gluon else C_F) * pak / (pai * (pai + pik))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)


def regular_points(process: Process, n: int, seed: int) -> torch.Tensor:
    """Final states (n, n_final, 4) far from all singularities, in frames that move along z."""
    rng = np.random.default_rng(seed)
    final = np.ascontiguousarray(rambo(rng.random((400 * n, process.n_final, 4)), 1000.0))
    transverse_momentum = np.hypot(final[..., 1], final[..., 2]).min(axis=1)
    final = final[(min_invariant(final) > 0.02 * 1000**2) & (transverse_momentum > 60)][:n]
    assert len(final) == n
    return boost(torch.from_numpy(with_masses(final, process.final_masses)), [0.0, 0.0, 0.4])


def collinear_ratios(process_name: str, name: str, angle: float, kernel: str = "corrected") -> np.ndarray:
    """n_g A_n / (A_{n-1} F), averaged over eight azimuths of a splitting at this angle; (points,).

    The splitting is put into events of the reduced process by the inverse of the map, the gluons in random order,
    all else is the work of the feature block and the amplitudes.
    """
    process, kind = parse_process(process_name), radiation(name)
    reduced = reduced_process(process)
    n, azimuths = 12, 8
    external = external_momenta(regular_points(reduced, n, seed=3))
    rng = np.random.default_rng(5)
    jets = list(reduced.jet_legs)
    if kind.initial:
        parent = next(i for i in (0, 1) if (reduced.legs[i].kind == "gluon") == kind.gluon)
        candidates = jets
    else:
        parent = next(i for i in jets if (reduced.legs[i].kind == "gluon") == kind.gluon)
        candidates = [i for i in jets if i != parent]
    rows = torch.arange(n)
    chosen = torch.tensor(candidates)[external[:, candidates, 0].argmax(dim=1)]  # the block's spectator
    spectator, before = external[rows, chosen], external[:, parent]
    share = torch.from_numpy(rng.uniform(0.25, 0.75, n))
    block = RadiationBlock(process, kind, kind.name, kernel=kernel)
    provider = make_provider("native", process)
    new = process.n_external - 1  # the emitted gluon comes last, until the gluons are mixed
    gluons = [i for i in process.jet_legs if process.legs[i].kind == "gluon"]
    ratios = []
    for step in range(azimuths):
        phi = 2 * math.pi * (step + 0.3) / azimuths
        if kind.initial:
            emitter = before / share[:, None]
            u = angle**2 * (1 - share) * emitter[:, 0] ** 2 / (2 * dot(emitter, spectator))
            pi, pj, pk = split_initial(before, spectator, share, u, phi)
        else:
            y = angle**2 * share * (1 - share) * before[:, 0] ** 2 / (2 * dot(before, spectator))
            pi, pj, pk = split_final(before, spectator, y, share, phi)
        cosine = (pi[:, 1:] * pj[:, 1:]).sum(1) / (pi[:, 0] * pj[:, 0])
        assert float((1 - cosine).sqrt().max()) < 2 * angle
        event = torch.cat([external, pj[:, None]], dim=1)
        event[:, parent] = pi
        event[rows, chosen] = pk
        order = list(range(process.n_external))
        for place, leg in zip(gluons, rng.permutation(gluons), strict=True):
            order[place] = int(leg)
        final = event[:, order][:, 2:].contiguous()
        found = block.compute(final)
        emitted = order.index(new)
        pair = {emitted, order.index(parent)}
        assert all({int(i), int(j)} == pair for i, j, _ in found["legs"])
        exact = provider.evaluate(external_momenta(final).numpy())
        ratios.append(exact / (found["kernel"] * found["reduced_amplitude"]).numpy())
    return len(gluons) * np.mean(ratios, axis=0)


LIMITS = [
    ("d d~ > z g g g", "fg1"),
    ("d g > z d g g", "fg1"),
    ("e- e+ > d d~ g g", "fg1"),
    ("d g > z d g g", "fq1"),
    ("g g > z d d~ g", "fq1"),
    ("d g > z d g g", "ig1"),
    ("g d > z d g g", "ig1"),
    ("g g > z d d~ g", "ig1"),
    ("d d~ > z g g g", "iq1"),
    ("d g > z d g g", "iq1"),
    ("g d~ > z d~ g g", "iq1"),
]


@pytest.mark.parametrize(("process", "name"), LIMITS)
def test_exact_collinear_limit(process, name):
    # The terms that the average over the azimuth leaves are of the order of the angle squared.
    first, second = (np.abs(collinear_ratios(process, name, angle) - 1).max() for angle in (1e-3, 1e-4))
    assert first < 5e-4
    assert second < 5e-6
    assert second < first / 30


@pytest.mark.parametrize(("process", "name", "least"), [(*LIMITS[0], 0.05), (*LIMITS[3], 0.15), (*LIMITS[5], 0.09)])
def test_printed_kernels_miss_the_limit(process, name, least):
    assert np.abs(collinear_ratios(process, name, 1e-4, "paper") - 1).min() > least


def test_printed_initial_quark_kernel_is_twice_the_limit():
    np.testing.assert_allclose(collinear_ratios("d d~ > z g g g", "iq1", 1e-4, "paper"), 0.5, rtol=1e-4)
