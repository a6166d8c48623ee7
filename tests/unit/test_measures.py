"""Points of phase space and events: what rows count, and averages in both measures against samples drawn for them."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from samples import evaluated

from ampcli.cli.main import run
from ampcli.collisions.given import GivenEvents
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import IntegrityError
from ampcli.evaluation.compared import Claims, Sample, Trained
from ampcli.evaluation.comparison import compare
from ampcli.evaluation.evaluation import evaluate
from ampcli.evaluation.report import notes, summary_table, table
from ampcli.evaluation.summary import summary_metrics
from ampcli.generation.generate import generate, prepare
from ampcli.inference.load import load_predictor
from ampcli.publishing.calibrate import publish_calibrated
from ampcli.records.provider import ProviderRecord
from ampcli.registry.manifest import manifest_bytes, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.store.measures import ENOUGH, Measures, balanced, measures
from ampcli.store.reader import open_store
from ampcli.uncertainty.certificate import Certificate
from ampcli.uncertainty.kind import UncertaintyKind


def arguments(n: int = 4000, seed: int = 5) -> dict[str, object]:
    """Amplitudes over decades, errors that grow with them, and everything that is averaged."""
    rng = np.random.default_rng(seed)
    exact = np.exp(rng.normal(-2, 1.0, n))
    sigma = 0.003 * exact**1.3
    return {
        "exact": exact,
        "predicted": exact + sigma * rng.normal(size=n),
        "uncertainty": sigma * rng.uniform(0.7, 1.3, n),
        "bare": sigma,
        "weight": rng.integers(0, 4, n).astype(float),
        "density": rng.integers(0, 3, n).astype(float),
        "tried": 4.0 * n,
        "n_jets": rng.integers(3, 6, n).astype(float),
        "min_sij": 10 ** rng.uniform(-5, -0.5, n),
        "y_cut": 1e-4,
        "log_mean": -2.0,
        "log_std": 1.0,
        "certificate": Certificate({"spread": exact > np.quantile(exact, 0.98)}, n),
        "members": exact * (1 + 0.01 * rng.normal(size=(3, n))),
        "kind": UncertaintyKind.OWN,
    }


def chosen(given: dict[str, object], rows: np.ndarray) -> dict[str, object]:
    """The same arguments of some rows, in this order."""
    n = len(given["exact"])
    picked = {
        key: value[..., rows] if isinstance(value, np.ndarray) and value.shape[-1] == n else value
        for key, value in given.items()
    }
    return picked | {
        "certificate": Certificate({"spread": given["certificate"].reasons["spread"][rows]}, len(rows)),
        "tried": 4.0 * len(rows),
    }


ERRORS = ("error", "effective_points", "points", "without_uncertainty", "negative")


def assert_same_averages(found: object, expected: object, path: str = "") -> None:
    """All numbers but statistical errors and counts."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for key in expected:
            if not key.endswith(ERRORS):
                assert_same_averages(found[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list):
        for k, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same_averages(one, other, f"{path}[{k}]")
    else:
        assert found == (expected if expected is None else pytest.approx(expected, rel=1e-9)), path


def test_whole_weights_are_repeated_rows():
    given = arguments()
    found = evaluated(**given)
    drop = {"points", "y_cut", "uncertainty_kind", "events", "cross_section"}
    drop |= {"coverage"}  # how many bins there are depends on the effective number of rows
    times = given["density"].astype(int)
    repeated = chosen(given, np.repeat(np.arange(4000), times)) | {"density": None}
    assert_same_averages(found.model_dump(exclude=drop), evaluated(**repeated).model_dump(exclude=drop))
    # Events: weight x exact, made whole numbers.
    given["exact"] = np.round(given["exact"] * 20) + 1
    given["predicted"] = given["exact"] * (1 + 0.01 * np.random.default_rng(1).normal(size=4000))
    given["members"] = given["predicted"] * np.array([[1.01], [0.98], [1.0]])
    times = (given["weight"] * given["exact"]).astype(int)
    repeated = chosen(given, np.repeat(np.arange(4000), times)) | {"density": None}
    events = evaluated(**given).events
    assert_same_averages(events.model_dump(exclude={"coverage"}), evaluated(**repeated).model_dump(exclude=drop))
    assert events.effective_points == pytest.approx(times.sum() ** 2 / (times**2).sum())


def test_equal_weights_give_the_same_numbers_to_the_last_bit():
    given = arguments() | {"density": None}
    plain = evaluated(**given)
    assert evaluated(**given | {"density": np.full(4000, 0.3)}) == plain
    alike = evaluated(**given | {"weight": 0.7 / given["exact"]})
    assert alike.events.model_dump() == plain.model_dump(include=set(type(alike.events).model_fields))


def test_a_sample_between_both_measures_gives_both():
    """Points drawn flat, points drawn as events, and half and half with weights: the same averages."""
    n = 60_000
    flat = chosen(arguments(n), np.arange(n)) | {"weight": np.ones(n), "density": None}
    rng = np.random.default_rng(8)
    exact = flat["exact"]
    mean = exact.mean()
    rows = np.concatenate([rng.integers(0, n, n // 2), rng.choice(n, n // 2, p=exact / exact.sum())])
    weight = 1 / (0.5 + 0.5 * exact[rows] / mean)
    mixed = evaluated(**chosen(flat, rows) | {"weight": weight, "density": weight})
    expected = evaluated(**flat)
    for found, aim in ((mixed, expected), (mixed.events, expected.events)):
        for key in ("mean_abs_delta", "median_abs_delta"):
            error = np.hypot(getattr(found.overall, f"{key}_error"), getattr(aim.overall, f"{key}_error"))
            assert abs(getattr(found.overall, key) - getattr(aim.overall, key)) < 4 * error
        assert found.by_certificate["outside"].share.value == pytest.approx(
            aim.by_certificate["outside"].share.value, rel=0.1
        )
    assert mixed.events.effective_points > 2 * expected.events.effective_points
    assert mixed.events.by_certificate["outside"].share.value > 4 * mixed.by_certificate["outside"].share.value


def test_the_paired_error_knows_what_it_has_not_seen():
    """Heavy-tailed parts of the cross section, whose error grows with them: most samples lack the tail."""
    rng = np.random.default_rng(6)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        exact = (1 - rng.random(n) * (1 - 1e-6)) ** -0.5  # Pareto of infinite variance, up to 1,000
        return exact, exact * (1 + 1e-5 * exact**0.3)

    whole, predicted = drawn(4_000_000)
    truth = predicted.sum() / whole.sum() - 1
    within, small = [], []
    for _ in range(150):
        exact, found = drawn(2000)
        sample = Sample(exact, np.full(2000, 0.1), 2000.0, np.ones(2000))
        c = evaluate(sample, Trained(np.full(2000, 3.0), 0.0, 1.0), Claims(found)).cross_section
        within.append(abs(c.relative_difference - truth) / c.relative_difference_error)
        paired = np.linalg.norm(found - exact - c.relative_difference * exact) / exact.sum()
        small.append(abs(c.relative_difference - truth) / paired)
    assert np.mean(np.array(small) < 1) < 0.52  # what the differences alone would say
    assert np.mean(np.array(within) < 1) > 0.58
    assert np.mean(np.array(within) < 2) > 0.84


def test_notes_on_what_the_points_do_not_fix():
    few = evaluated(**arguments(300))
    assert few.events.effective_points < ENOUGH
    assert few.cross_section.error_is_lower_bound
    assert "the error is a lower bound" in table(few)
    assert "too few to fix their column" in notes(few)[0]
    assert "gen --unweighted" in table(few)
    assert notes(few)[0] in summary_table({"a@1": few, "b@1": few})
    enough = evaluated(**arguments(20_000))
    assert notes(enough) == []
    assert not enough.cross_section.error_is_lower_bound
    unweighted = arguments(20_000)
    unweighted["density"] = unweighted["weight"] = unweighted["exact"] ** -2.0  # few are in the bulk of phase space
    assert [note.split(":")[0] for note in notes(evaluated(**unweighted))] == ["points"]


def test_impossible_densities():
    with pytest.raises(IntegrityError, match="density is -1 at row 2"):
        evaluated(**arguments(5) | {"density": np.array([1.0, 1.0, -1.0, 1.0, 1.0])})
    with pytest.raises(IntegrityError, match="density is zero"):
        evaluated(**arguments(5) | {"density": np.zeros(5)})


@pytest.mark.parametrize(
    ("source", "points", "events"),
    [(LeptonCollisions, [1, 2, 2], [3, 8, 10]), (ProtonCollisions, None, [3, 8, 10]), (GivenEvents, None, None)],
)
def test_what_the_rows_of_a_store_count(source, points, events):
    columns = {"weight": np.array([1.0, 2, 2]), "amplitude": np.array([3.0, 4, 5])}
    store = SimpleNamespace(
        plan=SimpleNamespace(
            source=source.model_construct(), arrays=columns, provider=ProviderRecord(name="p", version="1")
        ),
        read_split=lambda name, split: columns[name],
    )
    found = measures(store, "test")
    for array, expected in ((found.points, points), (found.events, events)):
        assert (None if array is None else array.tolist()) == expected


@pytest.mark.parametrize("weights", [[2.0, 0, 1], [2.0, -1, 1], [0.0, 0, 0]])
def test_given_events_count_as_their_file_says(weights):
    """Unless some weights are negative: such a sample has no shares."""
    plan = SimpleNamespace(source=GivenEvents.model_construct(), arrays={"event_weight": ()})
    store = SimpleNamespace(plan=plan, read_split=lambda name, split: np.array(weights))
    found = measures(store, "all")
    assert found.points is None
    if weights == [2.0, 0, 1]:
        given = arguments(3) | {"weight": None, "density": None, "share": found.events}
        evaluation = evaluated(**given)
        assert evaluation.cross_section is None
        delta = np.abs(given["predicted"] / given["exact"] - 1)
        assert evaluation.events.overall.mean_abs_delta == pytest.approx((2 * delta[0] + delta[2]) / 3)
        assert (evaluation.overall.points, evaluation.events.overall.points) == (3, 2)
    else:
        assert found.events is None


def test_both_measures_count_alike(rng):
    n = 20_000
    points, events = rng.uniform(0.5, 1.5, n), rng.uniform(0.0, 3.0, n)
    known = Measures(points, events).known(n)
    assert list(known) == ["points", "events"]
    weight = balanced(known, n)
    np.testing.assert_allclose(weight / weight.sum(), (points / points.sum() + events / events.sum()) / 2, rtol=1e-12)
    assert balanced(Measures().known(n), n) is None
    rare = np.where(np.arange(n) < ENOUGH - 1, 1.0, 0.0)
    assert list(Measures(points, rare).known(n)) == ["points"]
    assert list(Measures(rare, events).known(n)) == ["events"]


def test_manifests_have_metrics_of_events_where_they_are_known(rng):
    n = 5000
    exact = np.exp(rng.normal(size=n))
    predicted = exact * (1 + 0.02 * exact)
    plain = summary_metrics(exact, predicted, (0.0, 1.0))
    both = summary_metrics(exact, predicted, (0.0, 1.0), Measures(events=exact))
    assert {name: both[name] for name in plain} == plain
    assert both["events_mean_abs_delta"].value == pytest.approx(0.02 * (exact**2).sum() / exact.sum())
    assert set(both) - set(plain) == {"events_median_abs_delta", "events_mean_abs_delta", "events_outside_1%"}


def test_eval_reports_both(registry, store3, capsys):
    arguments = ["eval", "fame3@1", str(store3.path), "--registry", str(registry), "--threads", "1"]
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    exact, weight = store3.read_split("amplitude", "test"), store3.read_split("weight", "test")
    assert document["points"] == document["effective_points"] == len(exact)
    share = weight * exact
    assert document["events"]["effective_points"] == pytest.approx(share.sum() ** 2 / (share**2).sum())
    assert set(document["events"]) <= set(document)
    assert document["uncertainty_kind"] == "typical"
    assert document["notes"]
    assert run(arguments) == 0
    text = capsys.readouterr().out
    assert "uncertainties: typical: the same relative size at all points" in text
    assert run(["eval", "plain3", *arguments[1:]]) == 0
    assert text.count("typical") == 1
    assert "fame3@1   typical" in capsys.readouterr().out


def test_calibration_for_points_and_events(repository, tmp_path, request_for):
    """The shipped three-jet model, whose uncertainties hold for flat points only, on points for both measures."""
    root = tmp_path / "registry"
    shutil.copytree(repository / "registry" / "ee-3jets" / "1", root / "ee-3jets" / "1")
    request = request_for(tmp_path / "mixed.zarr", points=40_000, y_cut=1e-4, sampling="mixed", seed=5)
    generate(prepare(request))
    store = open_store(request.store)
    shipped = read_manifest(resolve(root, "ee-3jets@1"))
    bare = shipped.model_copy(update={"region": shipped.region.model_copy(update={"relative_uncertainty_999": None})})
    (root / "ee-3jets" / "1" / "manifest.json").write_bytes(manifest_bytes(bare))  # as published before certificates
    made = publish_calibrated(root, "ee-3jets@1", store)
    assert made.recalibration.measures == ["points", "events"]
    assert made.region.relative_uncertainty_999 > 5 * shipped.region.relative_uncertainty_999
    found = compare([load_predictor("ee-3jets@2", root, "cpu")], store, "test")[0].evaluation
    before = compare([load_predictor("ee-3jets@1", repository / "registry", "cpu")], store, "test")[0].evaluation
    assert before.events.calibration.coverage["1"].observed.value < 0.6
    assert "events: one sigma holds 5" in notes(before)[0]
    assert notes(found) == []
    assert before.events.by_certificate["outside"].share.value > 0.2
    for measure in (found, found.events):
        assert measure.calibration.intervals["68"].observed.value == pytest.approx(0.683, abs=0.03)
        assert measure.by_certificate["inside"].share.value > 0.99
    assert found.cross_section.effective_events > ENOUGH
