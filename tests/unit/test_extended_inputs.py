"""The inputs of improved surrogates: symmetries, choices of pair and spectator, the mirror symmetry of |M|^2."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from radiation_reference import choose_spectator, distances

from ampcli.amplitudes.native.provider import Native
from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.factorisation.radiation import SPECTATORS, Choices, mirror_symmetric, parse_radiation
from ampcli.features.blocks import default_choices, make_block
from ampcli.features.radiation import RadiationBlock
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process, parse_process

DDX, DG = "d d~ > z g g g g", "d g > z d g g g"
BLOCKS = [
    (DDX, "fg1+"), (DDX, "fg2+"), (DDX, "iq1+"), (DDX, "fg1^2+"), (DDX, "iq1^2+"),
    (DG, "fg1+"), (DG, "fq1+"), (DG, "ig1+"), (DG, "iq1+"), (DG, "ig1^2+"),
    (DG, "fa1+"), (DG, "fa1^2+"),
]  # fmt: skip


def sample(process: Process, n: int, seed: int = 1) -> np.ndarray:
    """Final states (n, n_final, 4), Z on its mass shell, in frames that move along z."""
    rng = np.random.default_rng(seed)
    final = rambo(rng.random((n, process.n_final, 4)), 1000.0)
    masses = np.array(process.final_masses)
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return boosted(final, rng.uniform(-1.5, 1.5, (n, 1)), masses)


def boosted(final: np.ndarray, rapidity: np.ndarray | float, masses: np.ndarray) -> np.ndarray:
    moved = final.copy()
    moved[..., 3] = np.cosh(rapidity) * final[..., 3] + np.sinh(rapidity) * final[..., 0]
    moved[..., 0] = np.sqrt((moved[..., 1:] ** 2).sum(axis=2) + masses**2)
    return np.ascontiguousarray(moved)


def block_of(process: Process, name: str, **changes: object) -> RadiationBlock:
    made = make_block(name, process, {**default_choices(name), "provider": "native", **changes})
    assert isinstance(made, RadiationBlock)
    return made


def inputs(block: RadiationBlock, final: np.ndarray) -> torch.Tensor:
    return block.compute(torch.from_numpy(np.ascontiguousarray(final)))["inputs"]


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_shapes(name, block):
    process = parse_process(name)
    made = block_of(process, block)
    found = made.compute(torch.from_numpy(sample(process, 5)))
    assert {key: tuple(array.shape[1:]) for key, array in found.items()} == made.shapes()
    assert all(torch.isfinite(array).all() for array in found.values())


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_boosts_along_the_beams_and_turns_about_them_change_nothing(name, block):
    process = parse_process(name)
    made, final = block_of(process, block), sample(process, 60)
    usual = inputs(made, final)
    cosine, sine = math.cos(2.0), math.sin(2.0)
    turned = final.copy()
    turned[..., 1] = cosine * final[..., 1] - sine * final[..., 2]
    turned[..., 2] = sine * final[..., 1] + cosine * final[..., 2]
    torch.testing.assert_close(inputs(made, turned), usual, rtol=1e-7, atol=1e-7)
    moved = boosted(final, 0.8, np.array(process.final_masses))
    torch.testing.assert_close(inputs(made, moved), usual, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_exchange_of_gluons_changes_nothing(name, block):
    process = parse_process(name)
    made, final = block_of(process, block), sample(process, 40)
    usual = made.compute(torch.from_numpy(final))
    gluons = [i for i, leg in enumerate(process.outgoing) if leg.name == "g"]
    for order in itertools.permutations(gluons):
        exchanged = final.copy()
        exchanged[:, gluons] = final[:, order]
        found = made.compute(torch.from_numpy(exchanged))
        for key in ("inputs", "kernel", "reduced_amplitude", "variables"):
            torch.testing.assert_close(found[key], usual[key], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [(DDX, True), ("d~ d > z g g", True), ("g g > z d d~", True), (DG, False), ("u d~ > w+ g", False),
     ("d d~ > e- e+ g", False), ("d d~ > d d~ g", False)],
)  # fmt: skip
def test_which_processes_may_be_mirrored(name, expected):
    assert mirror_symmetric(parse_process(name)) is expected


def mirrored(final: np.ndarray) -> np.ndarray:
    """The same outgoing momenta with p_z reversed: what the beams exchanged look like from the other side."""
    other = final.copy()
    other[..., 3] *= -1
    return other


@pytest.mark.parametrize("name", [DDX, "d d~ > z g g", "g g > z d d~ g"])
def test_the_exact_amplitude_is_mirror_symmetric(name):
    process = parse_process(name)
    final = sample(process, 30)
    provider = Native(process)
    exact, other = (provider.evaluate(with_beams(p)) for p in (final, mirrored(final)))
    np.testing.assert_allclose(other, exact, rtol=1e-9)


def test_the_mirror_is_not_a_symmetry_of_all_processes():
    process = parse_process(DG)
    final = sample(process, 30)
    exact, other = (Native(process).evaluate(with_beams(p)) for p in (final, mirrored(final)))
    assert (np.abs(other / exact - 1) > 0.1).mean() > 0.5


@pytest.mark.parametrize("block", ["fg1+", "fg2+", "iq1+", "fg1^2+", "iq1^2+"])
def test_oriented_inputs_do_not_see_the_mirror(block):
    process = parse_process(DDX)
    final = sample(process, 60)
    made = block_of(process, block)
    torch.testing.assert_close(inputs(made, mirrored(final)), inputs(made, final), rtol=1e-6, atol=1e-6)
    if block.startswith("fg"):  # emitting beams are first in any case
        plain = block_of(process, block, orient=False)
        assert (inputs(plain, mirrored(final)) - inputs(plain, final)).abs().max() > 0.1


def by_hand(p: np.ndarray) -> tuple[set[int], int]:
    """The two gluons with the smallest Delta R of one event (7, 4) and the jet with the largest s_ijk."""
    pt, eta, phi = np.hypot(p[:, 1], p[:, 2]), np.zeros(7), np.arctan2(p[:, 2], p[:, 1])
    eta[2:] = np.arcsinh(p[2:, 3] / pt[2:])

    def apart(i: int, j: int) -> float:
        dphi = abs(phi[i] - phi[j])
        return math.hypot(eta[i] - eta[j], min(dphi, 2 * math.pi - dphi))

    pair = min(itertools.combinations(range(3, 7), 2), key=lambda ij: apart(*ij))

    def s_ijk(k: int) -> float:
        total = p[pair[0]] + p[pair[1]] + p[k]
        return float(total[0] ** 2 - (total[1:] ** 2).sum())

    return set(pair), max((k for k in range(3, 7) if k not in pair), key=s_ijk)


def test_pair_by_delta_r_and_spectator_by_s_ijk():
    process = parse_process(DDX)
    final = sample(process, 200)
    legs = block_of(process, "fg1+").compute(torch.from_numpy(final))["legs"].long().tolist()
    others = block_of(process, "fg1+", pair="product", spectator="energetic").compute(torch.from_numpy(final))
    for event, found in zip(with_beams(final), legs, strict=True):
        pair, spectator = by_hand(event)
        assert set(found[:2]) == pair
        assert found[2] == spectator
        pt = np.hypot(event[:, 1], event[:, 2])
        assert pt[found[0]] > pt[found[1]]
    assert legs != others["legs"].long().tolist()


def test_gluons_alone_are_spectators_where_there_are_some():
    """The quark takes recoil where no gluon is left."""
    for text, block in (("d g > z d g g g", "fg1+"), ("d g > z d g g g", "iq1+"), ("d g > z d g g", "fg1+")):
        process = parse_process(text)
        quark, *gluons = process.jet_legs
        final = torch.from_numpy(sample(process, 200))
        external = external_momenta(final)
        invariants = external_products(external, process)
        for event, legs in zip(
            invariants, block_of(process, block).compute(final)["legs"].long().tolist(), strict=True
        ):
            i, j, k = legs
            left = [gluon for gluon in gluons if gluon not in (i, j)]
            assert k == (max(left, key=lambda gluon: float(event[i, gluon] + event[j, gluon])) if left else quark)


def test_initial_pairs_go_by_their_product_always():
    process = parse_process(DDX)
    external = external_momenta(torch.from_numpy(sample(process, 20)))
    found = external_products(external, process)
    radiation = parse_radiation("iq1")
    assert radiation is not None
    assert torch.equal(distances(external, found, radiation, Choices(pair="delta-r")), found)


def test_the_spectator_is_none_of_the_pair():
    process = parse_process(DDX)
    external = external_momenta(torch.from_numpy(sample(process, 50)))
    found = external_products(external, process)
    pair = torch.tensor([[3, 5]]).expand(50, -1)
    for choice in SPECTATORS:
        spectator = choose_spectator(external, found, process, pair, Choices(spectator=choice))
        assert set(spectator.tolist()) == {4, 6}
