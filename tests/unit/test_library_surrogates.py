"""Trained models in libampcli: what Python predicts, and codes for what is malformed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from c_library import EXACT, FLAGS, NOT_PHYSICAL, OUTSIDE, ROOT, CError, Model

from ampcli.collisions.given import GivenEvents
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.errors import UsageError
from ampcli.features.blocks import make_block
from ampcli.inference.compiled.engine import Member, bundle_of, ways
from ampcli.inference.load import load_predictor
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predictor
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.library.bundle import write_bundle
from ampcli.library.contents import sealed
from ampcli.library.surrogates import surrogate_content
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.network import NETWORKS
from ampcli.models.options import LikelihoodOptions
from ampcli.records.architecture import Architecture
from ampcli.registry.manifest import Manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import read_probe

REGISTRY = ROOT / "registry"
MODELS = ["ddx-zgggg-fg1", "ddx-zgggg-nofa", "ddx-zgggg-pair", "ddx-zgggg-three", "dg-zdggg-fq1"]
BLOCKS = ["fg1", "fg2+", "fg1^2", "fg1^2+", "iq1", "ig1+", "fq1", "fa1+", "fg1,ig1+", "fg1,fq1"]
COMPILED = list(FLAGS)[: list(FLAGS).index(instruction_set()) + 1]  # those that this processor runs
MATRIX_UNIT = ["amx"] * ("split" in ways())
SETS = COMPILED + MATRIX_UNIT

#: Largest difference of amplitudes from torch, and its median: the matrix unit's factors are good to 2^-17.
LARGEST = {"amx": 2e-4}
MEDIAN = {"amx": 2e-5}


@cache
def predictor(name: str) -> Predictor:
    """On torch alone: no compiled pass."""
    found = load_predictor(name, REGISTRY, "cpu")
    for network in found.networks:
        network.__dict__["compiled"] = None
    return found


@cache
def momenta(name: str) -> np.ndarray:
    manifest = predictor(name).manifest
    return with_beams(read_probe(resolve(REGISTRY, manifest.reference), manifest)["momenta"].numpy())


@cache
def bundle(name: str) -> bytes:
    return write_bundle(surrogate_content(predictor(name)))


def disturbed(name: str) -> np.ndarray:
    """Events within and outside of the cuts: the second half has its jets' transverse momenta shrunk."""
    final = momenta(name)[:, 2:].copy()
    masses = np.array(predictor(name).process.final_masses)
    final[len(final) // 2 :, 1:, 1:3] *= 0.5
    final[:, 0, 1:3] = -final[:, 1:, 1:3].sum(axis=1)
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return with_beams(final)


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_are_those_of_python(name, instructions):
    events = np.concatenate([momenta(name), disturbed(name)])
    expected = predictor(name).predict(events)
    with Model(bundle(name), instructions) as model:
        values, errors, flags = model.evaluate(events)
    off = np.abs(values / expected.amplitude - 1)
    assert np.median(off) < MEDIAN.get(instructions, 1e-6)
    assert off.max() < LARGEST.get(instructions, 1e-5)
    np.testing.assert_allclose(
        errors, expected.uncertainty / expected.amplitude, rtol=5 * LARGEST.get(instructions, 2e-5)
    )
    np.testing.assert_array_equal(flags, np.where(expected.outside, OUTSIDE, 0))
    assert 0 < expected.outside.sum() < len(events)


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("name", ["ddx-zgggg-fg1", "ddx-zgggg-nofa", "dg-zdggg-fq1"])
def test_the_numbers_are_those_of_pythons_pass_on_the_same_set(name, instructions):
    events = np.concatenate([momenta(name), disturbed(name)])
    [network] = predictor(name).networks
    content = bundle_of(network.network, network.ansatz, network.block)
    on, way = ("avx512", "split") if instructions == "amx" else (instructions, "single")
    member = Member({**content, "parameters": network.parameters.numpy()}, way, on)
    expected, _ = member.predict(torch.from_numpy(events[:, 2:].copy()))
    with Model(bundle(name), instructions) as model:
        assert model.info().instructions.decode() == instructions
        np.testing.assert_array_equal(model.evaluate(events)[0], expected.numpy())


def test_the_best_set_is_the_default():
    with Model(bundle("ddx-zgggg-fg1")) as model:
        assert model.info().instructions.decode() == SETS[-1]


@pytest.mark.parametrize("name", ["ddx-zgggg-fg1", "ddx-zgggg-pair", "ddx-zgggg-nofa"])
def test_exact_where_the_model_is_not_sure(name):
    events = momenta(name)
    with Model(bundle(name)) as model:
        values, errors, flags = model.evaluate(events)
        exact, _ = model.exact(events)
        threshold = float(np.median(errors))
        mixed, errors_of_mixed, marks = model.evaluate_or_exact(threshold, events)
    chosen = (errors > threshold) | (flags & OUTSIDE > 0)
    assert 0 < chosen.sum() < len(events)
    np.testing.assert_allclose(mixed, np.where(chosen, exact, values), rtol=1e-12)
    np.testing.assert_array_equal(errors_of_mixed, np.where(chosen, 0, errors))
    np.testing.assert_array_equal(marks, np.where(chosen, flags | EXACT, flags))


def first_of(content: dict) -> dict:
    """The first network of a pair as a model of its own."""
    others = ("member/", "recalibration/", "inverse_correlation")
    found = {key: value for key, value in content.items() if not key.startswith(others)}
    found |= {key: value for key, value in content.items() if key.startswith("member/0/")}
    found |= {key.removeprefix("member/0/"): found.pop(key) for key in list(found) if "/recalibration/" in key}
    return sealed(found | {"members": np.array(1, dtype=np.int32), "combination": "single"})


@pytest.mark.parametrize("instructions", SETS)
def test_the_second_network_is_asked_where_the_first_is_not_sure(instructions):
    name = "ddx-zgggg-pair"
    events = np.resize(np.concatenate([momenta(name), disturbed(name)]), (1100, *momenta(name).shape[1:]))
    events[7, 3, 1] = np.nan
    content = surrogate_content(predictor(name))
    with Model(write_bundle(first_of(content)), instructions) as model:
        alone = model.evaluate(events)
    with Model(write_bundle(content), instructions) as model:
        both = model.evaluate(events)
    threshold = float(np.nanmedian(alone[1]))
    sure = alone[1] <= threshold
    in_turn = write_bundle(surrogate_content(predictor(name), threshold))
    with Model(in_turn, instructions) as model:
        values, errors, flags = model.evaluate(events)
        mixed, _, marks = model.evaluate_or_exact(2 * threshold, events)
    np.testing.assert_array_equal(values, np.where(sure, alone[0], both[0]))
    np.testing.assert_array_equal(errors, np.where(sure, alone[1], both[1]))
    np.testing.assert_array_equal(flags[~sure], both[2][~sure])
    known = (marks & (EXACT | NOT_PHYSICAL)) == 0
    assert 0 < (sure & known).sum() < known.sum() < len(events)
    np.testing.assert_array_equal(mixed[known], values[known])


def test_only_pairs_have_a_first_network():
    with pytest.raises(UsageError, match="no pair of networks"):
        surrogate_content(predictor("ddx-zgggg-fg1"), 0.01)


def test_the_strong_coupling_of_each_event():
    events = momenta("ddx-zgggg-fg1")
    alpha_s = np.linspace(0.09, 0.14, len(events))
    with Model(bundle("ddx-zgggg-fg1")) as model:
        info = model.info()
        assert (info.kind, info.alpha_s, info.alpha_s_power, info.has_exact) == (b"surrogate", 0.118, 4, 1)
        plain = model.evaluate(events)
        scaled = model.evaluate(events, alpha_s)
    np.testing.assert_allclose(scaled[0], plain[0] * (alpha_s / 0.118) ** 4, rtol=1e-12)
    np.testing.assert_array_equal(scaled[1], plain[1])


def test_events_that_are_not_physical_are_flagged():
    good = momenta("ddx-zgggg-fg1")[:16].copy()
    events = good.copy()
    events[1, 2, 0] *= 1.001  # off shell
    events[2, 4, 1] = np.nan
    events[3, 0, 0] = np.inf
    events[4] *= -1
    events[5] = 0
    events[6, 3, :] *= 1.01  # not conserved
    events[7] = events[7][:, [0, 3, 1, 2]]  # beams along x
    events[8, :2] = events[8, [1, 0]]  # beams exchanged
    events[9, :, 3] *= 1 + 1e-5
    bad = np.isin(np.arange(16), np.arange(1, 10))
    with Model(bundle("ddx-zgggg-fg1")) as model:
        values, errors, flags = model.evaluate(events)
        expected = model.evaluate(good)[0]
    np.testing.assert_array_equal(flags & NOT_PHYSICAL > 0, bad)
    np.testing.assert_array_equal(np.isnan(values), bad)
    np.testing.assert_array_equal(np.isnan(errors), bad)
    np.testing.assert_array_equal(values[~bad], expected[~bad])


def test_a_model_of_one_energy_takes_events_at_rest():
    name = "ddx-zgggg-nofa"
    event = momenta(name)[:1]
    final = event[:, 2:]
    total = final.sum(axis=1)
    mass = np.sqrt(total[0, 0] ** 2 - total[0, 3] ** 2)
    boost = np.array([[total[0, 0], -total[0, 3]], [-total[0, 3], total[0, 0]]]) / mass
    rest = final.copy()
    rest[..., [0, 3]] = final[..., [0, 3]] @ boost
    rest[..., 0] = np.sqrt((rest[..., 1:] ** 2).sum(axis=2) + np.array(predictor(name).process.final_masses) ** 2)
    events = with_beams(np.concatenate([rest, final]))
    content = sealed(surrogate_content(predictor(name)) | {"sqrt_s": np.array(mass)})
    with Model(write_bundle(content)) as model:
        np.testing.assert_array_equal(model.evaluate(events)[2] & NOT_PHYSICAL, [0, NOT_PHYSICAL])


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("events", [0, 1, 2, 3, 5, 7, 13, 20, 95, 97, 961, 1100])
def test_an_amplitude_does_not_depend_on_what_comes_with_it(events, instructions):
    known = momenta("ddx-zgggg-fg1")
    with Model(bundle("ddx-zgggg-fg1"), instructions) as model:
        once = model.evaluate(known)
        many = model.evaluate(np.resize(known, (events, *known.shape[1:])))
    for alone, together in zip(once, many, strict=True):
        np.testing.assert_array_equal(together, np.resize(alone, events))


@pytest.mark.parametrize("instructions", SETS)
def test_an_amplitude_does_not_depend_on_what_came_before(instructions):
    """Memory is kept from call to call: what events without an amplitude leave there is not read."""
    rough = untrained("fg1", (39, 24, 70))  # the third layer leaves more numbers than the first
    good = disturbed("dg-zdggg-fq1")
    bad = np.full_like(good, np.nan)
    with Model(write_bundle(surrogate_content(rough)), instructions) as model:
        before = model.evaluate(good)
        assert np.isnan(model.evaluate(bad)[0]).all()
        after = model.evaluate(good)
        once_more = model.evaluate(np.concatenate([bad, good]))
    for one, other, third in zip(before, after, once_more, strict=True):
        np.testing.assert_array_equal(other, one)
        np.testing.assert_array_equal(third[len(bad) :], one)


@cache
def untrained(block: str, hidden: tuple[int, ...] = (24, 24)) -> Predictor:
    """A network of given features with random parameters."""
    like = predictor("dg-zdggg-fq1")
    features = make_block(block, like.process, {})
    final = torch.from_numpy(disturbed("dg-zdggg-fq1")[:, 2:].copy())
    amplitude = torch.from_numpy(like.predict(final.numpy()).amplitude)
    ansatz = FactorisedAnsatz.fit(like.process, features.compute(final), amplitude, LikelihoodOptions())
    architecture = Architecture(inputs=ansatz.n_inputs, outputs=ansatz.n_outputs, hidden=hidden)
    parameters = NETWORKS["mlp"].make(architecture).initialise([5])[0]
    network = TrainedNetwork.build(ansatz, architecture, features, parameters, like.device)
    network.__dict__["compiled"] = None
    return Predictor(like.manifest, [network], like.device)


@pytest.mark.parametrize("instructions", SETS[-2:])
@pytest.mark.parametrize("block", BLOCKS)
def test_features_of_every_sort(block, instructions):
    events = disturbed("dg-zdggg-fq1")
    expected = untrained(block).predict(events).amplitude
    with Model(write_bundle(surrogate_content(untrained(block))), instructions) as model:
        np.testing.assert_allclose(model.evaluate(events)[0], expected, rtol=LARGEST.get(instructions, 2e-5))


def described(name: str, **changes: object) -> Predictor:
    """A model with another manifest."""
    manifest = predictor(name).manifest.model_copy(update=changes)
    return Predictor(manifest, predictor(name).networks, predictor(name).device)


def test_a_mean_of_networks():
    averaged = described("ddx-zgggg-three", combine="mean", correlation=None)
    events = momenta("ddx-zgggg-three")
    expected = averaged.predict(events)
    with Model(write_bundle(surrogate_content(averaged)), COMPILED[-1]) as model:
        values, errors, flags = model.evaluate(events)
    np.testing.assert_allclose(values, expected.amplitude, rtol=1e-5)
    # differences of networks that agree to three digits have four left
    np.testing.assert_allclose(errors, expected.uncertainty / expected.amplitude, rtol=1e-2)
    np.testing.assert_array_equal(flags, np.where(expected.outside, OUTSIDE, 0))


def seen(manifest: Manifest, source: object, **region: object) -> dict[str, object]:
    """Changes of a manifest: other training events."""
    return {
        "dataset": manifest.dataset.model_copy(update={"source": source}),
        "region": manifest.region.model_copy(update=region),
    }


def test_the_smallest_invariant_of_the_training():
    name = "ddx-zgggg-fg1"
    given = GivenEvents(sha256="0", sqrt_s=1000.0)
    model = described(name, **seen(predictor(name).manifest, given, min_sij_over_s=5e-3, relative_uncertainty_999=None))
    expected = model.predict(momenta(name)).outside
    assert 0 < expected.sum() < len(expected)
    with Model(write_bundle(surrogate_content(model))) as opened:
        np.testing.assert_array_equal(opened.evaluate(momenta(name))[2], np.where(expected, OUTSIDE, 0))


def test_without_a_region_nothing_is_outside():
    name = "ddx-zgggg-fg1"
    given = GivenEvents(sha256="0", sqrt_s=None)
    model = described(name, **seen(predictor(name).manifest, given, relative_uncertainty_999=None), recalibration=None)
    expected = model.predict(disturbed(name))
    with Model(write_bundle(surrogate_content(model)), COMPILED[-1]) as opened:
        _, errors, flags = opened.evaluate(disturbed(name))
    assert (flags == 0).all()
    np.testing.assert_allclose(errors, expected.uncertainty / expected.amplitude, rtol=1e-4)


def test_what_libraries_cannot_hold():
    name = "ddx-zgggg-fg1"
    manifest = predictor(name).manifest
    durham = LeptonCollisions(seed=1, sqrt_s=1000.0, y_cut=1e-4)
    other = manifest.provider.model_copy(update={"name": "pyamplicol"})
    for change, message in [
        (seen(manifest, durham), "exclusive jets"),
        ({"provider": other}, "learned amplitudes of pyamplicol"),
    ]:
        with pytest.raises(UsageError, match=message):
            surrogate_content(described(name, **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": np.array(0, dtype=np.int32)}, "0 networks"),
        ({"members": np.array(3, dtype=np.int32)}, "member/2/tasks is missing"),
        ({"members": np.array(1, dtype=np.int32)}, "1 networks, covariance"),
        ({"combination": "median"}, "the combination median is unknown"),
        ({"first_alone": np.array(np.nan)}, "the first network's largest uncertainty is none"),
        ({"first_alone": np.array(0.1), "combination": "mean"}, "a first network of none that are combined"),
        ({"inverse_correlation": np.eye(3)}, "(3, 3) instead of (2, 2)"),
        ({"recalibration/log_sigma": np.zeros(24)}, "the knots of a recalibration do not ascend"),
        ({"recalibration/log_scale": np.zeros(23)}, "(23) instead of (24)"),
        ({"member/1/widths": np.full(9, 40, dtype=np.int32)}, "the network does not fit the features"),
        ({"member/0/widths": np.full(90, 40, dtype=np.int32)}, "more than 64 layers"),
        ({"member/0/parameters": np.zeros(9, dtype=np.float32)}, "member/0/parameters has the shape (9)"),
        ({"member/0/activation": "relu"}, "the activation relu is unknown"),
        ({"member/0/tasks": np.zeros((1, 2920), dtype=np.uint8)}, "the features are damaged"),
        ({"member/0/tasks": np.zeros((1, 2912), dtype=np.uint8)}, "features of another ampcli"),
        ({"region/jets": np.array([3, 4, 5, 7], dtype=np.int32)}, "a jet that is no outgoing leg"),
        ({"region/cuts": np.zeros(2)}, "region/cuts has the shape (2) instead of (3)"),
    ],
)
def test_what_does_not_fit_together(change, message):
    content = surrogate_content(predictor("ddx-zgggg-pair@3"))
    with pytest.raises(CError) as caught:
        Model(write_bundle(sealed(content | change)))
    assert message in str(caught.value)
    assert caught.value.code == 2
