"""From a process string to predictions, with the commands that a user types."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from drawing import undrawn

import ampcli as api

if TYPE_CHECKING:
    from conftest import Ampcli, Outcome

PROCESS = "e- e+ > d d~ g"


@dataclass(frozen=True)
class Chain:
    """What the commands left, and what they said."""

    store: Path
    registry: Path
    said: dict[str, Outcome]


@pytest.fixture(scope="module")
def chain(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A store, two replicas of fame, a plain network, and the ensemble of the replicas."""
    folder = tmp_path_factory.mktemp("chain")
    store, registry = folder / "ee3.zarr", folder / "registry"
    train = ("train", store, "--preset", "small", "--epochs", "15", "--batch-size", "128", "--learning-rate", "3e-3")
    train += ("--threads", "1", "--registry", registry, "--json")
    calls: dict[str, tuple[object, ...]] = {
        "gen": ("gen", PROCESS, store, "--points", "6k", "--workers", "2", "--json"),
        "features": ("features", store, "fame", "--json"),
        "fame": (*train, "--model", "fame", "--replicas", "2", "--name", "ee-3jets"),
        "plain": (*train, "--model", "plain", "--name", "ee-3jets-plain"),
        "ensemble": ("ensemble", "ee-3jets-mean", "ee-3jets@1", "ee-3jets@2", "--registry", registry, "--json"),
    }
    # the second training imports what the first did
    started = {name: ampcli.process if name == "plain" else ampcli.fresh for name in calls}
    return Chain(store, registry, {name: started[name](*call) for name, call in calls.items()})


def test_json_output_is_one_document_and_stderr_is_empty(chain: Chain) -> None:
    for name, outcome in chain.said.items():
        assert isinstance(outcome.document, dict), name
        assert outcome.stderr == "", name


