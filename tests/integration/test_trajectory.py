"""`ampcli trajectory`, earlier work's models and fame+ through the real commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from drawing import undrawn

if TYPE_CHECKING:
    from conftest import Ampcli

PROCESS = "e- e+ > d d~ g g"


@pytest.fixture(scope="module", autouse=True)
def _undrawn() -> Iterator[None]:
    with undrawn():
        yield


@pytest.fixture(scope="module")
def folder(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A four-jet store with s_ij cuts alone, and models of it: fame+, fks-ensemble (three replicas), single."""
    root = tmp_path_factory.mktemp("fame")
    store = root / "ee4.zarr"
    ampcli("gen", PROCESS, store, "--points", "6k", "--y-cut", "0.01", "--cuts", "jade")
    ampcli("features", store, "antenna", "--threads", "1")
    train = ("train", store, "--threads", "1", "--registry", root / "registry")
    ampcli(
        *train, "--model", "fame+", "--name", "antenna", "--hidden", "24,24,24", "--epochs", "40", "--batch-size", "128"
    )
    small = ("--epochs", "4", "--batch-size", "256", "--replicas", "3")
    ampcli(*train, "--model", "fks-ensemble", "--near", "0.03", "--name", "fks", *small)
    ampcli(*train, "--model", "single", "--name", "single", *small)
    for name in ("fks", "single"):
        ampcli("ensemble", f"{name}-mean", f"{name}@1-3", "--registry", root / "registry", "--data", store)
    return root


PLOTS = ("growth-fks-mean@1", "errors", "cumulative", "uncertainty-antenna@1")


def evaluated(ampcli: Ampcli, folder: Path, *models: str, out: Path) -> Any:
    store, registry = folder / "ee4.zarr", folder / "registry"
    return ampcli("eval", *models, store, "--registry", registry, "--out", out, "--threads", "1", "--json").document


def test_models_can_be_compared(ampcli: Ampcli, folder: Path, tmp_path: Path) -> None:
    document = evaluated(ampcli, folder, "antenna", "fks-mean", "single-mean", out=tmp_path / "plots")
    medians = {name: model["overall"]["median_abs_delta"] for name, model in document["models"].items()}
    # After these few epochs 0.012, 1.35 and 3.1 were measured.
    assert medians["antenna@1"] < 0.1 < min(medians["fks-mean@1"], medians["single-mean@1"])
    # Cuts on s_ij alone: the store's points have no flags but an unusual spread of a few.
    for model in document["models"].values():
        assert set(model["by_certificate"]) <= {"inside", "outside", "spread"}
        assert model["by_certificate"]["inside"]["points"] > 0.98 * model["points"]
    growth = document["models"]["fks-mean@1"]["growth"]
    assert [entry["members"] for entry in growth] == [1, 2, 3]
    assert growth[2]["median_abs_delta"] == pytest.approx(medians["fks-mean@1"])
    assert growth[0]["covered"] == {}
    assert document["models"]["antenna@1"]["growth"] == []
    plots = {name: json.loads((tmp_path / "plots" / f"{name}.json").read_text()) for name in PLOTS}
    assert plots["growth-fks-mean@1"] == {"growth": growth}
    histograms = plots["errors"]["log10_abs_delta_percent"]["histograms"]
    assert {label: sum(histograms[label]["counts"]) for label in medians} == pytest.approx(
        {name: model["points"] for name, model in document["models"].items()}
    )
    above = np.array(plots["cumulative"]["abs_delta"])
    fractions = plots["cumulative"]["fraction_above"]
    # Half of the points are above the median.
    assert np.interp(medians["antenna@1"], above, fractions["antenna@1"]) == pytest.approx(0.5, abs=0.03)
    assert min(np.interp(1.0, above, fractions[f"{name}-mean@1"]) for name in ("fks", "single")) > 0.5
    assert min(values[-1] for values in fractions.values()) < 1e-3  # the axis holds the tail
    cells = plots["uncertainty-antenna@1"]["points"]
    assert np.sum(cells) == document["models"]["antenna@1"]["points"]


