"""Ensembles: mean, standard error, members."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

import ampcli
from ampcli.ensembles.build import build_ensemble
from ampcli.ensembles.mean import mean_and_error
from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.inference.predictor import check_probe
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve

MEMBERS = ["fame3@1", "fame3@2", "fame3@3"]


@pytest.fixture
def copy(registry, tmp_path):
    shutil.copytree(registry, tmp_path / "registry")
    return tmp_path / "registry"


@pytest.fixture
def ensemble(copy):
    return build_ensemble(copy, "mean3", MEMBERS, "mean")


def test_mean_and_standard_error(rng):
    members = rng.normal(size=(5, 40))
    mean, error = mean_and_error(torch.from_numpy(members))
    np.testing.assert_allclose(mean, members.mean(axis=0), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(error, members.std(axis=0, ddof=1) / np.sqrt(5), rtol=1e-13)


def test_standard_error_covers_the_truth(rng):
    mean, error = mean_and_error(torch.from_numpy(rng.normal(size=(20, 4000))))
    pull = (mean / error).numpy()
    # Student's t with 19 degrees of freedom: deviation sqrt(19/17).
    assert pull.std() == pytest.approx(np.sqrt(19 / 17), rel=0.05)


def test_ensemble_is_the_mean_of_its_members(copy, ensemble, store3):
    final = store3.read("momenta", slice(0, 300))
    members = np.array([ampcli.load(name, copy).predict(final)[0] for name in MEMBERS])
    amplitude, uncertainty = ampcli.load("mean3", copy).predict(final)
    np.testing.assert_allclose(amplitude, members.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(uncertainty, members.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-9)
    assert (uncertainty > 0).all()


def test_manifest(copy, ensemble, store3):
    assert ensemble.reference == "mean3@1"
    assert [member.model for member in ensemble.members] == MEMBERS
    assert (ensemble.kind, ensemble.combine, ensemble.weights_sha256) == ("ensemble", "mean", None)
    assert ensemble.dataset.digest == store3.digest
    folder = resolve(copy, "mean3")
    check_probe(folder, read_manifest(folder))
    assert sorted(file.name for file in folder.iterdir()) == ["manifest.json", "probe.safetensors"]


def test_members_are_pinned(copy, ensemble):
    moved = build_ensemble(copy, "newest", ["fame3", "fame3@1"], "mean")
    assert [member.model for member in moved.members] == ["fame3@3", "fame3@1"]


def test_a_lost_member(copy, ensemble):
    shutil.rmtree(copy / "fame3" / "2")
    with pytest.raises(IntegrityError, match="fame3@2, a member of mean3@1, is not in the registry"):
        ampcli.load("mean3", copy)


def test_a_changed_member(copy, ensemble):
    file = copy / "fame3" / "2" / "manifest.json"
    file.write_text(file.read_text().replace("extrapolations", "fine"))
    with pytest.raises(IntegrityError, match=r"fame3@2 .*is not the one"):
        ampcli.load("mean3", copy)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (["fame3@1"], "at least two members"),
        (["fame3@1", "fame3@1"], "named twice"),
        (["fame3@3", "fame3"], "named twice"),
        (["fame3@1", "fame4@1"], "is for e- e\\+ > d d~ g g at 1000.0 GeV"),
        (["mean3", "fame3@1"], "is an ensemble itself"),
    ],
)
def test_members_that_do_not_belong_together(copy, ensemble, members, said):
    with pytest.raises(UsageError, match=said):
        build_ensemble(copy, "other", members, "mean")
    assert not (copy / "other").exists()


def test_different_kinds_of_members(copy, store3):
    build_ensemble(copy, "mixed", ["fame3@1", "plain3@1"], "mean")
    final = store3.read("momenta", slice(0, 50))
    members = [ampcli.load(name, copy).predict(final)[0] for name in ("fame3@1", "plain3@1")]
    np.testing.assert_allclose(ampcli.load("mixed", copy).predict(final)[0], np.mean(members, axis=0), rtol=1e-12)


def test_an_unknown_member(copy):
    with pytest.raises(NotFoundError):
        build_ensemble(copy, "other", ["fame3@1", "fame3@7"], "mean")


def test_measured_on_a_store(copy, store3, store4):
    manifest = build_ensemble(copy, "measured", MEMBERS, "mean", store3)
    model = ampcli.load("measured", copy)
    predicted, _ = model.predict_final(store3.read_split("momenta", "validation"))
    delta = np.abs(predicted / store3.read_split("amplitude", "validation") - 1)
    assert manifest.metrics["median_abs_delta"].value == pytest.approx(np.median(delta), rel=1e-12)
    assert manifest.metrics["mean_abs_delta"].value == pytest.approx(delta.mean(), rel=1e-12)
    with pytest.raises(UsageError, match="process"):
        build_ensemble(copy, "other", MEMBERS, "mean", store4)
