"""Models on the points of a store: features that are there are read, all others computed."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.inference.load import load_predictor
from ampcli.inference.stored import predicted_on, stored_features
from ampcli.store.reader import Store, open_store


@pytest.fixture
def model(registry):
    return load_predictor("fame3@1", registry, "cpu")


def test_features_that_are_there_are_not_computed(model, store3, monkeypatch):
    expected = model.predicted(store3.read_split("momenta", "test"))

    def compute(self, momenta):
        raise AssertionError("computed")

    monkeypatch.setattr(type(model.networks[0].block), "compute", compute)
    found = predicted_on(model, store3, "test")
    for name in ("amplitude", "bare", "uncertainty", "members"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_only_what_the_model_reads_is_read(model, store3):
    found = stored_features(model.networks[0], store3, "validation")
    assert set(found) == {"recoil", "dipoles"}


@pytest.mark.parametrize("change", [{"version": 99}, {"options": {"alpha_s": 0.2}}, {"store_digest": "other"}])
def test_features_of_other_choices_are_computed(model, store3, monkeypatch, change):
    known = store3.block_attributes("fame")
    monkeypatch.setattr(Store, "block_attributes", lambda self, name: known | change)
    assert stored_features(model.networks[0], store3, "test") is None
    expected = model.predicted(store3.read_split("momenta", "test"))
    np.testing.assert_array_equal(predicted_on(model, store3, "test").amplitude, expected.amplitude)


def test_without_features(model, registry, store3, request_for, tmp_path):
    from ampcli.generation.generate import generate, prepare

    generate(prepare(request_for(tmp_path / "bare.zarr", points=60)))
    bare = open_store(tmp_path / "bare.zarr")
    assert stored_features(model.networks[0], bare, "test") is None
    assert np.isfinite(predicted_on(model, bare, "test").amplitude).all()
    plain = load_predictor("plain3", registry, "cpu")
    assert stored_features(plain.networks[0], store3, "test") is None
