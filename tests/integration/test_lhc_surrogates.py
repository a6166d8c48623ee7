"""The improved surrogates through the real commands: events of proton beams to speed-up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawing import undrawn

if TYPE_CHECKING:
    from conftest import Ampcli

from ampcli.registry.manifest import read_manifest
from ampcli.speedup import timing
from ampcli.store.reader import open_store

pytest.importorskip("madspace")

PROCESS = "d d~ > z g g"
QUICK = ("--epochs", "3", "--hidden", "32,32,32", "--batch-size", "256", "--threads", "1")


@dataclass(frozen=True)
class Chain:
    store: Path
    registry: Path

    @property
    def where(self) -> tuple[object, ...]:
        return ("--registry", self.registry)


@pytest.fixture(scope="module")
def chain(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Two-stage unweighted events with features, and the models iq1@1, both@1 and nofa@1."""
    folder = tmp_path_factory.mktemp("lhc")
    made = Chain(folder / "z.zarr", folder / "registry")
    said = ampcli("gen", PROCESS, made.store, "--beams", "lhc13", "--points", "3k", "--two-stage", "--seed", "2").stdout
    assert "exact amplitudes per event" in said
    ampcli("features", made.store, "iq1+", "iq1,iq2+", "invariants", "--threads", "1")
    train = ("train", made.store, *QUICK, *made.where)
    ampcli(*train, "--model", "iq1+", "--name", "iq1", "--perturb", "0.1")
    ampcli(*train, "--model", "iq1,iq2+", "--name", "both")
    ampcli(*train, "--model", "nofa+", "--name", "nofa")
    return made


def test_what_the_manifest_of_an_improved_model_says(chain: Chain) -> None:
    manifest = json.loads((chain.registry / "iq1" / "1" / "manifest.json").read_text())
    training = manifest["training"]
    assert {key: training[key] for key in ("block", "optimiser", "schedule", "options", "perturb", "residual")} == {
        "block": "iq1+",
        "optimiser": "soap",
        "schedule": "one-cycle",
        "options": {"beta": 0.5},
        "perturb": 0.1,
        "residual": True,
    }
    options = manifest["features"]["options"]
    assert (options["pair"], options["spectator"], options["inputs"]) == ("delta-r", "gluon", "extended")
    assert set(manifest["recalibration"]["intervals"]) == {"95", "99"}
    assert manifest["architecture"]["residual"] is True


def test_several_models_side_by_side(ampcli: Ampcli, tmp_path: Path, chain: Chain) -> None:
    out = tmp_path / "plots"
    with undrawn():
        said = ampcli("eval", "iq1", "nofa", chain.store, "--out", out, *chain.where, "--json").document
    assert set(said["models"]) == {"iq1@1", "nofa@1"}
    assert said["models"]["iq1@1"]["overall"]["mean_abs_delta"] < said["models"]["nofa@1"]["overall"]["mean_abs_delta"]
    assert json.loads((out / "evaluation.json").read_text()) == said
    written = {path.name for path in out.iterdir()}
    assert {"errors.png", "cumulative.png", "uncertainty-iq1@1.png", "regions-nofa@1.png", "eval.toml"} <= written
    alone = ampcli("eval", "iq1", chain.store, *chain.where, "--json").document
    assert alone["overall"] == said["models"]["iq1@1"]["overall"]
    assert alone["before_recalibration"]["coverage"] != alone["calibration"]["coverage"]
    text = ampcli("eval", "iq1", "nofa", chain.store, *chain.where).stdout
    assert text.index("iq1@1") < text.index("nofa@1")  # the better one first
    ampcli.fails(2, "eval", chain.store, naming=("no model given", "before the store"))


def test_a_pair_and_its_calibration(ampcli: Ampcli, chain: Chain) -> None:
    pair = ampcli(
        *("ensemble", "pair", "iq1", "both", "--combine", "covariance", "--data", chain.store, "--json"), *chain.where
    ).document
    assert pair["recalibration"] is not None
    other = ampcli("calibrate", "pair", chain.store, "--name", "pair-again", "--json", *chain.where).document
    np.testing.assert_allclose(other["recalibration"]["log_scale"], pair["recalibration"]["log_scale"], atol=1e-9)
    again = ampcli("calibrate", "nofa@1", chain.store, *chain.where).stdout
    assert again.startswith("nofa@2: uncertainties of nofa@1 times")
    ampcli("registry", "verify", "nofa@2", *chain.where)


def test_the_bare_ansatz(ampcli: Ampcli, tmp_path: Path, chain: Chain) -> None:
    said = ampcli("ansatz", chain.store, "iq1+", "iq1,iq2+", "--out", tmp_path / "a", "--json").document
    assert set(said["blocks"]) == {"iq1+", "iq1,iq2+"}
    assert 0.1 < said["blocks"]["iq1+"]["deviation"] < 3
    drawn = json.loads((tmp_path / "a" / "ansatz.json").read_text())
    assert set(drawn["counts"]) == set(said["blocks"])
    ampcli.fails(2, "ansatz", chain.store, "invariants", naming=("undoes no emission",))
    ampcli.fails(4, "ansatz", chain.store, "iq2", naming=("no features iq2",))


