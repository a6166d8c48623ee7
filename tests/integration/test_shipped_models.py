"""The models in registry/: they verify, compare, and describe exact amplitudes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.amplitudes.native.provider import Native
from ampcli.inference.load import load_predictor
from ampcli.kinematics import with_beams
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.search import names
from ampcli.registry.storage import read_probe

if TYPE_CHECKING:
    from conftest import Ampcli

REGISTRY = Path(__file__).parents[2] / "registry"
NAMES = names(REGISTRY)


def test_all_models_verify_and_compare(ampcli: Ampcli) -> None:
    said = ampcli("registry", "verify", "--registry", REGISTRY).stdout
    assert all(f"{name}@1: " in said for name in NAMES)
    compared = ampcli("registry", "compare", "--registry", REGISTRY, "--json").document
    assert [model["model"].partition("@")[0] for model in compared["models"]] == NAMES
    assert compared["missed"] == []


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_near_exact_amplitudes(name: str) -> None:
    folder = resolve(REGISTRY, name)
    manifest = read_manifest(folder)
    predictor = load_predictor(name, REGISTRY, "cpu")
    momenta = read_probe(folder, manifest)["momenta"].numpy()
    exact = Native(predictor.process).evaluate(with_beams(momenta))
    predicted, uncertainty = predictor.predict_final(momenta)
    delta = np.abs(predicted / exact - 1)
    assert np.median(delta) < 3 * manifest.metrics["median_abs_delta"].value
    assert 0.4 < (delta < uncertainty / predicted).mean() < 0.9  # 68 % of 64 events
