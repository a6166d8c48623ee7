"""Surrogates of Z + jets through the real commands: points, features, training, evaluation, prediction."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from ampcli.features.blocks import default_choices
from ampcli.kinematics import min_invariant, with_beams
from ampcli.phasespace.rambo import rambo, with_masses
from ampcli.process import parse_process

if TYPE_CHECKING:
    from conftest import Ampcli

Z_JETS = "d d~ > z g g g"
POINTS = 900


def sample(n: int) -> np.ndarray:
    """Final states (n, 4, 4) of jets with some distance, of 0.7 to 1.4 TeV, in frames that move along z."""
    process = parse_process(Z_JETS)
    rng = np.random.default_rng(1)
    final = np.ascontiguousarray(rambo(rng.random((10 * n, process.n_final, 4)), 1000.0))
    transverse = np.hypot(final[..., 1], final[..., 2]).min(axis=1)
    final = final[(min_invariant(final) > 1e-3 * 1000**2) & (transverse > 20)][:n]
    assert len(final) == n
    energy = 1000 * rng.uniform(0.7, 1.4, n)
    final *= (energy / 1000)[:, None, None]
    masses = np.array(process.final_masses)
    final = with_masses(final, process.final_masses)
    y = rng.uniform(-1.5, 1.5, (n, 1))
    final[..., 3] = np.cosh(y) * final[..., 3] + np.sinh(y) * final[..., 0]
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return final


@dataclass(frozen=True)
class Chain:
    """What the commands made, and what `train --json` said."""

    events: Path
    store: Path
    registry: Path
    manifests: dict[str, dict[str, Any]]

    @property
    def where(self) -> tuple[object, ...]:
        return ("--registry", self.registry)


@pytest.fixture(scope="module")
def chain(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A store with features and the models fg1@1 and nofa@1."""
    folder = tmp_path_factory.mktemp("surrogates")
    events, store, registry = folder / "events.npz", folder / "z.zarr", folder / "registry"
    np.savez(events, momenta=with_beams(sample(POINTS)))
    ampcli("gen", Z_JETS, store, "--momenta", events)
    ampcli("features", store, "fg1", "iq1", "iq1^2", "invariants", "--threads", "1")
    manifests = {}
    for model in ("fg1", "nofa"):
        said = ampcli(
            *("train", store, "--model", model, "--name", model, "--epochs", "3", "--hidden", "32,32"),
            *("--threads", "1", "--json", "--registry", registry),
        )
        (manifests[model],) = said.document["models"]
    return Chain(events, store, registry, manifests)


def test_features_of_the_store(chain: Chain) -> None:
    group = zarr.open_group(chain.store / "features", mode="r")
    assert sorted(group.group_keys()) == ["fg1", "invariants", "iq1", "iq1^2"]
    for name in ("fg1", "iq1", "iq1^2"):
        attributes = dict(group[name].attrs)
        assert (attributes["block"], attributes["version"]) == (name, 3)
        assert attributes["options"]["kernel"] == "corrected"
        assert attributes["options"]["provider"] == "native"
        for array in ("kernel", "reduced_amplitude"):
            values = group[f"{name}/{array}"][:]
            assert values.shape == (POINTS,)
            assert (values > 0).all()
    assert group["fg1/reduced_momenta"].shape == (POINTS, 3, 4)
    assert group["iq1^2/reduced_momenta"].shape == (POINTS, 2, 4)
    assert group["invariants/inputs"].shape == (POINTS, 15)


@pytest.mark.parametrize(("model", "block"), [("fg1", "fg1"), ("nofa", "invariants")])
def test_manifests(chain: Chain, model: str, block: str) -> None:
    manifest = chain.manifests[model]
    assert manifest == json.loads((chain.registry / model / "1" / "manifest.json").read_text())
    assert (manifest["kind"], manifest["process"], manifest["sqrt_s"]) == ("factorised", Z_JETS, None)
    assert manifest["features"]["block"] == block
    options = manifest["features"]["options"]
    assert options == (
        {"provider": "native", "parameters": manifest["provider"]["parameters"], **default_choices("fg1")}
        if model == "fg1"
        else {}
    )
    training = manifest["training"]
    assert {key: training[key] for key in ("block", "activation", "weight_decay", "batch_size", "schedule")} == {
        "block": block,
        "activation": "gelu",
        "weight_decay": 0.01,
        "batch_size": 256,
        "schedule": "cosine",
    }
    assert (training["hidden"], training["epochs_done"], training["floor"]) == ([32, 32], 3, 1e-8)
    inputs = 15 + 7 + 2 + 1 if model == "fg1" else 15
    assert manifest["architecture"]["activation"] == "gelu"
    assert (manifest["architecture"]["inputs"], manifest["architecture"]["outputs"]) == (inputs, 2)
    assert manifest["dataset"]["points"] == POINTS