def test_trajectories(ampcli: Ampcli, folder: Path, tmp_path: Path) -> None:
    models = ("antenna", "fks-mean")
    options = ("--count", "5", "--points", "60", "--seed", "3", "--registry", folder / "registry", "--threads", "1")
    outcome = ampcli("trajectory", *models, *options, "--out", tmp_path / "out", "--json")
    document = outcome.document
    assert document == json.loads((tmp_path / "out" / "trajectories.json").read_text())
    assert (document["count"], document["points"], document["seed"]) == (5, 60, 3)
    found = document["models"]["antenna@1"]
    assert found["y_cut"] == 0.01
    assert found["regions"]["red"]["points"] > 0
    inside, outside = (found["certificate"][name] for name in ("inside", "outside"))
    assert inside["points"] + outside["points"] == 300
    assert inside["median_abs_delta"] < outside["median_abs_delta"]
    with np.load(tmp_path / "out" / "trajectories.npz") as arrays:
        assert arrays["momenta"].shape == (5, 60, 4, 4)
        delta = np.abs(arrays["antenna@1/predicted"] / arrays["exact"] - 1.0)
        assert np.median(delta[~arrays["antenna@1/outside"]]) == pytest.approx(inside["median_abs_delta"])
        np.testing.assert_array_equal(arrays["antenna@1/region/red"], arrays["min_sij_over_s"] < 0.01)
        plots = {
            name: json.loads((tmp_path / "out" / f"{name}.json").read_text())
            for name in ("trajectory", "kinematics", "cumulative")
        }
        shown = plots["trajectory"]["trajectory"]
        assert plots["trajectory"]["exact"] == arrays["exact"][shown].tolist()
        assert plots["trajectory"]["models"]["antenna@1"]["predicted"] == arrays["antenna@1/predicted"][shown].tolist()
        energies = list(plots["kinematics"]["energy"].values())
        np.testing.assert_array_equal(energies, arrays["momenta"][shown, :, :, 0].T)
        drawn = plots["cumulative"]
        above = [np.mean(delta > size) for size in drawn["abs_delta"]]
        np.testing.assert_allclose(drawn["fraction_above"]["antenna@1"], above)
    # The saved configuration gives the same again.
    again = ampcli("trajectory", "--config", tmp_path / "out" / "trajectory.toml", "--json")
    assert again.document == document
    text = ampcli("trajectory", *models, *options).stdout
    assert "min s_ij below the cut" in text
    assert text.count("fks-mean@1") >= 3


def test_a_cut_for_the_regions(ampcli: Ampcli, folder: Path) -> None:
    options = ("--count", "5", "--points", "60", "--seed", "3", "--registry", folder / "registry", "--json")
    red = [
        ampcli("trajectory", "antenna", *options, *cut).document["models"]["antenna@1"]["regions"]["red"]["points"]
        for cut in ((), ("--y-cut", "0.001"))
    ]
    assert red[1] < red[0]


def test_errors(ampcli: Ampcli, folder: Path, repository: Path) -> None:
    registry = ("--registry", folder / "registry")
    ampcli.fails(4, "trajectory", "no-such-model", *registry, naming="no-such-model")
    shown = ("--show", "3", "--out", folder / "shown")
    ampcli.fails(2, "trajectory", "antenna", "--count", "3", *shown, *registry, naming="--show 3")
    ampcli.fails(
        2, "trajectory", "ddx-zgggg-fg1", "--registry", repository / "registry", naming=("d d~ > z g g g g", "e+e-")
    )
    train = ("train", folder / "ee4.zarr", "--name", "x", "--epochs", "1", *registry)
    ampcli.fails(2, *train, "--model", "fks-ensemble", "--near", "1e-9", naming=("--near 1e-09", "Choose a value"))
    ampcli.fails(2, *train, "--model", "single", "--near", "0.1", naming="--near has no effect for --model single")
    ampcli.fails(2, *train, "--model", "plain", "--no-spin", naming="--no-spin has no effect for --model plain")
    ampcli.fails(2, *train, "--model", "fame+", "--orient", naming="--orient")
    ampcli.fails(4, *train, "--model", "fame", naming="ampcli features")
    ampcli.fails(2, "ensemble", "y", "fks@3-1", *registry, naming="fks@1-3")
    ampcli.fails(
        2,
        "gen",
        "d d~ > z g g",
        folder / "z.zarr",
        "--points",
        "10",
        "--beams",
        "lhc13",
        "--cuts",
        "jade",
        naming="--cuts",
    )


def test_predictions_mark_extrapolations(ampcli: Ampcli, folder: Path, tmp_path: Path) -> None:
    from ampcli.phasespace.trajectories import trajectories

    events = trajectories(4, 50, 4, 1000.0, 8).reshape(-1, 4, 4)
    for precision in (np.float64, np.float32):
        name = np.dtype(precision).name
        np.savez(tmp_path / f"{name}.npz", momenta=events.astype(precision))
        said = ampcli(
            "predict",
            "antenna",
            tmp_path / f"{name}.npz",
            tmp_path / f"{name}.out.npz",
            "--registry",
            folder / "registry",
            "--json",
        ).document
        with np.load(tmp_path / f"{name}.out.npz") as out:
            assert said["outside"] == out["outside"].sum()
            assert 0 < said["outside"] < 200
    with np.load(tmp_path / "float64.out.npz") as double, np.load(tmp_path / "float32.out.npz") as single:
        inside = ~double["outside"]
        np.testing.assert_allclose(single["amplitude"][inside], double["amplitude"][inside], rtol=1e-3)
