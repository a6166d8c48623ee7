"""The quality of kernel x reduced amplitude: numbers by hand, and the approach to the singular region."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from quick import quick_adaptation

from ampcli.errors import NotFoundError, UsageError
from ampcli.evaluation.ansatz import measure_ansatz
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.proton_points import ProtonSettings
from ampcli.kinematics import with_beams
from ampcli.plots.ansatz import plot_ansatz
from ampcli.plots.style import save
from ampcli.store.features import write_features
from ampcli.store.reader import Store, open_store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    pytest.importorskip("madspace")
    folder = tmp_path_factory.mktemp("ansatz") / "z.zarr"
    settings = ProtonSettings("lhc13", unweighted=True)
    with quick_adaptation():
        generate(prepare(GenerationRequest("d d~ > z g g g", folder, 2000, settings)))
    opened = open_store(folder)
    for name in ("fg1+", "fg3", "iq1", "fg1,iq1", "invariants"):
        write_features(opened, name, CPU)
    return open_store(folder)


def test_by_hand(store):
    found = measure_ansatz(store, "fg1+", "test")
    amplitude = store.read_split("amplitude", "test")
    kernel, reduced, legs = (
        store.read_split(f"features/fg1+/{key}", "test") for key in ("kernel", "reduced_amplitude", "legs")
    )
    ratio = np.log(amplitude / (kernel * reduced))
    np.testing.assert_allclose(found.log_ratio, ratio, rtol=1e-10)
    quality = found.quality
    assert (quality.points, quality.median) == (len(ratio), pytest.approx(np.median(ratio)))
    assert quality.deviation == pytest.approx(ratio.std())
    assert quality.within_factor_2 == pytest.approx((np.abs(ratio - np.median(ratio)) < np.log(2)).mean())
    events = with_beams(store.read_split("momenta", "test"))
    rows = np.arange(len(events))
    i, j = (events[rows, legs[:, side].astype(int)] for side in (0, 1))
    mass2 = (i[:, 0] + j[:, 0]) ** 2 - ((i[:, 1:] + j[:, 1:]) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.s_ij, mass2, rtol=1e-6)
    assert quality.band.s_ij == sorted(quality.band.s_ij)


def test_the_most_singular_radiation_is_the_best_one(store):
    spread = {name: measure_ansatz(store, name, "all").quality.spread68 for name in ("fg1+", "fg3")}
    assert spread["fg1+"] < 0.5 * spread["fg3"]


def test_several_radiations_count_as_their_sum(store):
    one, two = (measure_ansatz(store, name, "test").log_ratio for name in ("iq1", "fg1,iq1"))
    assert (two < one).all()  # the sum is larger than each


def test_features_that_undo_nothing(store):
    with pytest.raises(UsageError, match="undo no emission"):
        measure_ansatz(store, "invariants", "test")
    with pytest.raises(NotFoundError):
        measure_ansatz(store, "iq2", "test")


def test_the_plot(store, tmp_path):
    measured = {name: measure_ansatz(store, name, "test") for name in ("fg1+", "iq1")}
    written = save(plot_ansatz(measured), tmp_path)
    assert sorted(path.name for path in written) == ["ansatz.json", "ansatz.pdf", "ansatz.png"]
    numbers = json.loads((tmp_path / "ansatz.json").read_text())
    assert numbers["quality"] == {label: points.quality.model_dump(mode="json") for label, points in measured.items()}
    edges = numbers["edges"]
    for label, points in measured.items():
        inside = np.clip(-points.log_ratio, edges[0], edges[-1])
        assert numbers["counts"][label] == np.histogram(inside, edges)[0].tolist()
        assert sum(numbers["counts"][label]) == points.quality.points