def test_the_speed_up_of_the_best_models(
    ampcli: Ampcli, tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "speed"
    monkeypatch.setattr(timing, "_LEAST_SECONDS", 0.01)  # how precise the times are is not asked for
    asked = ("--tolerance", "0.5:0.05", "--batch", "512", "--out", out, "--report", tmp_path / "speed.html", "--json")
    said = ampcli("speedup", chain.store, *asked, *chain.where)
    found = said.document
    assert [name.partition("@")[0] for name in found["compared"]] == ["both", "iq1", "nofa"]
    tried = sorted(candidate["models"] for candidate in found["candidates"])
    assert tried == [
        [0],
        [0, 1],
        [0, 2],
        [1],
        [1, 0],
        [1, 2],
        [2],
        [2, 0],
        [2, 1],
    ]  # alone, and in pairs of both orders
    best = found["candidates"][0]
    assert found["models"] == [found["compared"][i] for i in best["models"]]
    assert set(found["exact"]) == {"native", "pyamplicol"}
    for strategy in found["strategies"]:
        assert strategy["certified"]
        exact, outcome = found["exact"][strategy["provider"]], strategy["outcome"]
        seconds = [times["total"] for times in found["surrogates"]]
        if strategy["name"].startswith("surrogate "):  # one alone, before the exact amplitude
            mean = seconds[int(strategy["name"][-1]) - 1] + found["checks"] + (1 - outcome["used"][0]) * exact
            assert outcome["factor"] == pytest.approx(exact / mean)
        assert outcome["factor"] < exact / min(seconds)
        assert outcome["tolerance"] <= 0.05 + 3 * outcome["tolerance_error"]
    points = found["points"]
    store = open_store(chain.store)
    unseen = len(store.read_split("weight", "test"))
    assert points == {
        "chose": len(store.read_split("weight", "validation")),
        "certified": unseen - points["judged"],
        "judged": -(-unseen // 5),
    }
    manifest = read_manifest(chain.registry / "iq1" / "1")
    copies = manifest.training.labelled_points
    assert isinstance(copies, int)
    assert 0.5 < copies / (2 * manifest.dataset.splits["train"]) < 1  # of two epochs; some leave the cuts
    used = {name.partition("@")[0] for name in found["models"]}
    assert found["spent"]["copies"] == (copies if "iq1" in used else 0)
    assert found["spent"]["events"] == store.attributes["exact_amplitudes"]
    assert {"speedup-curves.png", "speedup-thresholds.png", "speedup.json"} <= {path.name for path in out.iterdir()}
    assert len(found["scan"]["thresholds"]) == len(found["scan"]["factor"])
    small = ("--tolerance", "0.5:1e-3", "--batch", "512", "--provider", "native", *chain.where)
    text = ampcli("speedup", "iq1", "nofa", chain.store, *small).stdout
    assert text.count("no threshold") == 5 + 1  # in the table, and how many events are needed
    assert "pyamplicol" not in text
    named = ("iq1", "nofa", "both")
    text = ampcli("speedup", *named, chain.store, "--objective", "break-even", *small).stdout
    assert "of 3 models and their pairs, the best for --objective break-even on validation points" in text
    choice = ("--objective", "unweighting", *small)
    ampcli.fails(2, "speedup", *named, chain.store, *choice, naming=("--objective unweighting", "no weighted points"))
    ampcli.fails(2, "speedup", "iq1", chain.store, *choice, naming=("no effect with one or two models",))
    unknown = ("speedup", "iq1", chain.store, "--provider", "madgraph", *chain.where)
    ampcli.fails(2, *unknown, naming=('unknown provider "madgraph"',))
    ampcli.fails(4, "speedup", chain.store, "--registry", tmp_path / "empty", naming=("there is no registry",))


def test_perturbed_copies_need_events_of_beams(ampcli: Ampcli, tmp_path: Path) -> None:
    store = tmp_path / "ee.zarr"
    ampcli("gen", "e- e+ > d d~ g", store, "--points", "600", "--y-cut", "0.01")
    ampcli("features", store, "fame")
    naming = ("--perturb needs",)
    train = ("train", store, "--name", "m", "--registry", tmp_path / "r")
    ampcli.fails(2, *train, "--perturb", "0.1", naming=naming)
    ampcli.fails(2, *train, "--beta", "0.5", naming=("--beta has no effect for --model fame", "fame+"))
    ampcli.fails(2, *train, "--model", "nofa+", "--orient", naming=("--orient has no effect for --model nofa+",))
    ampcli.fails(2, *train, "--bayesian", naming=("--bayesian has no effect for --model fame", "nofa"))
    ampcli.fails(2, *train, "--model", "lgatr", "--hidden", "8,8", naming=("has layers of its own", "--hidden"))


def test_a_bayesian_network(ampcli: Ampcli, chain: Chain) -> None:
    train = ("train", chain.store, *QUICK, "--epochs", "12", "--model", "nofa+", "--bayesian", "--name", "bayes")
    said = ampcli(*train, "--json", *chain.where).document
    assert said["models"][0]["architecture"]["network"] == "bayesian"
    found = ampcli("eval", "bayes", chain.store, "--json", *chain.where).document
    assert found["overall"]["mean_abs_delta"] < 0.5  # measured: 0.14 to 0.24 for three seeds
