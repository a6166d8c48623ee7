"""How models know their uncertainties: one answer everywhere, and never a certain 0."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import ampcli
from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.inference.described import require_described
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.models.kinds import KINDS
from ampcli.publishing.ensemble import build_ensemble
from ampcli.registry.manifest import Manifest
from ampcli.uncertainty.kind import UncertaintyKind

SHIPPED = {"ee-3jets": "own", "ddx-zgggg-nofa": "own", "ddx-zgggg-pair": "own"}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(repository, name):
    assert load_predictor(name, repository / "registry", "cpu").uncertainty_kind == SHIPPED[name]


def test_kinds_of_the_registry(registry, tmp_path):
    shutil.copytree(registry, tmp_path / "registry")
    build_ensemble(tmp_path / "registry", "mean", ["fame3@1", "fame3@2"], "mean")
    found = {name: load_predictor(name, tmp_path / "registry", "cpu") for name in ("fame3@1", "plain3", "mean")}
    assert [model.uncertainty_kind for model in found.values()] == ["typical", "typical", "ensemble"]
    lost = replace(found["plain3"].networks[0], typical=float("nan"))
    assert Predictor(found["plain3"].manifest, [lost], torch.device("cpu")).uncertainty_kind == "none"


def test_a_combination_knows_no_more_than_its_members(registry, repository):
    pair = load_predictor("ddx-zgggg-pair", repository / "registry", "cpu")
    typical = load_predictor("plain3", registry, "cpu").networks[0]
    mixed = Predictor(pair.manifest, [pair.networks[0], typical], torch.device("cpu"))
    assert mixed.uncertainty_kind is UncertaintyKind.TYPICAL


def test_only_some_tell_points_apart():
    assert [kind.by_point for kind in UncertaintyKind] == [True, True, False, False]
    assert {kind.name for kind in KINDS if kind.predicts_uncertainty} == {"antenna", "factorised", "ratio"}
    assert "not calibrated" in UncertaintyKind.ENSEMBLE.described(calibrated=False)
    assert "not calibrated" not in UncertaintyKind.ENSEMBLE.described(calibrated=True)


def test_members_that_agree_are_not_certain(registry, store3):
    """The mean of one network twice: an ensemble that was published before copies were refused."""
    model = load_predictor("fame3@1", registry, "cpu")
    settings = model.manifest.model_dump() | {
        "kind": "ensemble",
        "combine": "mean",
        "members": [{"model": "fame3@1", "manifest_sha256": "x"}] * 2,
    }
    twice = Predictor(Manifest.model_validate(settings), model.networks * 2, torch.device("cpu"))
    prediction = twice.predict(store3.read("momenta", slice(0, 20)))
    assert np.isnan(prediction.uncertainty).all()
    assert prediction.uncertainty_kind == "ensemble"
    region = model.manifest.region.model_copy(update={"relative_uncertainty_999": 0.1})
    certified = Predictor(twice.manifest.model_copy(update={"region": region}), twice.networks, torch.device("cpu"))
    assert certified.predict(store3.read("momenta", slice(0, 20))).certificate.reasons["spread"].all()


def test_predict_says_it(registry, store3, tmp_path, capsys):
    np.savez(tmp_path / "events.npz", momenta=store3.read("momenta", slice(0, 20)))
    for ending in ("npz", "zarr"):
        arguments = ["predict", "fame3@1", str(tmp_path / "events.npz"), str(tmp_path / f"out.{ending}")]
        assert run([*arguments, "--registry", str(registry), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["uncertainty_kind"], document["unknown_uncertainty"]) == ("typical", 0)
    with np.load(tmp_path / "out.npz") as out:
        assert str(out["uncertainty_kind"]) == "typical"
    import zarr

    assert zarr.open_group(tmp_path / "out.zarr", mode="r").attrs["uncertainty_kind"] == "typical"
    assert ampcli.load("fame3@1", registry).predict(store3.read("momenta")).uncertainty_kind == "typical"


@pytest.mark.parametrize(("change", "taken"), [(1e-9, True), (-9e-7, True), (1e-5, False)])
def test_one_tolerance_for_energies(registry, store3, change, taken):
    manifest = load_predictor("fame3@1", registry, "cpu").manifest
    other = manifest.model_copy(update={"sqrt_s": 1000.0 * (1 + change)})
    if taken:
        require_described(other, store3)
    else:
        with pytest.raises(UsageError, match=r"sqrt\(s\): 1000.01"):
            require_described(other, store3)


def test_legs_in_another_order_are_named(registry, store3):
    manifest = load_predictor("fame3@1", registry, "cpu").manifest
    other = manifest.model_copy(update={"process": "e+ e- > d d~ g"})
    with pytest.raises(UsageError) as told:
        require_described(other, store3)
    assert told.value.hint == 'The order of the legs counts: "e+ e- > d d~ g".'
    other = manifest.model_copy(update={"process": "e- e+ > u u~ g"})
    with pytest.raises(UsageError) as told:
        require_described(other, store3)
    assert told.value.hint is None