@pytest.fixture(scope="module")
def more(ampcli: Ampcli, chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The same store, with features and a model (fq1, in a registry of its own) of another kind."""
    registry = tmp_path_factory.mktemp("more") / "registry"
    quick = ("--model", "fq1+", "--epochs", "1", "--hidden", "8", "--threads", "1")
    calls: dict[str, tuple[object, ...]] = {
        "features": ("features", chain.store, "fq1+", "--threads", "1"),
        "fq1": ("train", chain.store, "--name", "fq1", *quick, "--registry", registry),
    }
    return Chain(chain.store, registry, {name: ampcli.fresh(*call) for name, call in calls.items()})


@pytest.mark.parametrize(
    ("call", "made"),
    [
        ("eval fq1 STORE --out plots", "plots"),
        ("predict fq1 STORE out.npz", "out.npz"),
        ("speedup fq1 STORE --provider native", None),
        ("trajectory fq1 --count 2 --points 5 --out trajectory", "trajectory"),
        ("ansatz STORE fq1+", None),
        ("calibrate fq1 STORE --name calibrated", None),
        ("registry list", None),
        ("registry verify fq1", None),
        ("doctor", None),
    ],
)
def test_every_other_command_as_a_process(
    ampcli: Ampcli, more: Chain, tmp_path: Path, call: str, made: str | None
) -> None:
    """Most tests run commands within their own process, where much is imported already."""
    words = [str(more.store) if word == "STORE" else word for word in call.split()]
    where = {"variables": {"AMPCLI_REGISTRY": str(more.registry)}, "cwd": tmp_path}
    for outcome in (*more.said.values(), ampcli.fresh(*words, **where)):
        assert outcome.stdout
        if words[0] != "speedup":  # it says what it measures
            assert outcome.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == ({made} if made else set())


def test_gen_and_features_say_what_they_made(chain: Chain) -> None:
    made = chain.said["gen"].document
    assert made["finished"] is True
    assert made["points"] == 6000
    assert made["tried"] >= 6000
    assert made["statistics"]["mean_weighted_amplitude"] > 0
    assert [block["block"] for block in chain.said["features"].document["blocks"]] == ["fame"]
    features = zarr.open_group(chain.store / "features" / "fame", mode="r")
    assert features["recoil"].shape[0] == features["dipoles"].shape[0] == 6000
    assert np.isfinite(features["dipoles"][:]).all()


def test_manifests_describe_the_data_they_learned(chain: Chain) -> None:
    digest = chain.said["gen"].document["digest"]
    models = chain.said["fame"].document["models"] + chain.said["plain"].document["models"]
    assert [(m["name"], m["version"], m["kind"], m["seed"]) for m in models] == [
        ("ee-3jets", 1, "fame", 1),
        ("ee-3jets", 2, "fame", 2),
        ("ee-3jets-plain", 1, "plain", 1),
    ]
    for model in models:
        assert model["dataset"]["digest"] == digest
        assert sum(model["dataset"]["splits"].values()) == model["dataset"]["points"] == 6000
        assert model["metrics"]["median_abs_delta"]["value"] > 0
    ensemble = chain.said["ensemble"].document
    assert [member["model"] for member in ensemble["members"]] == ["ee-3jets@1", "ee-3jets@2"]
    assert not (chain.registry / ".training" / "ee-3jets").exists()  # published: no checkpoint is kept


def test_a_second_features_run_finds_them_there(ampcli: Ampcli, chain: Chain) -> None:
    array = chain.store / "features" / "fame" / "recoil" / "zarr.json"
    before = array.stat().st_mtime_ns
    ampcli("features", chain.store, "fame")
    assert array.stat().st_mtime_ns == before
    ampcli("features", chain.store, "fame", "--replace")
    assert array.stat().st_mtime_ns > before


@pytest.mark.parametrize(("model", "learned"), [("ee-3jets", 0.1), ("ee-3jets-plain", 0.5), ("ee-3jets-mean", 0.1)])
def test_eval_writes_plots_and_their_numbers(
    ampcli: Ampcli, chain: Chain, tmp_path: Path, model: str, learned: float
) -> None:
    out = tmp_path / "plots"
    with nullcontext() if model.endswith("-mean") else undrawn():  # it has all the plots of the others
        outcome = ampcli("eval", model, chain.store, "--out", out, "--registry", chain.registry, "--json")
    assert outcome.stderr == ""
    document = outcome.document
    assert document == json.loads((out / "evaluation.json").read_text())
    assert document["split"] == "test"
    assert document["dataset_digest"] == chain.said["gen"].document["digest"]
    splits = chain.said["fame"].document["models"][0]["dataset"]["splits"]
    assert document["points"] == document["overall"]["points"] == splits["test"]
    assert document["cross_section"]["sigma_exact"] > 0
    assert document["cross_section"]["network_error_correlated"] > 0
    assert document["calibration"] is not None
    # measured after these few epochs: 0.006 (fame) and 0.18 (plain) of what predicting the mean would give
    assert document["overall"]["mse_standardised_log"] < learned * document["overall"]["mse_training_mean"]
    names = {path.name for path in out.iterdir()}
    plots = ["errors", "cumulative", "regions", "cross_section"]
    if model.endswith("-mean"):  # single networks of these kinds have the same uncertainty everywhere
        plots += ["uncertainty", "growth"]
    assert names == {"evaluation.json", "eval.toml"} | {f"{p}.{kind}" for p in plots for kind in ("png", "pdf", "json")}
    for plot in plots:
        assert (out / f"{plot}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert (out / f"{plot}.pdf").read_bytes().startswith(b"%PDF-")
        numbers = list(_numbers(json.loads((out / f"{plot}.json").read_text())))
        assert len(numbers) > (5 if plot == "growth" else 10)  # of two members
        assert np.isfinite(numbers).all()


def _numbers(tree: Any) -> Any:
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        for entry in tree:
            yield from _numbers(entry)
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield tree


def test_eval_of_all_points_without_files(ampcli: Ampcli, chain: Chain) -> None:
    outcome = ampcli("eval", "ee-3jets@1", chain.store, "--split", "all", "--registry", chain.registry)
    assert "ee-3jets@1" in outcome.stdout
    assert "6000" in outcome.stdout
    assert not list(ampcli.folder.iterdir())


@pytest.mark.parametrize("model", ["ee-3jets-plain", "ee-3jets-mean"])
def test_predict_agrees_with_the_python_interface(ampcli: Ampcli, chain: Chain, tmp_path: Path, model: str) -> None:
    final = zarr.open_array(chain.store / "momenta", mode="r")[:500]
    beams = np.zeros((len(final), 2, 4))
    beams[:, :, 0] = 500.0
    beams[:, :, 3] = 500.0, -500.0
    np.savez(tmp_path / "final.npz", momenta=final)
    np.savez(tmp_path / "full.npz", momenta=np.concatenate([beams, final], axis=1))
    amplitude, uncertainty = api.load(model, chain.registry, "cpu").predict(final)
    assert (uncertainty > 0).all()
    found = {}
    for events, out in (("final.npz", "final-out.npz"), ("full.npz", "full-out.npz"), ("full.npz", "out.zarr")):
        call = ("predict", model, tmp_path / events, tmp_path / out, "--device", "cpu", "--threads", "1")
        document = ampcli(*call, "--registry", chain.registry, "--json").document
        assert document["events"] == 500
        found[out] = zarr.open_group(tmp_path / out, mode="r") if out.endswith("zarr") else np.load(tmp_path / out)
    for stored in found.values():
        np.testing.assert_allclose(stored["amplitude"][:], amplitude, rtol=1e-6)
        np.testing.assert_allclose(stored["uncertainty"][:], uncertainty, rtol=1e-5)
    assert str(found["final-out.npz"]["model"]) == document["model"]
    np.testing.assert_array_equal(found["full-out.npz"]["amplitude"], found["out.zarr"]["amplitude"][:])


def test_predict_reads_stores(ampcli: Ampcli, chain: Chain, tmp_path: Path) -> None:
    out = tmp_path / "amplitudes.npz"
    ampcli("predict", "ee-3jets@1", chain.store, out, "--registry", chain.registry)
    momenta = zarr.open_array(chain.store / "momenta", mode="r")[:]
    amplitude, _ = api.load("ee-3jets@1", chain.registry, "cpu").predict(momenta)
    np.testing.assert_allclose(np.load(out)["amplitude"], amplitude, rtol=1e-6)


def test_an_ensemble_predicts_the_mean_of_its_members(chain: Chain) -> None:
    momenta = zarr.open_array(chain.store / "momenta", mode="r")[:100]
    members = np.array([api.load(f"ee-3jets@{v}", chain.registry, "cpu").predict(momenta)[0] for v in (1, 2)])
    mean, error = api.load("ee-3jets-mean", chain.registry, "cpu").predict(momenta)
    np.testing.assert_allclose(mean, members.mean(0), rtol=1e-6)
    np.testing.assert_allclose(error, np.abs(members[0] - members[1]) / 2, rtol=1e-5, atol=1e-9 * mean.max())


def test_registry_commands_and_a_move_to_another_registry(ampcli: Ampcli, chain: Chain, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(chain.registry, registry)
    ours = {"variables": {"AMPCLI_REGISTRY": str(registry)}}

    ampcli("registry", "alias", "ee-3jets@2", "best", **ours)
    listed = ampcli("registry", "list", "--json", **ours).document["models"]
    own = [m for m in listed if m["registry"] == str(registry)]
    assert [(m["name"], m["versions"], m["aliases"]) for m in own] == [
        ("ee-3jets", [1, 2], {"best": 2}),
        ("ee-3jets-mean", [1], {}),
        ("ee-3jets-plain", [1], {}),
    ]
    shown = ampcli("registry", "show", "ee-3jets@best", "--json", **ours).document
    assert shown == json.loads((registry / "ee-3jets" / "2" / "manifest.json").read_text())
    verified = ampcli("registry", "verify", "--json", **ours).document["models"]
    assert {m["model"] for m in verified} == {"ee-3jets@1", "ee-3jets@2", "ee-3jets-mean@1", "ee-3jets-plain@1"}
    assert all(m["ok"] and "predictions" in m["compared"] for m in verified)
    compared = ampcli("registry", "compare", "--json", **ours).document
    assert {m["model"] for m in compared["models"]} == {"ee-3jets@2", "ee-3jets-mean@1", "ee-3jets-plain@1"}
    assert compared["missed"] == []

    tar, moved = tmp_path / "mean.tar", tmp_path / "elsewhere" / "registry"
    ampcli("registry", "export", "ee-3jets-mean", tar, **ours)
    imported = ampcli("registry", "import", tar, "--registry", moved, "--json").document["models"]
    assert imported == ["ee-3jets@1", "ee-3jets@2", "ee-3jets-mean@1"]
    shutil.rmtree(registry)  # the copy must stand alone
    momenta = zarr.open_array(chain.store / "momenta", mode="r")[:100]
    np.savez(tmp_path / "events.npz", momenta=momenta)
    ampcli("predict", "ee-3jets-mean", tmp_path / "events.npz", tmp_path / "out.npz", "--registry", moved)
    here = api.load("ee-3jets-mean", chain.registry, "cpu").predict(momenta)
    there = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(there["amplitude"], here[0], rtol=1e-6)
    np.testing.assert_allclose(there["uncertainty"], here[1], rtol=1e-5, atol=1e-9 * here[0].max())


def test_a_required_bar(ampcli: Ampcli, chain: Chain) -> None:
    compare = ("registry", "compare", "ee-3jets@1", "--registry", chain.registry, "--json")
    value = ampcli(*compare).document["models"][0]["metrics"]["median_abs_delta"]["value"]
    ampcli(*compare, "--require", f"median_abs_delta<={1.01 * value}")
    missed = ampcli.fails(
        3, *compare, "--require", f"median_abs_delta<={0.99 * value}", naming=("ee-3jets@1", "median_abs_delta")
    )
    assert len(missed.document["missed"]) == 1  # the table is printed all the same
    ampcli.fails(3, *compare, "--require", "no_such_metric<=1", naming=("no metric no_such_metric", "median_abs_delta"))
    ampcli.fails(2, *compare, "--require", "median_abs_delta<1", naming="median_abs_delta<1")


def test_init_from_starts_from_published_weights(ampcli: Ampcli, chain: Chain, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(chain.registry, registry)
    train = (
        "train",
        chain.store,
        "--registry",
        registry,
        "--threads",
        "1",
        "--epochs",
        "1",
        "--batch-size",
        "128",
        "--json",
    )
    more = ampcli(*train, "--name", "more", "--init-from", "ee-3jets@1", "--batch-size", "128").document["models"][0]
    assert more["parents"] == ["ee-3jets@1"]
    parent = chain.said["fame"].document["models"][0]
    assert more["training"]["best_validation_loss"] < 1.5 * parent["training"]["best_validation_loss"]
    ampcli.fails(2, *train, "--name", "other", "--init-from", "ee-3jets@1", "--hidden", "8,8", naming="--init-from")
