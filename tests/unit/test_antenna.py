"""Colour strings, the representative of symmetric events, the block antenna and its ansatz."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import pytest
import torch

from ampcli.amplitudes.providers import make_provider
from ampcli.errors import UsageError
from ampcli.factorisation.antennas import colour_strings, neighbours, splittings, string_antenna
from ampcli.factorisation.representative import representative
from ampcli.features.antenna import AntennaBlock
from ampcli.features.blocks import make_block
from ampcli.kinematics import dot, with_beams
from ampcli.models.ansatz import Batch, shapes_of
from ampcli.models.antenna import AntennaAnsatz
from ampcli.models.kinds import recipe_settings
from ampcli.models.options import LikelihoodOptions
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.records.training import Recipe

SQRT_S = 1000.0


def process_of(jets: int):
    return parse_process("e- e+ > d d~" + " g" * (jets - 2))


def exact(final: np.ndarray) -> np.ndarray:
    provider = make_provider("native", process_of(final.shape[1]), {})
    return provider.evaluate(np.ascontiguousarray(with_beams(final, SQRT_S)))


def events(jets: int, n: int = 200, seed: int = 3) -> np.ndarray:
    return np.ascontiguousarray(rambo(np.random.default_rng(seed).random((n, jets, 4)), SQRT_S))


@pytest.mark.parametrize(("gluons", "count"), [(1, 1), (2, 3), (3, 13), (4, 73)])
def test_strings_distribute_every_gluon_once(gluons, count):
    legs = range(2, 2 + gluons)
    strings = colour_strings(legs)
    assert len(strings) == len({frozenset(term) for term in strings}) == count
    for term in strings:
        assert sorted(chain.from_iterable(term)) == list(legs)


def test_neighbours_are_those_of_one_string():
    assert neighbours(((4, 2), (3,))) == {(2, 4)}
    assert neighbours(((3, 2, 4),)) == {(2, 3), (2, 4)}
    assert neighbours(((2,), (3,))) == set()


@pytest.mark.parametrize(("gluons", "count"), [(1, 0), (2, 1), (3, 9), (4, 36)])
def test_splittings_have_every_pair_of_neighbours(gluons, count):
    terms = colour_strings(range(2, 2 + gluons))
    found = splittings(terms, 0, 1)
    assert len(found) == len({(each.pair, each.left, each.right) for each in found}) == count
    for each in found:
        assert not {each.left, each.right} & set(each.pair)
        assert all(each.pair in neighbours(terms[place]) for place in each.terms)


def test_antennae_by_hand():
    s = torch.arange(1.0, 26.0, dtype=torch.float64).reshape(5, 5, 1)
    s = s + s.transpose(0, 1)  # s_ij = 6 (i + j) + 2
    ordered = float(s[0, 1] / (s[0, 3] * s[3, 2] * s[2, 4] * s[4, 1]))
    assert float(string_antenna(s, ((3, 2, 4),), 0, 1)) == pytest.approx(ordered)
    split = float(s[0, 1] / (s[0, 4] * s[4, 2] * s[2, 1]) * s[0, 1] / (s[0, 3] * s[3, 1]))
    assert float(string_antenna(s, ((4, 2), (3,)), 0, 1)) == pytest.approx(split)


def test_one_string_holds_all_poles_of_three_jets():
    final = events(3, 2000)
    final = final[dot(final[:, 0].T, final[:, 1].T) > 0.1 * SQRT_S**2]  # s_qq~ > 0.2 s: poles of the gluon remain
    terms = AntennaBlock(process_of(3)).compute(torch.from_numpy(final))["terms"].numpy()
    assert terms.shape == (len(final), 1)
    ratio = exact(final) / terms[:, 0]  # couplings, and x_q^2 + x_q~^2 with angles to the beams
    assert ratio.max() / ratio.min() < 30
    assert terms.max() / terms.min() > 1000


def collinear(jets: int, groups: list[list[int]], angle: float) -> np.ndarray:
    """An event in which the legs of each group are within about `angle` (fixed azimuths), the rest apart."""
    rng = np.random.default_rng(5)
    direction = rng.normal(size=(jets, 3))
    energies = rng.uniform(0.5, 1.5, jets)
    for group in groups:
        axis = direction[group[0]]
        for leg in group:
            direction[leg] = axis + angle * np.linalg.norm(axis) * rng.normal(size=3)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    p = np.concatenate([np.ones((jets, 1)), direction], axis=1) * energies[:, None]
    return at_rest(p)


def soft(jets: int, legs: list[int], size: float) -> np.ndarray:
    p = collinear(jets, [], 0.0)
    p[:, legs] *= size
    return at_rest(p[0])


def at_rest(p: np.ndarray) -> np.ndarray:
    """Massless momenta (legs, 4) boosted to rest and scaled to sqrt(s): (1, legs, 4)."""
    total = p.sum(axis=0)
    mass = math.sqrt(dot(total, total))
    velocity, gamma = -total[1:] / mass, total[0] / mass
    along = p[:, 1:] @ velocity
    momentum = p[:, 1:] + velocity * (p[:, :1] + along[:, None] / (1 + gamma))
    momentum *= SQRT_S / mass
    return np.concatenate([np.linalg.norm(momentum, axis=1)[:, None], momentum], axis=1)[None]


LIMITS = {
    "gluon pair": lambda x: collinear(5, [[2, 3]], x),
    "quark and gluon": lambda x: collinear(5, [[0, 2]], x),
    "two pairs": lambda x: collinear(5, [[0, 2], [3, 4]], x),
    "quark and two gluons": lambda x: collinear(5, [[0, 2, 3]], x),
    "three gluons": lambda x: collinear(5, [[2, 3, 4]], x),
    "soft gluon": lambda x: soft(5, [3], x * x),
    "two soft gluons": lambda x: soft(5, [2, 4], x * x),
    "three soft gluons": lambda x: soft(5, [2, 3, 4], x * x),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_antennae_diverge_like_the_amplitude(limit):
    """|M|^2 over the sum of antennae goes to a number in every unresolved limit, while |M|^2 diverges."""
    block = AntennaBlock(process_of(5))
    amplitudes, ratios = [], []
    for size in (1e-2, 1e-3, 1e-4):
        final = LIMITS[limit](size)
        antennae = block.compute(torch.from_numpy(final))["terms"][:, : block.n_strings].sum()
        amplitudes.append(float(exact(final)[0]))
        ratios.append(amplitudes[-1] / float(antennae))
    assert amplitudes[2] / amplitudes[1] > 50  # a single pole in s_ij or twice a double one in E grows by 100
    assert abs(ratios[2] / ratios[1] - 1) < 0.02
    assert abs(ratios[2] / ratios[1] - 1) < 0.3 * abs(ratios[1] / ratios[0] - 1) + 1e-3


def split_gluon(parent: np.ndarray, rest: np.ndarray, share: float, angle: float, steps: int = 8) -> np.ndarray:
    """Quarks (2, 3) and other gluons (rest) with a parent (3,) that splits at `steps` azimuths; (steps, legs, 4)."""
    length = np.linalg.norm(parent)
    axis = parent / length
    side = np.cross(axis, [0.36, 0.48, 0.8])
    side /= np.linalg.norm(side)
    found = []
    for phi in 2 * np.pi * np.arange(steps) / steps:
        kick = length * share * (1 - share) * angle * (np.cos(phi) * side + np.sin(phi) * np.cross(axis, side))
        three = np.stack([*rest[:2], share * parent + kick, (1 - share) * parent - kick, *rest[2:]])
        found.append(at_rest(np.concatenate([np.linalg.norm(three, axis=1)[:, None], three], axis=1))[0])
    return np.stack(found)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_a_soft_gluon_splits_as_its_current_polarises_it(share):
    """|M|^2 of q q~ g g is a + b cos 2 phi with the b / a of g -> g g and linear polarisation in the quarks' plane."""
    parent = 1e-3 * np.array([0.3, -0.5, 0.6])
    final = split_gluon(parent, np.array([[1.0, 0.2, 0.1], [-0.7, 0.5, -0.4]]), share, 1e-3)
    block = AntennaBlock(process_of(4))
    terms = block.compute(torch.from_numpy(final))["terms"].numpy()
    sums, cosines, sines = terms[:, :2].sum(axis=1), terms[:, 3], terms[:, 4]  # q 2 3 q~ and q 3 2 q~
    size = (share * (1 - share)) ** 2
    # z / (1 - z) + (1 - z) / z + z (1 - z) (1 + cos 2 phi), of which 2 / (z (1 - z)) are the antennae
    shape = 0.5 * (1 - share * (1 - share)) ** 2 * sums + 0.5 * cosines
    assert np.abs(np.hypot(cosines, sines) / (size * sums) - 1).max() < 1e-3
    assert np.ptp(cosines / sums) > 1.4 * size  # of 2, seen at four angles
    ratio = exact(final) / shape
    assert np.ptp(ratio) / ratio.mean() < 0.02 * np.ptp(cosines / shape)