def test_evaluation_and_predictions(ampcli: Ampcli, tmp_path: Path, chain: Chain) -> None:
    exact = zarr.open_group(chain.store, mode="r")["amplitude"][:]
    said = ampcli("predict", "fg1", chain.events, tmp_path / "fg1.npz", "--json", *chain.where).document
    assert (said["model"], said["events"]) == ("fg1@1", POINTS)
    with np.load(tmp_path / "fg1.npz") as stored:
        amplitude, uncertainty = stored["amplitude"], stored["uncertainty"]
    relative = uncertainty / amplitude
    assert (amplitude > 0).all()
    assert (relative > 0).all()
    assert relative.std() > 1e-3 * relative.mean()
    # Six steps teach little, but kernel x reduced amplitude knows the amplitude from the start.
    assert np.corrcoef(np.log(amplitude), np.log(exact))[0, 1] > 0.75
    measured = {
        model: ampcli("eval", model, chain.store, "--split", "all", "--json", *chain.where).document["overall"]
        for model in ("fg1", "nofa")
    }
    median = np.median(np.abs(amplitude / exact - 1))
    assert measured["fg1"]["median_abs_delta"] == pytest.approx(median, rel=1e-6)
    assert measured["nofa"]["median_abs_delta"] > median


def test_features_that_there_are_not(ampcli: Ampcli, chain: Chain) -> None:
    naming = (f'"{Z_JETS}" has 0 radiations IG', "fg", "iq")
    ampcli.fails(2, "features", chain.store, "ig1", naming=naming)
    ampcli.fails(
        2, "features", chain.store, "iq2", "--kernel", "wrong", naming=("'--kernel'", "'wrong'", "corrected", "paper")
    )
    assert sorted(entry.name for entry in (chain.store / "features").iterdir()) == [
        *("fg1", "invariants", "iq1", "iq1^2", "zarr.json")
    ]


@pytest.mark.parametrize(
    ("code", "options", "naming"),
    [
        (4, ("--model", "fg2"), ("no features fg2", "ampcli features", "z.zarr fg2")),
        (2, ("--model", "oracle"), ("--model oracle", "fg1", "nofa")),
        (2, ("--model", "fg1", "--activation", "relu"), ("--activation", "tanh", "gelu")),
    ],
)
def test_trainings_that_are_refused(
    ampcli: Ampcli, tmp_path: Path, chain: Chain, code: int, options: tuple[str, ...], naming: tuple[str, ...]
) -> None:
    call = ("train", chain.store, "--name", "m", "--epochs", "1", "--registry", tmp_path / "registry")
    ampcli.fails(code, *call, *options, naming=naming)
    assert not (tmp_path / "registry" / "m").exists()


def test_printed_kernels_replace_corrected_ones(ampcli: Ampcli, tmp_path: Path, chain: Chain) -> None:
    store = tmp_path / "z.zarr"
    shutil.copytree(chain.store, store)

    def kernel() -> np.ndarray:
        return np.asarray(zarr.open_group(store, mode="r")["features/fg1/kernel"][:])

    before = kernel()
    paper = ("features", store, "fg1", "--kernel", "paper")
    ampcli.fails(2, *paper, naming=("other options", "--replace"))
    np.testing.assert_array_equal(kernel(), before)
    (written,) = ampcli(*paper, "--replace", "--json").document["blocks"]
    assert written["options"]["kernel"] == "paper"
    assert (kernel() < before).all()  # z (1-z) is missing in print
    assert [entry.name for entry in (store / "features").iterdir() if entry.name.startswith(".")] == []
