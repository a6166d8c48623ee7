"""Samples that surrogates had a part in: amplitudes by a certified mixture, and the evidence that such stores carry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from quick import quick_adaptation

from ampcli.amplitudes.providers import make_provider
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import with_beams
from ampcli.speedup import timing
from ampcli.store.reader import Store, open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

PROCESS = "d d~ > z g g"
BEAMS = ("--beams", "lhc13", "--unweighted", "--overweight", "1e-4")


@dataclass(frozen=True)
class Made:
    report: Path
    registry: Path
    exact: Store
    mixed: Store

    @property
    def options(self) -> tuple[object, ...]:
        return (*BEAMS, "--surrogate", self.report, "--registry", self.registry)


@pytest.fixture(scope="module")
def made(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A poor surrogate with a generous tolerance, and events of the same seed with and without it."""
    folder = tmp_path_factory.mktemp("mixture")
    store, registry, report = folder / "z.zarr", folder / "registry", folder / "report" / "speedup.json"
    with quick_adaptation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "_LEAST_SECONDS", 0.01)
        ampcli("gen", PROCESS, store, *BEAMS, "--points", "4k", "--seed", "3")
        ampcli("features", store, "iq1+", "--threads", "1")
        quick = ("--epochs", "3", "--hidden", "32,32,32", "--batch-size", "256", "--threads", "1")
        ampcli("train", store, "--model", "iq1+", "--name", "m", *quick, "--registry", registry)
        asked = ("--tolerance", "0.5:0.1", "--batch", "512", "--provider", "native", "--out", report.parent)
        ampcli("speedup", "m", store, *asked, "--registry", registry)
        events = ("--points", "3k", "--seed", "4")
        ampcli("gen", PROCESS, folder / "exact.zarr", *BEAMS, *events)
        ampcli(
            *("gen", PROCESS, folder / "mixed.zarr", *BEAMS, *events),
            *("--surrogate", report, "--registry", registry, "--workers", "2"),
        )
    return Made(report, registry, open_store(folder / "exact.zarr"), open_store(folder / "mixed.zarr"))


def test_amplitudes_are_those_of_the_surrogate_where_it_is_sure(made: Made) -> None:
    exact = make_provider("native", made.mixed.process).evaluate(with_beams(made.mixed.read("momenta")))
    ratio = made.mixed.read("amplitude") / exact
    off = np.abs(ratio - 1)
    assert 0.5 < np.mean(off > 0) < 1  # some events are exact
    # the tolerance is a share of the exact sample; events that are too large are taken too often here
    assert np.average(off > 0.5, weights=1 / ratio) < 0.1


def test_the_cross_section_is_right(made: Made) -> None:
    """Within its own closure test's correction: both runs are of one seed, with other numbers of accepted events."""
    both = [store.attributes["statistics"] for store in (made.exact, made.mixed)]
    (right, error), (found, other) = ((s["mean_weighted_amplitude"], s["mean_weighted_amplitude_error"]) for s in both)
    closure = made.mixed.attributes["closure"]
    corrected = found * closure["cross_section"]
    assert abs(corrected - right) < 4 * np.hypot(error, other)
    assert closure["cross_section"] != 1


def test_the_closure_test_by_hand(made: Made) -> None:
    """Of a store that is smaller than the test: all of its events."""
    closure = made.mixed.attributes["closure"]
    exact = make_provider("native", made.mixed.process).evaluate(with_beams(made.mixed.read("momenta")))
    amplitude, weight = made.mixed.read("amplitude"), made.mixed.read("weight")
    ratio = exact / amplitude
    assert closure["events"] == len(exact) == 3000
    assert closure["cross_section"] == pytest.approx((weight * exact).sum() / (weight * amplitude).sum())
    assert closure["largest"] == pytest.approx(np.abs(ratio - 1).max())
    off = np.abs(amplitude / exact - 1) > 0.03
    assert closure["off_by_3_percent"] == pytest.approx((weight * exact)[off].sum() / (weight * exact).sum())
    right = weight * exact
    assert closure["effective_events"] == pytest.approx(right.sum() ** 2 / (right**2).sum())
    assert set(closure["distributions"]) == {"pt_jet1", "h_t", "m_jj", "pt_z"}
    assert "closure" not in made.exact.attributes


