"""`ampcli export MODEL FOLDER --onnx`: what another runtime computes from the file is what the model predicts."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from c_library import ROOT

from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.library.onnx_model import input_shapes, onnx_model
from ampcli.publishing.calibrate import publish_calibrated
from ampcli.publishing.ensemble import build_ensemble
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import read_probe
from ampcli.training.train import TrainingRun, train

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

SHIPPED = ROOT / "registry"


def computed(graph: bytes, predictor: Predictor, final: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes and uncertainties of a graph, from the features of momenta (n, n_final, 4)."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    arrays = predictor.networks[0].arrays(torch.from_numpy(final))
    assert {entry.name: tuple(entry.shape[1:]) for entry in session.get_inputs()} == input_shapes(graph)
    amplitude, uncertainty = session.run(None, {name: arrays[name].numpy() for name in input_shapes(graph)})
    return amplitude, uncertainty


def in_double_precision(predictor: Predictor) -> Predictor:
    """The same networks without the rounding of single precision."""

    class Doubled:
        def __init__(self, network):
            self.network, self.stochastic = network, network.stochastic

        def forward(self, layers, inputs):
            return self.network.forward([(w.double(), b.double()) for w, b in layers], inputs.double())

    networks = [replace(network, network=Doubled(network.network)) for network in predictor.networks]
    return Predictor(predictor.manifest, networks, predictor.device)


def compare(predictor: Predictor, final: np.ndarray) -> None:
    final = np.ascontiguousarray(final)
    amplitude, uncertainty = computed(onnx_model(predictor), predictor, final)
    ours, exact = predictor.predicted(final), in_double_precision(predictor).predicted(final)
    # single precision resolves sums of terms that cancel to what cancels: neither we nor ONNX can know better
    for found, own, true in [
        (amplitude, ours.amplitude, exact.amplitude),
        (uncertainty, ours.uncertainty, exact.uncertainty),
    ]:
        rounding = np.abs(own / true - 1)
        assert np.median(np.abs(found / true - 1)) < 1e-6
        assert np.abs(found / true - 1).max() < 1e-7 + 5 * rounding.max()


@pytest.mark.parametrize("name", ["fame3", "plain3"])
def test_trained_models(registry, store3, name):
    compare(load_predictor(name, registry, "cpu"), store3.read("momenta", slice(0, 800)))


@pytest.mark.parametrize("name", ["ddx-zgggg-nofa", "dg-zdggg-nofa", "ee-3jets", "ee-4jets", "ee-5jets"])
def test_shipped_models_with_their_own_uncertainty(name):
    """Residual networks with gelu, and recalibration."""
    predictor = load_predictor(name, SHIPPED, "cpu")
    assert predictor.manifest.recalibration is not None
    assert len(predictor.manifest.recalibration.log_sigma) > 1
    compare(predictor, read_probe(resolve(SHIPPED, name), predictor.manifest)["momenta"].numpy())


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("single", {}),
        ("plain", {"options": {"orient": True}}),
        ("fame", {"options": {"orient": True, "recoil": False, "spin": False}}),
    ],
)
def test_variants(tmp_path, store3, recipe_for, model, changes):
    recipe = recipe_for(store3, model, epochs=1, **changes)
    train(TrainingRun(store3, "m", tmp_path, torch.device("cpu")), recipe)
    compare(load_predictor("m", tmp_path, "cpu"), store3.read("momenta", slice(0, 500)))


def test_means_of_members(registry, store3, tmp_path):

    shutil.copytree(registry, tmp_path / "registry")
    build_ensemble(tmp_path / "registry", "mean3", ["fame3@1", "fame3@2", "fame3@3"], "mean")
    compare(load_predictor("mean3", tmp_path / "registry", "cpu"), store3.read("momenta", slice(0, 800)))
    publish_calibrated(tmp_path / "registry", "mean3", store3)
    compare(load_predictor("mean3", tmp_path / "registry", "cpu"), store3.read("momenta", slice(0, 800)))


def test_the_folder(registry, tmp_path, capsys, store3):
    words = ["export", "fame3@1", str(tmp_path / "fame3"), "--onnx", "--registry", str(registry), "--json"]
    assert run(words) == 0
    document = json.loads(capsys.readouterr().out)
    manifest = json.loads((tmp_path / "fame3/manifest.json").read_text())
    assert document == {"out": str(tmp_path / "fame3"), **manifest}
    graph = (tmp_path / "fame3/model.onnx").read_bytes()
    assert manifest["files"] == {"model.onnx": hashlib.sha256(graph).hexdigest()}
    assert manifest["inputs"] == {"momenta": [3, 4], "recoil": [2], "dipoles": [2]}
    assert (manifest["name"], manifest["kind"], manifest["process"]) == ("fame3@1", "fame", "e- e+ > d d~ g")
    predictor = load_predictor("fame3@1", registry, "cpu")
    assert graph == onnx_model(predictor)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ddx-zgggg-fg1", "new", "--onnx"], 2, "needs the exact amplitude of a smaller process"),
        (["ddx-zgggg-pair", "new", "--onnx"], 2, "combines its members by their covariance"),
        (["nothing", "new", "--onnx"], 4, "nothing"),
        (["d d~ > z g", "new", "--onnx"], 2, "--onnx has no effect without a model"),
        (["s.zarr", "s.lhe", "--onnx"], 2, "--onnx has no effect without a model"),
        (["ddx-zgggg-nofa", "taken", "--onnx"], 2, "taken is there already"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, capsys, words, code, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMPCLI_REGISTRY", str(SHIPPED))
    Path("taken").mkdir()
    Path("taken/mine").touch()
    assert run(["export", *words]) == code
    assert message in capsys.readouterr().err
    assert [path.name for path in Path.cwd().iterdir()] == ["taken"]


def test_kinds_that_graphs_cannot_hold(tmp_path, store3, recipe_for):
    train(TrainingRun(store3, "m", tmp_path, torch.device("cpu")), recipe_for(store3, "fks-ensemble", epochs=1))
    with pytest.raises(UsageError, match=r"m@1 is of a kind that ONNX files cannot hold: they hold plain, single"):
        onnx_model(load_predictor("m", tmp_path, "cpu"))
