"""Models on the points of a store: features that are there are read, all others computed; momenta are read once."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest

from ampcli.evaluation.comparison import compare
from ampcli.inference.load import load_predictor
from ampcli.inference.stored import StoredPoints
from ampcli.publishing.ensemble import build_ensemble
from ampcli.speedup.points import PredictedPoints
from ampcli.store.reader import Store, open_store


@pytest.fixture
def model(registry):
    return load_predictor("fame3@1", registry, "cpu")


def test_features_that_are_there_are_not_computed(model, store3, monkeypatch):
    expected = model.predicted(store3.read_split("momenta", "test"))

    def compute(self, momenta):
        raise AssertionError("computed")

    monkeypatch.setattr(type(model.networks[0].block), "compute", compute)
    found = StoredPoints(store3, "test").predicted(model)
    for name in ("amplitude", "bare", "uncertainty", "members"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_only_what_the_model_reads_is_read(model, store3):
    found = StoredPoints(store3, "validation").features(model.networks[0])
    assert set(found) == {"recoil", "dipoles"}


@pytest.mark.parametrize("change", [{"version": 99}, {"options": {"alpha_s": 0.2}}, {"store_digest": "other"}])
def test_features_of_other_choices_are_computed(model, store3, monkeypatch, change):
    known = store3.block_attributes("fame")
    monkeypatch.setattr(Store, "block_attributes", lambda self, name: known | change)
    assert StoredPoints(store3, "test").features(model.networks[0]) is None
    expected = model.predicted(store3.read_split("momenta", "test"))
    np.testing.assert_array_equal(StoredPoints(store3, "test").predicted(model).amplitude, expected.amplitude)


def test_without_features(model, registry, store3, request_for, tmp_path):
    from ampcli.generation.generate import generate, prepare

    generate(prepare(request_for(tmp_path / "bare.zarr", points=60)))
    bare = open_store(tmp_path / "bare.zarr")
    assert StoredPoints(bare, "test").features(model.networks[0]) is None
    assert np.isfinite(StoredPoints(bare, "test").predicted(model).amplitude).all()
    plain = load_predictor("plain3", registry, "cpu")
    assert StoredPoints(store3, "test").features(plain.networks[0]) is None


@pytest.fixture
def reads(monkeypatch):
    """Counts how often arrays of which splits are read."""
    counted: Counter[tuple[str, str]] = Counter()
    read_split = Store.read_split

    def counting(self, name, split):
        counted[name, split] += 1
        return read_split(self, name, split)

    monkeypatch.setattr(Store, "read_split", counting)
    return counted


def test_momenta_are_read_once_for_several_models(registry, store3, reads):
    models = [load_predictor(name, registry, "cpu") for name in ("fame3@1", "fame3@2", "plain3")]
    points = StoredPoints(store3, "test")
    found = [points.predicted(model).amplitude for model in models]
    assert reads["momenta", "test"] == 1
    for model, amplitude in zip(models, found, strict=True):
        expected = model.predicted(store3.read_split("momenta", "test")).amplitude
        np.testing.assert_array_equal(amplitude, expected)


def test_an_ensemble_reads_what_its_members_share_once(registry, store3, reads, tmp_path):
    root = shutil.copytree(registry, tmp_path / "registry")
    build_ensemble(root, "mean", ["fame3@1", "fame3@2", "fame3@3"], "mean")
    model = load_predictor("mean", root, "cpu")
    reads.clear()
    found = StoredPoints(store3, "test").predicted(model)
    assert reads == {("momenta", "test"): 1, ("features/fame/recoil", "test"): 1, ("features/fame/dipoles", "test"): 1}
    expected = model.predicted(store3.read_split("momenta", "test"))
    np.testing.assert_array_equal(found.members, expected.members)


def test_points_of_a_speed_up_are_read_once(registry, store3, reads):
    models = [load_predictor("plain3", registry, "cpu") for _ in range(2)]
    found = PredictedPoints.of(models, store3, "validation")
    assert reads["momenta", "validation"] == reads["amplitude", "validation"] == 1
    np.testing.assert_array_equal(found.momenta, store3.read_split("momenta", "validation"))


@pytest.mark.parametrize("split", ["test", "all"])
def test_models_are_evaluated_on_points_that_are_read_once(registry, store3, reads, split):
    models = [load_predictor(name, registry, "cpu") for name in ("fame3@1", "fame3@2", "plain3")]
    found = compare(models, store3, split)
    assert reads["momenta", split] == 1
    for model, comparison in zip(models, found, strict=True):
        (alone,) = compare([model], store3, split)
        assert comparison.evaluation == alone.evaluation
        np.testing.assert_array_equal(comparison.delta, alone.delta)


def test_models_that_split_the_points_differently(registry, store3, reads, monkeypatch):
    old, new = (load_predictor(name, registry, "cpu") for name in ("fame3@1", "fame3@2"))
    data = old.manifest.dataset.model_copy(update={"split_rule": "rows"})
    old.manifest = old.manifest.model_copy(update={"dataset": data})
    found = compare([old, new, new], store3, "test")
    assert reads["momenta", "test"] == 2
    by_rows, by_events = (store.read_split("amplitude", "test") for store in (store3.split_by("rows"), store3))
    assert [comparison.evaluation.points for comparison in found] == [len(by_rows), len(by_events), len(by_events)]
    assert len(by_rows) != len(by_events)
