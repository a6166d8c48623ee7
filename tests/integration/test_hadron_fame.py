"""The dipole ansatz on proton collisions, through the real commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from quick import quick_adaptation

from ampcli.kinematics import with_beams
from ampcli.store.reader import Store, open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

#: Process, dipoles, gluon pairs; z d has neither a gluon pair nor more than one dipole.
CASES = {"d d~ > z g g": (10, 1), "d g > z d g": (8, 0), "d g > z d": (1, 0)}


@dataclass(frozen=True)
class Trained:
    store: Store
    registry: Path
    dipoles: int
    azimuths: int


@pytest.fixture(scope="module", params=list(CASES))
def trained(request: pytest.FixtureRequest, ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("hadron-fame")
    store, registry = folder / "s.zarr", folder / "registry"
    with quick_adaptation():
        ampcli("gen", request.param, store, "--beams", "lhc13", "--points", "2k", "--unweighted", "--seed", "5")
    ampcli("features", store, "fame", "--threads", "1")
    training = ("--model", "fame", "--epochs", "60", "--batch-size", "256", "--threads", "1", "--device", "cpu")
    ampcli("train", store, "--name", "dipoles", *training, "--registry", registry)
    return Trained(open_store(store), registry, *CASES[request.param])


def test_features(trained: Trained) -> None:
    features = zarr.open_group(trained.store.path / "features" / "fame", mode="r")
    legs, rows = trained.store.process.n_external, trained.store.rows
    shapes = {name: features[name].shape for name in features.array_keys()}
    expected: dict[str, tuple[int, ...]] = {
        "recoil": (rows, trained.dipoles + legs * (legs - 1) // 2),
        "dipoles": (rows, trained.dipoles + 2 * trained.azimuths),
        "rest_momenta": (rows, legs - 2, 4),
    }
    if trained.azimuths:
        expected["azimuth"] = (rows, trained.azimuths)
    assert shapes == expected
    recoil = trained.store.read("features/fame/recoil")
    assert np.isfinite(recoil).all()
    assert (recoil > 0).all()


def test_evaluation(trained: Trained, ampcli: Ampcli) -> None:
    found = ampcli("eval", "dipoles", trained.store.path, "--registry", trained.registry, "--json").document
    amplitude = trained.store.read("amplitude")
    mean = np.abs(amplitude - np.median(amplitude)).mean() / np.median(amplitude)
    assert 0 < found["overall"]["mean_abs_delta"] < 0.6 * mean


def test_predictions_do_not_depend_on_the_frame(trained: Trained, ampcli: Ampcli, tmp_path: Path) -> None:
    final = trained.store.read("momenta")[:50]
    angle, rapidity = 2.1, 0.6
    moved = final.copy()
    moved[..., 1] = np.cos(angle) * final[..., 1] - np.sin(angle) * final[..., 2]
    moved[..., 2] = np.sin(angle) * final[..., 1] + np.cos(angle) * final[..., 2]
    moved[..., 0] = np.cosh(rapidity) * final[..., 0] + np.sinh(rapidity) * final[..., 3]
    moved[..., 3] = np.cosh(rapidity) * final[..., 3] + np.sinh(rapidity) * final[..., 0]
    predicted = []
    for name, momenta in (("here", final), ("there", moved)):
        events, out = tmp_path / f"{name}.npz", tmp_path / f"{name}-out.npz"
        np.savez(events, momenta=with_beams(momenta))
        ampcli("predict", "dipoles", events, out, "--registry", trained.registry)
        with np.load(out) as arrays:
            predicted.append(arrays["amplitude"])
    np.testing.assert_allclose(predicted[1], predicted[0], rtol=1e-3)


def test_a_process_without_dipoles_is_refused(ampcli: Ampcli, tmp_path: Path) -> None:
    events, store = tmp_path / "z.npz", tmp_path / "z.zarr"
    energy = 91.188 / 2
    beams = [[energy, 0, 0, energy], [energy, 0, 0, -energy], [2 * energy, 0, 0, 0]]
    np.savez(events, momenta=np.array([beams]))
    ampcli("gen", "d d~ > z", store, "--momenta", events)
    ampcli.fails(2, "features", store, "fame", naming='"d d~ > z" has no dipoles')
