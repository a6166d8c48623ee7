"""Values that are no tree amplitudes: of either sign, with statistical errors, as ratios to a reference amplitude."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.kinematics import with_beams
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

PROCESS = "e- e+ > u u~ g"
SMALL = ("--epochs", "40", "--batch-size", "128", "--hidden", "32,32,32", "--threads", "1")


@pytest.fixture(scope="module")
def work(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of trees, of a correction of either sign, and of values with errors; a store of each."""
    folder = tmp_path_factory.mktemp("values")
    ampcli("gen", PROCESS, folder / "tree", "--points", "6k", "--y-cut", "0.01")
    made = open_store(folder / "tree")
    momenta, tree = with_beams(made.read("momenta")), made.read("amplitude")
    ratio = 0.3 * momenta[:, 2, 3] / 500 * momenta[:, 4, 0] / 500 - 0.05
    noise = 0.02 * tree
    values = tree + noise * np.random.default_rng(5).normal(size=len(tree))
    np.savez(folder / "f.npz", momenta=momenta, virtual=tree * ratio, amplitude=values, amplitude_error=noise)
    given = (PROCESS, "--momenta", folder / "f.npz")
    ampcli("gen", *given, folder / "signed", "--provider", "table:virtual", "--signed", "--workers", "2")
    ampcli("gen", *given, folder / "noisy", "--provider", "table")
    for store in ("signed", "noisy"):
        ampcli("features", folder / store, "ratio", "antenna", "--base", "native", "--threads", "1")
    return folder


def test_values_of_either_sign_have_to_be_asked_for(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    signed = open_store(work / "signed")
    assert signed.plan.provider.signed
    with np.load(work / "f.npz") as file:
        np.testing.assert_array_equal(signed.read("amplitude"), file["virtual"])
        assert (file["virtual"] < 0).any()
    given = ("gen", PROCESS, tmp_path / "s", "--momenta", work / "f.npz")
    ampcli.fails(2, *given, "--provider", "table:virtual", naming="--signed takes either sign")
    ampcli.fails(2, *given, "--provider", "native", "--signed", naming="squared amplitudes")
    assert not (tmp_path / "s").exists()


def test_a_ratio_to_the_tree(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    registry = ("--registry", tmp_path / "r")
    ampcli("train", work / "signed", "--model", "ratio", "--name", "k", *SMALL, *registry)
    found = ampcli("eval", "k", work / "signed", *registry, "--json").document
    assert found["over_reference"]["median_abs"] < 0.003  # of a ratio between -0.2 and 0.1
    assert found["over_reference"]["spread"] > 0.03
    assert found["cross_section"] is None
    assert 0.6 < found["calibration"]["intervals"]["68"]["observed"]["value"] < 0.76
    ampcli("predict", "k", work / "f.npz", tmp_path / "p.npz", *registry)
    with np.load(tmp_path / "p.npz") as made, np.load(work / "f.npz") as file, np.errstate(all="raise"):
        off = np.abs(made["amplitude"] - file["virtual"]) / file["amplitude"]
        assert np.median(off) < 0.003
    table = ampcli("eval", "k", work / "signed", *registry).stdout
    assert "exact/reference" in table


def test_without_a_reference(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    """The values themselves, linear; features with another base are others."""
    store = tmp_path / "s"
    ampcli("gen", PROCESS, store, "--momenta", work / "f.npz", "--provider", "table:virtual", "--signed")
    ampcli("features", store, "ratio", "--base", "none", "--threads", "1")
    assert (open_store(store).read("features/ratio/base") == 1).all()
    ampcli("features", store, "ratio", "--base", "native", "--replace", "--threads", "1")
    np.testing.assert_allclose(
        open_store(store).read("features/ratio/base"), open_store(work / "tree").read("amplitude"), rtol=1e-9
    )
    ampcli.fails(2, "features", store, "ratio", "--base", "table:virtual", "--replace", naming="its own file alone")


def test_noisy_labels(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    """A model is nearer to the truth than its labels are, and says so without knowing the truth."""
    registry = ("--registry", tmp_path / "r")
    ampcli("train", work / "noisy", "--model", "fame+", "--name", "n", *SMALL, *registry)
    found = ampcli("eval", "n", work / "noisy", *registry, "--json").document
    truth = ampcli("eval", "n", work / "tree", *registry, "--json").document["overall"]["rms_delta"]
    noise = found["noise"]
    assert noise["labels"] == pytest.approx(0.02, rel=0.01)
    assert truth < 0.012
    assert abs(noise["model"] - truth) < 4 * noise["model_error"] + 0.001
    assert "errors of the exact values" in ampcli("eval", "n", work / "noisy", *registry).stdout
    ampcli("train", work / "noisy", "--model", "ratio", "--name", "m", *SMALL, *registry)
    ampcli("ensemble", "both", "n", "m", "--data", work / "noisy", *registry)
    combined = ("ensemble", "c", "n", "m", "--combine", "covariance", "--data", work / "noisy", *registry)
    ampcli.fails(2, *combined, naming="statistical errors")
    ampcli.fails(2, "speedup", "n", work / "noisy", *registry, naming="statistical errors")


def test_kinds_say_what_they_cannot_learn(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    train = ("--name", "x", "--registry", tmp_path / "r")
    ampcli.fails(2, "train", work / "signed", "--model", "fame+", *train, naming="ratio")
    ampcli.fails(2, "train", work / "noisy", "--model", "plain", *train, naming="fame+")


def test_errors_have_to_be_errors(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    with np.load(work / "f.npz") as file:
        arrays = dict(file)
    arrays["amplitude_error"][7] = 0.0
    np.savez(tmp_path / "bad.npz", **arrays)
    given = ("gen", PROCESS, tmp_path / "s", "--momenta", tmp_path / "bad.npz", "--provider", "table")
    ampcli.fails(2, *given, naming="amplitude_error of event 7")


def test_events_are_not_drawn_by_signed_values(ampcli: Ampcli, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "def value(momenta, *, alpha_s=0.118):\n    return alpha_s * momenta[:, 2, 3] / momenta[:, 0, 0]\n"
    )
    here = type(ampcli)(tmp_path, ampcli.environment).process
    own = ("--provider", "python:odd:value")
    here("gen", PROCESS, "s", "--points", "500", *own, "--signed")
    assert (open_store(tmp_path / "s").read("amplitude") < 0).any()
    here.fails(1, "gen", PROCESS, "t", "--points", "500", *own, naming="Values of either sign need --signed")
    here.fails(2, "gen", PROCESS, "u", "--points", "500", *own, "--signed", "--unweighted", naming="cannot be drawn")


def test_the_example(ampcli: Ampcli, work: Path, tmp_path: Path) -> None:
    """examples/shell/values.sh, as it stands, with this ampcli."""
    command = tmp_path / "bin" / "ampcli"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ampcli "$@"\n')
    command.chmod(0o755)
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    environment = ampcli.environment | {"PATH": path, "PYTHONPATH": str(root), "EPOCHS": "5"}
    script = root / "examples" / "shell" / "values.sh"
    words = ["sh", script, PROCESS, work / "f.npz", "virtual", work / "f.npz", "predicted.npz"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "exact/reference" in done.stdout
    with np.load(tmp_path / "predicted.npz") as made, np.load(work / "f.npz") as file:
        assert made["amplitude"].shape == file["virtual"].shape