def test_features_have_a_limit_for_collinear_gluons():
    """What coefficients depend on goes to numbers as a pair becomes collinear, what they multiply to fixed shares."""
    rest = np.array([[1.0, 0.2, 0.1], [-0.7, 0.5, -0.4], [0.1, -0.6, -0.5]])
    block, found = AntennaBlock(process_of(5)), []
    for angle in (1e-4, 1e-5):
        arrays = block.compute(torch.from_numpy(split_gluon(np.array([-0.3, -0.2, 0.8]), rest, 0.3, angle)))
        terms = arrays["terms"]
        found.append((arrays["inputs"], terms / terms[:, : block.n_strings].sum(dim=1, keepdim=True)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)
    spin = found[1][1][:, block.n_strings :]
    assert (spin.amax(dim=0) - spin.amin(dim=0)).max() > 1e-3  # which is seen in every direction of the splitting


SYMMETRIES = {
    "gluons": lambda p: p[:, [0, 1, 4, 2, 3]],
    "rotation": lambda p: p @ np.array([[1, 0, 0, 0], [0, 0.6, -0.8, 0], [0, 0.8, 0.6, 0], [0, 0, 0, 1.0]]),
    "mirror": lambda p: p * np.array([1.0, 1.0, -1.0, 1.0]),
    "CP": lambda p: p[:, [1, 0, 2, 3, 4]] * np.array([1.0, -1.0, -1.0, -1.0]),
}


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_symmetric_events_have_one_representative(symmetry):
    final = events(5)
    other = np.ascontiguousarray(SYMMETRIES[symmetry](final))
    np.testing.assert_allclose(exact(other), exact(final), rtol=1e-11)
    mine, theirs = (representative(torch.from_numpy(p), process_of(5)) for p in (final, other))
    torch.testing.assert_close(theirs, mine, rtol=1e-11, atol=1e-9)
    block = AntennaBlock(process_of(5))
    mine_, theirs_ = (block.compute(torch.from_numpy(p)) for p in (final, other))
    for name, array in mine_.items():
        torch.testing.assert_close(theirs_[name], array, rtol=1e-8, atol=1e-8 * float(array.abs().max()))


@pytest.mark.parametrize(
    "change", [lambda p: p[:, [1, 0, 2, 3, 4]], lambda p: p * np.array([1.0, -1.0, -1.0, -1.0])], ids=["C", "P"]
)
def test_what_is_no_symmetry_is_seen(change):
    final = events(5)
    other = np.ascontiguousarray(change(final))
    assert (np.abs(exact(other) / exact(final) - 1) > 0.01).mean() > 0.5
    mine, theirs = (representative(torch.from_numpy(p), process_of(5)) for p in (final, other))
    assert ((mine - theirs).abs().amax(dim=(1, 2)) > 1.0).double().mean() > 0.9


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_representatives_are_ordered_and_oriented(jets):
    final = events(jets)
    found = representative(torch.from_numpy(final), process_of(jets)).numpy()
    assert (found[:, 0, 0] >= found[:, 1, 0]).all()
    assert (np.diff(found[:, 2:, 0], axis=1) <= 0).all()
    assert np.abs(found[:, 0, 2]).max() < 1e-9 * SQRT_S
    assert (found[:, 0, 1] >= 0).all()
    assert (found[:, 1, 2] >= 0).all()
    np.testing.assert_allclose(exact(np.ascontiguousarray(found)), exact(final), rtol=1e-10)
    again = representative(torch.from_numpy(found), process_of(jets)).numpy()
    np.testing.assert_allclose(again, found, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("version", "azimuths"), [(1, 3), (2, 9)])
def test_shapes_and_spin_terms(version, azimuths):
    block = make_block("antenna", process_of(5), {}, version)
    final = torch.from_numpy(events(5))
    found = block.compute(final)
    assert {name: tuple(array.shape[1:]) for name, array in found.items()} == block.shapes()
    assert block.shapes() == {"inputs": (30,), "terms": (13 + 2 * azimuths,)}
    antennae, cosines, sines = torch.split(found["terms"], [13, azimuths, azimuths], dim=1)
    energy = representative(final, process_of(5))[..., 0]
    old = [((i, j), [(i, j) in neighbours(strings) for strings in block.strings]) for i, j in block.gluon_pairs]
    for place, ((i, j), adjacent) in enumerate(
        old if version == 1 else [(each.pair, list(each.terms)) for each in block.splittings]
    ):
        shares = energy[:, i] * energy[:, j] / (energy[:, i] + energy[:, j]).square() if version == 2 else 1.0
        strength = antennae[:, adjacent].sum(dim=1) * shares**2
        torch.testing.assert_close(torch.hypot(cosines[:, place], sines[:, place]), strength)
    quarks, others = found["inputs"][:, 20], found["inputs"][:, 21:]
    sums = quarks.exp() + (others.exp() if version == 1 else others.square()).sum(dim=1)
    torch.testing.assert_close(sums, torch.ones(len(final), dtype=torch.float64))  # sum s_ij = s


def test_hadrons_and_neutral_final_states_have_no_such_features():
    with pytest.raises(UsageError, match="lepton pairs"):
        make_block("antenna", parse_process("u u~ > d d~ g"), {})
    with pytest.raises(UsageError, match="quark"):
        make_block("antenna", parse_process("d d~ > z g g"), {})


@pytest.fixture(scope="module", params=[3, 5])
def known(request):
    """Process, arrays of the block and exact amplitudes."""
    process = process_of(request.param)
    final = events(request.param, 300)
    arrays = {"momenta": torch.from_numpy(final), **AntennaBlock(process).compute(torch.from_numpy(final))}
    return process, arrays, torch.from_numpy(exact(final))


def fitted(known, beta: float = 0.5) -> AntennaAnsatz:
    return AntennaAnsatz.fit(*known, LikelihoodOptions(beta=beta))


def outputs_for(ansatz: AntennaAnsatz, arrays, amplitude, log_sigma: float = 0.0) -> torch.Tensor:
    """Outputs (1, n, n_outputs) with which the first antenna alone gives these amplitudes."""
    outputs = torch.zeros((1, len(amplitude), ansatz.n_outputs), dtype=torch.float64)
    outputs[0, :, 0] = torch.asinh(amplitude / arrays["terms"][:, 0] / ansatz.s_coef)
    outputs[0, :, -1] = log_sigma
    return outputs


def test_sizes_and_scales(known):
    process, arrays, amplitude = known
    ansatz = fitted(known)
    strings = {3: 1, 5: 13}[process.n_final]
    assert ansatz.n_outputs == arrays["terms"].shape[1] + 1
    assert ansatz.s_coef == (amplitude / arrays["terms"][:, :strings].sum(dim=1)).median() / 32
    scales = {name: tensor.clone() for name, tensor in ansatz.scales().items()}
    restored = AntennaAnsatz.restore(process, shapes_of(arrays), LikelihoodOptions(), scales)
    assert torch.equal(restored.inputs(arrays), ansatz.inputs(arrays))
    outputs = torch.randn((2, len(amplitude), ansatz.n_outputs), generator=torch.Generator().manual_seed(1))
    assert torch.equal(restored.amplitude(outputs, arrays), ansatz.amplitude(outputs, arrays))
    assert torch.equal(restored.relative_uncertainty(outputs), ansatz.relative_uncertainty(outputs))


def test_exact_coefficients_give_the_amplitude(known):
    _, arrays, amplitude = known
    ansatz = fitted(known)
    outputs = outputs_for(ansatz, arrays, amplitude, log_sigma=-2.0)
    torch.testing.assert_close(ansatz.amplitude(outputs, arrays)[0], amplitude, rtol=1e-12, atol=0)
    sigma = ansatz.relative_uncertainty(outputs)
    torch.testing.assert_close(sigma[0], (ansatz.target.deviation * math.exp(-2)).expand(len(amplitude)))


def test_the_loss_is_the_likelihood(known):
    _, arrays, amplitude = known
    ansatz = fitted(known, beta=0.0)
    table = ansatz.table(arrays, amplitude)
    wrong = outputs_for(ansatz, arrays, 1.1 * amplitude, log_sigma=-1.0).float()
    loss, penalty = ansatz.losses(wrong, Batch(table.inputs[None], table.terms[None], table.target[None]))
    shift = torch.asinh(1.1 * amplitude / ansatz.s_pred) - torch.asinh(amplitude / ansatz.s_pred)
    expected = (0.5 * (shift / ansatz.target.deviation).square() * math.exp(2) - 1.0).mean()
    torch.testing.assert_close(loss, expected.float()[None], rtol=1e-4, atol=1e-4)
    assert float(penalty) == 0.0


def test_settings_of_fame_plus():
    settings = recipe_settings("fame+")
    recipe = Recipe.model_validate({**settings, "hidden": (160,) * 7, "seeds": (1,), "dataset_digest": "d"})
    assert (recipe.kind, recipe.residual, recipe.optimiser) == ("antenna", True, "soap")
    assert recipe.options == LikelihoodOptions(beta=0.5)
