"""Loaded models: momenta in, amplitudes and uncertainties out."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ampcli
from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.events.files import open_events
from ampcli.events.intake import Intake
from ampcli.inference.load import load_predictor
from ampcli.inference.predict_events import check_output, predict_events, write_predictions
from ampcli.inference.predictor import BATCH
from ampcli.inference.probe import check_probe
from ampcli.inference.surrogates import alone
from ampcli.kinematics import with_beams
from ampcli.process import parse_process
from ampcli.registry.manifest import manifest_sha256, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import read_probe
from ampcli.seal import sealed

PROCESS = parse_process("e- e+ > d d~ g")


def intake(path):
    """The events of a file, as `ampcli predict` takes them."""
    return Intake(open_events(path, PROCESS), (PROCESS,), sqrt_s=1000.0)


CPU = torch.device("cpu")


@pytest.fixture
def final(store3):
    return store3.read("momenta", slice(0, 500))


@pytest.fixture
def copy(registry, tmp_path):
    shutil.copytree(registry, tmp_path / "registry")
    return tmp_path / "registry"


@pytest.mark.parametrize("name", ["fame3@1", "plain3"])
def test_beams_change_nothing(registry, final, name):
    model = ampcli.load(name, registry)
    amplitude, uncertainty = model.predict(final)
    again, _ = model.predict(with_beams(final, 1000.0))
    np.testing.assert_array_equal(again, amplitude)
    assert amplitude.shape == uncertainty.shape == (500,)
    assert amplitude.dtype == np.float64


def test_predictions_resemble_the_amplitudes(registry, store3, store4):
    # Trained for seconds: far from good, but no accident.
    for store, name in ((store3, "fame3@1"), (store4, "fame4")):
        exact = store.read_split("amplitude", "test")
        amplitude, _ = ampcli.load(name, registry).predict(store.read_split("momenta", "test"))
        assert np.corrcoef(np.log(np.abs(amplitude)), np.log(exact))[0, 1] > 0.6


def test_metrics_of_the_manifest_are_those_of_the_loaded_model(registry, store3):
    model = ampcli.load("fame3@1", registry)
    exact = store3.read_split("amplitude", "validation")
    delta = np.abs(model.predict(store3.read_split("momenta", "validation"))[0] / exact - 1)
    metrics = model.manifest.metrics
    assert metrics["median_abs_delta"].value == pytest.approx(np.median(delta), rel=1e-6)
    assert metrics["mean_abs_delta"].value == pytest.approx(delta.mean(), rel=1e-6)
    within = (delta <= metrics["quantile68_abs_delta"].value).mean()
    assert within == pytest.approx(0.6827, abs=1.5 / len(delta))


def test_uncertainty_of_a_single_model(registry, final):
    model = ampcli.load("fame3@1", registry)
    amplitude, uncertainty = model.predict(final)
    quantile = model.manifest.metrics["quantile68_abs_delta"].value
    np.testing.assert_allclose(uncertainty, np.abs(amplitude) * quantile, rtol=1e-14)


def test_an_event_alone_and_in_a_large_batch(registry, store3):
    model = ampcli.load("fame3@1", registry)
    many = np.tile(store3.read("momenta"), (6, 1, 1))
    assert len(many) > BATCH
    amplitude, _ = model.predict(many)
    alone, _ = model.predict(many[17_500:17_501])
    np.testing.assert_allclose(alone[0], amplitude[17_500], rtol=1e-3)
    np.testing.assert_allclose(amplitude[15_000:], amplitude[:3000], rtol=1e-3)


def test_no_events(registry):
    amplitude, uncertainty = ampcli.load("fame3@1", registry).predict(np.empty((0, 3, 4)))
    assert len(amplitude) == len(uncertainty) == 0


def test_turning_a_model_about_the_beam_axis(registry, store3, recipe_for, tmp_path, final):
    from ampcli.training.train import TrainingRun, train

    train(TrainingRun(store3, "oriented", tmp_path, CPU), recipe_for(store3, options={"orient": True}, epochs=2))
    model = ampcli.load("oriented", tmp_path)
    turned = final.copy()
    turned[..., 1], turned[..., 2] = (
        0.6 * final[..., 1] - 0.8 * final[..., 2],
        0.8 * final[..., 1] + 0.6 * final[..., 2],
    )
    np.testing.assert_allclose(model.predict(turned)[0], model.predict(final)[0], rtol=1e-3)


def test_another_energy(registry, final):
    model = ampcli.load("fame3@1", registry)
    with pytest.raises(UsageError, match="trained at rest with E = 1000 GeV"):
        model.predict(1.001 * final)
    model.predict((1 + 1e-8) * final)


def test_another_frame(registry, final):
    gamma, beta = 1.25, 0.6
    for axis in (1, 3):
        boosted = final.copy()
        boosted[..., 0] = gamma * (final[..., 0] + beta * final[..., axis])
        boosted[..., axis] = gamma * (final[..., axis] + beta * final[..., 0])
        with pytest.raises(UsageError):
            ampcli.load("fame3@1", registry).predict(boosted)
    with pytest.raises(UsageError, match="Boost the events"):
        ampcli.load("fame3@1", registry).predict(boosted)


def test_the_right_energy_in_another_frame(registry, final):
    boosted = final.copy()
    boosted[..., 0] = 1.25 * (final[..., 0] + 0.6 * final[..., 3])
    boosted[..., 3] = 1.25 * (final[..., 3] + 0.6 * final[..., 0])
    with pytest.raises(UsageError, match="trained at rest"):
        ampcli.load("fame3@1", registry).predict(boosted / 1.25)


def test_beams_along_another_axis(registry, final):
    # |M|^2 of the turned event is the same, but the networks know beams along z only.
    turned = with_beams(final, 1000.0)[..., [0, 2, 3, 1]]
    with pytest.raises(UsageError, match="beams"):
        ampcli.load("plain3", registry).predict(np.ascontiguousarray(turned))


def test_exchanged_beams(registry, final):
    exchanged = with_beams(final, 1000.0)[:, [1, 0, 2, 3, 4]]
    with pytest.raises(UsageError, match="beams"):
        ampcli.load("plain3", registry).predict(exchanged)


def test_momenta_are_checked(registry, final):
    model = ampcli.load("fame3@1", registry)
    with pytest.raises(UsageError, match=r"\(events, 5, 4\)"):
        model.predict(final[:, :2])
    with pytest.raises(UsageError, match="float16"):
        model.predict(with_beams(final, 1000.0).astype(np.float16))
    bad = final.copy()
    bad[33, 1, 2] = np.nan
    with pytest.raises(UsageError, match="event 33"):
        model.predict(bad)


def test_inputs_are_left_alone(registry, final):
    before = final.copy()
    ampcli.load("fame3@1", registry).predict(final)
    np.testing.assert_array_equal(final, before)


def test_versions_and_aliases(registry, final):
    newest, third = ampcli.load("fame3", registry), ampcli.load("fame3@3", registry)
    assert newest.manifest.reference == "fame3@3"
    np.testing.assert_array_equal(newest.predict(final)[0], third.predict(final)[0])
    assert not np.array_equal(ampcli.load("fame3@1", registry).predict(final)[0], third.predict(final)[0])
    with pytest.raises(NotFoundError):
        ampcli.load("fame3@9", registry)
    with pytest.raises(UsageError, match="unknown device"):
        ampcli.load("fame3", registry, device="abacus")


def test_probe_belongs_to_the_model(registry):
    for name in ("fame3@2", "plain3@1", "fame4@1"):
        folder = resolve(registry, name)
        manifest = read_manifest(folder)
        check_probe(folder, manifest)
        probe = read_probe(folder, manifest)
        amplitude, _ = load_predictor(name, registry, "cpu").predict_final(probe["momenta"].numpy())
        np.testing.assert_allclose(amplitude, probe["amplitude"].numpy(), rtol=1e-6)
        assert len(amplitude) == 64


def rewrite(folder, change) -> None:
    """Other weights with the right checksums."""
    tensors = load_file(folder / "weights.safetensors")
    change(tensors)
    save_file(tensors, folder / "weights.safetensors")
    document = json.loads((folder / "manifest.json").read_text())
    document["weights_sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(sealed(document)))


@pytest.mark.parametrize("tensor", ["parameters", "scale.s_pred", "scale.target.mean", "scale.momenta.mean"])
def test_changed_weights_are_noticed_by_the_probe(copy, tensor):
    # In fame, the target's scales serve the loss alone: they do not reach the predictions.
    folder = resolve(copy, "plain3" if "target" in tensor else "fame3@1")
    rewrite(folder, lambda tensors: tensors[tensor].mul_(1.1))
    with pytest.raises(IntegrityError, match="predictions differ"):
        check_probe(folder, read_manifest(folder))


def test_weights_that_are_no_numbers(copy):
    folder = resolve(copy, "fame3@1")
    rewrite(folder, lambda tensors: tensors["parameters"][5:9].fill_(float("nan")))
    with pytest.raises(IntegrityError, match="do not fit"):
        check_probe(folder, read_manifest(folder))


def drop(name):
    return lambda tensors: tensors.pop(name)


@pytest.mark.parametrize(
    "change",
    [
        drop("parameters"),
        drop("scale.s_dipole"),
        lambda tensors: tensors.update(parameters=tensors["parameters"][:-3].clone()),
    ],
)
def test_weights_that_do_not_fit(copy, change):
    folder = resolve(copy, "fame3@1")
    rewrite(folder, change)
    with pytest.raises(IntegrityError, match="do not fit"):
        load_predictor("fame3@1", copy)


def test_a_flipped_byte_in_the_weights(copy):
    file = resolve(copy, "fame3@1") / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with pytest.raises(IntegrityError, match="has changed"):
        load_predictor("fame3@1", copy)


def test_features_of_another_version(copy):
    folder = resolve(copy, "fame3@1")
    document = json.loads((folder / "manifest.json").read_text())
    document["features"]["version"] = 2
    (folder / "manifest.json").write_text(json.dumps(sealed(document)))
    with pytest.raises(IntegrityError, match="version 2 of the features fame"):
        load_predictor("fame3@1", copy)
    assert len(manifest_sha256(folder)) == 64


def test_the_coupling_of_the_features_is_that_of_the_training(copy, final):
    # Dipoles are proportional to alpha_s: the manifest's value is used, not a default.
    before, _ = load_predictor("fame3@1", copy).predict(final)
    folder = resolve(copy, "fame3@1")
    document = json.loads((folder / "manifest.json").read_text())
    document["features"]["options"]["alpha_s"] = 2 * 0.118
    (folder / "manifest.json").write_text(json.dumps(sealed(document)))
    after, _ = load_predictor("fame3@1", copy).predict(final)
    np.testing.assert_allclose(after, 2 * before, rtol=1e-6)


def test_event_files(registry, store3, final, tmp_path):
    model = ampcli.load("fame3@1", registry)
    np.savez(tmp_path / "events.npz", momenta=final)
    advanced = []
    arrays = predict_events(alone(model), intake(tmp_path / "events.npz"), advanced.append)
    amplitude, uncertainty = arrays["amplitude"], arrays["uncertainty"]
    expected = model.predict(final)
    np.testing.assert_array_equal((amplitude, uncertainty), expected)
    np.testing.assert_array_equal(arrays["outside"], expected.outside)
    assert advanced == [500]
    everything = predict_events(alone(model), intake(store3.path))
    assert {len(array) for array in everything.values()} == {3000}
    for name in ("out.npz", "out.zarr"):
        write_predictions(tmp_path / name, alone(model), arrays)
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["amplitude"], amplitude)
        np.testing.assert_array_equal(out["uncertainty"], uncertainty)
        assert str(out["model"]) == "fame3@1"
    import zarr

    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    np.testing.assert_array_equal(group["amplitude"][:], amplitude)
    np.testing.assert_array_equal(group["uncertainty"][:], uncertainty)
    assert group.attrs["model"] == "fame3@1"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["events.npz", "out.npz", "out.zarr"]


def test_a_bad_event_far_into_a_file_is_found(registry, store3, tmp_path):
    many = np.tile(store3.read("momenta"), (6, 1, 1))
    many[17_000, 2, 0] *= 1.1
    np.savez(tmp_path / "events.npz", momenta=many)
    with pytest.raises(UsageError, match=r"event 17000 \(from 0\)"):
        predict_events(alone(ampcli.load("fame3@1", registry)), intake(tmp_path / "events.npz"))


def test_outputs(tmp_path):
    check_output(tmp_path / "new.npz")
    check_output(tmp_path / "new.zarr")
    (tmp_path / "old.npz").touch()
    with pytest.raises(UsageError, match="exists already"):
        check_output(tmp_path / "old.npz")
    with pytest.raises(UsageError, match=r"\.npz file or a \.zarr"):
        check_output(tmp_path / "new.txt")