def test_the_store_says_what_it_is(ampcli: Ampcli, tmp_path: Path, made: Made) -> None:
    provider = made.mixed.plan.provider
    assert (provider.name, provider.exact_name) == ("mixture", "native")
    assert provider.options["models"] == "m@1"
    assert float(provider.options["thresholds"]) > 0
    assert provider.parameters == made.exact.plan.provider.parameters
    ampcli("export", made.mixed.path, tmp_path / "m.lhe")
    head = (tmp_path / "m.lhe").read_text().split("<event>")[0]
    assert "surrogates = amplitudes are those of m@1 where these are sure, and of native 1 elsewhere" in head
    assert "closure = 3000 events computed exactly: cross section x " in head
    ampcli("features", made.mixed.path, "iq1+", "--threads", "1")  # reduced amplitudes are exact
    train = ("train", made.mixed.path, "--model", "iq1+", "--name", "again", "--registry", tmp_path / "r")
    ampcli.fails(2, *train, "--perturb", "0.1", "--threads", "1", naming=("m@1", "not exact", "--surrogate"))


def test_two_stages_carry_their_evidence(ampcli: Ampcli, tmp_path: Path) -> None:
    with quick_adaptation():
        said = ampcli("gen", PROCESS, tmp_path / "t.zarr", *BEAMS[:2], "--two-stage", "--points", "1k").stdout
    closure = open_store(tmp_path / "t.zarr").attributes["closure"]
    assert (closure["events"], closure["largest"]) == (1000, 0.0)
    assert "closure, 1000 exact amplitudes of native" in said


def test_points_where_a_model_is_unsure(ampcli: Ampcli, tmp_path: Path, made: Made) -> None:
    where = ("--registry", made.registry)
    asked = (*BEAMS, "--points", "3k", "--seed", "5", "--refine", "m", *where)
    with quick_adaptation():
        ampcli("gen", PROCESS, tmp_path / "r.zarr", *asked)
        for part in ("2/2", "1/2"):
            ampcli("gen", PROCESS, tmp_path / "parts.zarr", *asked, "--part", part)
        ampcli.fails(2, "gen", "d g > z d g", tmp_path / "s.zarr", *asked, naming=("m@1", "does not describe"))
    store = open_store(tmp_path / "r.zarr")
    assert open_store(tmp_path / "parts.zarr").digest == store.digest
    refined = store.plan.source.model_dump()["refined"]
    assert (refined["model"], refined["least"]) == ("m@1", 0.05)
    # accepted in proportion to the predicted uncertainty, weighted by the inverse
    model = load_predictor("m", made.registry, "cpu")
    size = store.read("weight") * store.read("amplitude")
    chance = np.clip(relative(model, store) / refined["kept_from"], 0.05, 1.0)
    w_max = np.median(size * chance)
    assert np.mean(np.isclose(size * chance, w_max, rtol=1e-6)) > 0.98  # all but excess weights
    assert np.median(relative(model, store)) > 1.1 * np.median(relative(model, made.exact))
    both = [s.attributes["statistics"] for s in (made.exact, store)]
    (right, error), (found, other) = ((s["mean_weighted_amplitude"], s["mean_weighted_amplitude_error"]) for s in both)
    assert abs(found - right) < 4 * np.hypot(error, other)


def relative(model: Predictor, store: Store) -> np.ndarray:
    amplitude, uncertainty = model.predict_final(store.read("momenta"))
    return uncertainty / amplitude


def test_what_is_refused(ampcli: Ampcli, tmp_path: Path, made: Made) -> None:
    out = tmp_path / "s.zarr"

    def refused(code: int, process: str, *options: object, naming: tuple[str, ...]) -> None:
        ampcli.fails(code, "gen", process, out, "--points", "1k", *options, naming=naming)
        assert not out.exists()

    where = ("--registry", made.registry)
    refused(2, PROCESS, *made.options, "--pt-min", "30", naming=("other events", "pt_min is 20.0 there, 30.0 here"))
    refused(2, "d g > z d g", *made.options, naming=("about d d~ > z g g, not d g > z d g",))
    refused(2, PROCESS, *made.options, "--parameter", "alpha_s=0.12", naming=("alpha_s = 0.118, not 0.12",))
    refused(2, PROCESS, *made.options, "--provider", "pyamplicol", naming=("nothing about the provider pyamplicol",))
    refused(4, PROCESS, *BEAMS, "--surrogate", tmp_path / "none.json", *where, naming=("no report at", "speedup"))
    refused(4, PROCESS, *BEAMS, "--surrogate", made.report, "--registry", tmp_path / "r", naming=("the registries",))
    broken = tmp_path / "speedup.json"
    broken.write_text(made.report.read_text()[:1000])
    refused(5, PROCESS, *BEAMS, "--surrogate", broken, *where, naming=("is no report",))
    document = json.loads(made.report.read_text())
    for strategy in document["strategies"]:
        strategy["certified"] = False
    broken.write_text(json.dumps(document))
    refused(2, PROCESS, *BEAMS, "--surrogate", broken, *where, naming=("certifies no threshold",))
