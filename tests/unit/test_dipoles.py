"""Catani-Seymour dipoles: exactness near singularities, limits, invariances."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from ampcli.errors import UsageError
from ampcli.factorisation.dipoles import final_final, momentum_fraction, recoil_factor
from ampcli.factorisation.kernels import C_A, C_F, Splitting, final_splitting
from ampcli.factorisation.momenta import invariant_products
from ampcli.factorisation.permutations import relevant_permutations
from ampcli.process import parse_process

ALPHA_S = 0.118


def massless(vectors: np.ndarray) -> np.ndarray:
    """(n, legs, 3) -> (n, legs, 4)."""
    return np.concatenate([np.linalg.norm(vectors, axis=-1, keepdims=True), vectors], axis=-1)


def products(p: np.ndarray) -> torch.Tensor:
    return invariant_products(torch.from_numpy(np.ascontiguousarray(p.transpose(2, 1, 0))))


def dipole(kind: Splitting, s: torch.Tensor, i: int, j: int, k: int) -> torch.Tensor:
    """D_ij,k of invariants (legs, legs, n)."""
    return final_final(kind, s[i, j], s[i, k], s[j, k], ALPHA_S)[0]


def kernel(kind: Splitting, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """<V> / (8 pi alpha_s) of a final-state emitter and spectator."""
    return final_splitting(kind, z, 1 - z + z * y, z + (1 - z) * y)


def exact_product(a: np.ndarray, b: np.ndarray) -> float:
    """|a||b| - a.b of massless momenta in 80-digit arithmetic: the stored three-momenta, energies from mass shells."""
    with localcontext() as context:
        context.prec = 80
        x, y = ([Decimal(float(v)) for v in vector] for vector in (a, b))
        norms = (sum(v * v for v in x) * sum(v * v for v in y)).sqrt()
        return float(norms - sum(v * w for v, w in zip(x, y, strict=True)))


@pytest.mark.parametrize("angle", [3.0, 1.6, 1.0, 1e-2, 1e-4, 1e-7])
def test_products_are_as_exact_as_the_momenta(rng, angle):
    # Rounding a momentum (1e-16) changes the angle, and with it the product, by 1e-16 / angle: no code does better;
    # E_i E_j - p_i.p_j loses 1e-16 / angle^2.
    first = rng.normal(size=(200, 3)) * rng.uniform(1, 500, (200, 1))
    side = np.cross(first, rng.normal(size=(200, 3)))
    side *= (np.linalg.norm(first, axis=1) / np.linalg.norm(side, axis=1))[:, None]
    second = (math.cos(angle) * first + math.sin(angle) * side) * rng.uniform(1e-3, 1, (200, 1))
    found = products(massless(np.stack([first, second], axis=1)))[0, 1]
    exact = [exact_product(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found, exact, rtol=2e-15 + 5e-16 / angle)


def test_products_are_symmetric_with_zero_diagonal(rng):
    s = products(massless(rng.normal(size=(50, 5, 3))))
    assert torch.equal(s, s.transpose(0, 1))
    assert (s.diagonal(dim1=0, dim2=1) == 0).all()
    assert (s >= 0).all()


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_invariants_of_the_published_program(fame_reference, jets):
    known = fame_reference(jets)
    s = products(known["momenta"][:, 2:])
    for column, (i, j, k) in enumerate(known["perms"] - 1):
        y = recoil_factor(s[i, j], s[j, k], s[i, k])
        z = momentum_fraction(s[i, k], s[j, k])
        np.testing.assert_allclose(y, known["y"][:, column], rtol=1e-10)
        np.testing.assert_allclose(z, known["z"][:, column], rtol=1e-10)
        kind = "qg" if i < 2 else "gg"
        found = dipole(kind, s, i, j, k)
        np.testing.assert_allclose(found, known["dipoles"][:, column], rtol=1e-10)


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_recoil_factor_and_fraction_describe_the_mapped_momenta(fame_reference, jets):
    # p_k~ = p_k / (1 - y), p_ij~ = p_i + p_j - y/(1-y) p_k; both massless (Catani-Seymour, Eq. 5.3).
    known = fame_reference(jets)
    p = known["momenta"][:, 2:]
    s = products(p)
    for column, (i, j, k) in enumerate(known["perms"] - 1):
        y = recoil_factor(s[i, j], s[j, k], s[i, k]).numpy()[:, None]
        np.testing.assert_allclose(p[:, k] / (1 - y), known["map_pk"][:, column], rtol=1e-10, atol=1e-7)
        parent = p[:, i] + p[:, j] - y / (1 - y) * p[:, k]
        np.testing.assert_allclose(parent, known["map_pij"][:, column], rtol=1e-10, atol=1e-7)


def lorentz(rng: np.random.Generator, n: int) -> np.ndarray:
    """Rotations followed by boosts of up to 0.95 c, (n, 4, 4)."""
    rotations, _ = np.linalg.qr(rng.normal(size=(n, 3, 3)))
    rotations *= np.sign(np.linalg.det(rotations))[:, None, None]
    beta = rng.normal(size=(n, 3))
    beta *= (rng.uniform(0, 0.95, n) / np.linalg.norm(beta, axis=1))[:, None]
    gamma = 1 / np.sqrt(1 - (beta**2).sum(axis=1))
    boost = np.zeros((n, 4, 4))
    boost[:, 0, 0] = gamma
    boost[:, 0, 1:] = boost[:, 1:, 0] = gamma[:, None] * beta
    boost[:, 1:, 1:] = np.eye(3) + (gamma**2 / (1 + gamma))[:, None, None] * beta[:, :, None] * beta[:, None]
    full = np.zeros((n, 4, 4))
    full[:, 0, 0] = 1
    full[:, 1:, 1:] = rotations
    return boost @ full


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_lorentz_invariance(fame_reference, rng, jets):
    p = fame_reference(jets)["momenta"][:, 2:]
    moved = np.einsum("nab,nib->nia", lorentz(rng, len(p)), p)
    before, after = products(p), products(massless(moved[..., 1:]))
    np.testing.assert_allclose(after, before, rtol=1e-10)
    for i, j, k in [(0, 2, 1), (1, 2, 0)]:
        for kind in ("qg", "gg"):
            a, b = (dipole(kind, s, i, j, k) for s in (before, after))
            np.testing.assert_allclose(b, a, rtol=1e-10)


Z = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)


@pytest.mark.parametrize("y", [1e-4, 1e-7])
def test_collinear_limit_is_the_splitting_function(y):
    small = torch.full_like(Z, y)
    quark = C_F * (1 + Z**2) / (1 - Z)
    gluon = 2 * C_A * (Z / (1 - Z) + (1 - Z) / Z + Z * (1 - Z))
    torch.testing.assert_close(kernel("qg", Z, small), quark, rtol=25 * y, atol=0)
    torch.testing.assert_close(kernel("gg", Z, small), gluon, rtol=25 * y, atol=0)


def test_kernels_at_a_point():
    z, y = torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)
    # 1 - z (1-y) = 0.6: V_qg = 4/3 (10/3 - 3/2), V_gg = 6 (10/3 - 2 + 1/4)
    assert float(kernel("qg", z, y)) == pytest.approx(4 / 3 * (10 / 3 - 3 / 2), rel=1e-14)
    assert float(kernel("gg", z, y)) == pytest.approx(6 * (10 / 3 - 7 / 4), rel=1e-14)


def test_gluon_kernel_does_not_know_which_gluon_is_which():
    y = torch.full_like(Z, 0.3)
    torch.testing.assert_close(kernel("gg", Z, y), kernel("gg", 1 - Z, y), rtol=1e-13, atol=0)


@pytest.mark.parametrize("kind", ["qg", "gg"])
def test_soft_limit_is_the_eikonal_factor(rng, kind):
    # D_ij,k + D_kj,i -> 8 pi alpha_s C p_i.p_k / (p_i.p_j p_j.p_k) for a soft gluon j between i and k.
    legs = rng.normal(size=(100, 3, 3))
    softness = 1e-7
    legs[:, 1] *= softness
    s = products(massless(legs))
    both = dipole(kind, s, 0, 1, 2) + dipole(kind, s, 2, 1, 0)
    charge = {"qg": C_F, "gg": C_A}[kind]
    eikonal = 8 * math.pi * ALPHA_S * charge * s[0, 2] / (s[0, 1] * s[1, 2])
    torch.testing.assert_close(both, eikonal, rtol=1e-4, atol=0)


def test_recoil_factor_lies_between_zero_and_one(rng):
    s = products(massless(rng.normal(size=(1000, 3, 3))))
    y = recoil_factor(s[0, 1], s[1, 2], s[0, 2])
    assert ((y > 0) & (y < 1)).all()
    total = y + recoil_factor(s[0, 2], s[2, 1], s[0, 1]) + recoil_factor(s[1, 2], s[2, 0], s[1, 0])
    torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-13, atol=0)


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_permutations_of_the_published_program(fame_reference, jets):
    known = fame_reference(jets)
    found = relevant_permutations(parse_process("e- e+ > d d~" + " g" * (jets - 2)))
    assert [tuple(row) for row in known["perms"] - 1] == list(found.triples)
    assert len(found.triples) == {3: 2, 4: 10, 5: 27}[jets]
    assert found.kinds == tuple("qg" if i < 2 else "gg" for i, _, _ in found.triples)
    pairs = known.get("phi_pairs", np.empty((0, 2), dtype=int)) - 1
    assert [tuple(row) for row in pairs] == list(found.gluon_pairs)


def test_permutations_follow_the_order_of_the_legs():
    found = relevant_permutations(parse_process("e- e+ > g d~ d"))
    assert found.triples == ((1, 0, 2), (2, 0, 1))
    assert found.kinds == ("qg", "qg")


@pytest.mark.parametrize(
    "process",
    ["e- e+ > d d~", "e- e+ > g g g", "e- e+ > d d~ u u~ g", "d d~ > z g g", "e- e+ > t t~ g", "e- e+ > d d~ g z"],
)
def test_other_final_states_are_refused(process):
    with pytest.raises(UsageError, match="no final-state dipoles"):
        relevant_permutations(parse_process(process))
