"""Ensembles: mean, standard error, members."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

import ampcli
from ampcli.cli.main import run
from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.evaluation.summary import summary_metrics
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.inference.probe import check_probe
from ampcli.publishing.calibrate import publish_calibrated
from ampcli.publishing.ensemble import build_ensemble
from ampcli.publishing.independence import require_different
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.store.measures import measures
from ampcli.store.reader import Store
from ampcli.training.train import TrainingRun, train
from ampcli.uncertainty.certificate import relative_size, unusual_spread
from ampcli.uncertainty.mean import mean_and_error

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
    with pytest.raises(IntegrityError, match="fame3@2, a member of mean3@1, is not in the registr"):
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
        (["fame3@1", "fame4@1"], "is for e- e\\+ > d d~ g g at 1000 GeV"),
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


@pytest.fixture(scope="module")
def relatives(registry, store3, recipe_for, tmp_path_factory):
    """fame3@1 to @3 and: again@1, which began as fame3@1 did; child@1 and sibling@1, trained on from fame3@1;
    grandchild@1; calibrated@1, a calibrated fame3@1.
    """
    root = tmp_path_factory.mktemp("relatives") / "registry"
    shutil.copytree(registry, root)

    def more(name, **changes):
        train(TrainingRun(store3, name, root, torch.device("cpu")), recipe_for(store3, epochs=1, **changes))

    more("again")
    more("child", init_from="fame3@1", seeds=(5,))
    more("sibling", init_from="fame3@1", seeds=(6,))
    more("plain-child", model="plain", init_from="plain3@1", seeds=(5,))
    more("grandchild", init_from="child", seeds=(7,))
    publish_calibrated(root, "fame3@1", store3, "calibrated")
    return root


NOT_INDEPENDENT = {
    ("fame3@1", "calibrated@1"): "both come from fame3@1",
    ("fame3@1", "again@1"): "the same seed 1",
    ("fame3@2", "again@1", "calibrated@1"): "the same seed 1",
    ("fame3@1", "child@1"): "both come from fame3@1",
    ("fame3@1", "grandchild@1"): "both come from fame3@1",
    ("child@1", "sibling@1"): "both come from fame3@1",
    ("fame3@2", "child@1", "grandchild@1"): "both come from child@1",
    ("calibrated@1", "sibling@1"): "both come from fame3@1",
}


@pytest.mark.parametrize("members", NOT_INDEPENDENT)
def test_members_that_are_not_independent(relatives, members):
    with pytest.raises(UsageError, match=NOT_INDEPENDENT[members]) as refused:
        build_ensemble(relatives, "refused", list(members), "mean")
    assert sum(member in str(refused.value) for member in members) >= 2
    assert not (relatives / "refused").exists()


def test_copies_are_refused_however_they_are_combined(relatives, store3):
    for members in (["fame3@1", "calibrated@1"], ["fame3@2", "calibrated@1", "fame3@1"]):
        with pytest.raises(UsageError, match="copies of one network"):
            build_ensemble(relatives, "refused", members, "covariance", store3)


def test_copies_are_known_by_what_they_predict(relatives):
    manifests = [read_manifest(resolve(relatives, name)) for name in ("fame3@1", "fame3@2")]
    values = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-10]])
    with pytest.raises(UsageError, match="fame3@1 and fame3@2 are copies"):
        require_different(manifests, values)
    require_different(manifests, values * [[1.0], [1.001]])


def test_parents_are_versions(relatives):
    assert read_manifest(resolve(relatives, "grandchild")).parents == ["child@1"]


def test_relatives_whose_correlation_is_measured(relatives, store3):
    made = build_ensemble(relatives, "measured", ["plain3@1", "plain-child@1"], "covariance", store3)
    assert made.correlation[0][1] > 0.5
    assert load_predictor("measured", relatives, "cpu").uncertainty_kind == "typical"


@pytest.mark.parametrize(
    ("combine", "members"),
    [("mean", MEMBERS), ("covariance", ["plain3@1", "plain-child@1"])],
    ids=["mean", "covariance"],
)
def test_members_predict_once(relatives, store3, monkeypatch, combine, members):
    rows: list[int] = []
    predicted = Predictor.predicted

    def counting(self, final, features=None, *told):
        rows.extend([len(final)] * len(self.networks))
        return predicted(self, final, features, *told)

    momenta, exact = (store3.read_split(name, "validation") for name in ("momenta", "amplitude"))
    monkeypatch.setattr(Predictor, "predicted", counting)
    reads = []
    read_split = Store.read_split
    monkeypatch.setattr(Store, "read_split", lambda self, *what: (reads.append(what), read_split(self, *what))[1])
    told: list[int] = []
    manifest = build_ensemble(relatives, f"once-{combine}", members, combine, store3, on_rows=told.append)
    assert sum(told) == len(momenta) * (len(members) if combine == "covariance" else 1)
    assert rows.count(len(momenta)) == len(members)
    assert reads.count(("momenta", "validation")) == 1
    model = load_predictor(manifest.reference, relatives, "cpu")
    found, kind = predicted(model, momenta), model.uncertainty_kind
    expected = summary_metrics(exact, found.amplitude, manifest.log_moments, measures(store3, "validation"))
    assert manifest.metrics.keys() == expected.keys()
    for name, metric in expected.items():
        assert manifest.metrics[name].value == pytest.approx(metric.value, rel=1e-12)
    usual = unusual_spread(kind, relative_size(found.amplitude, found.bare), measures(store3, "validation"))
    assert manifest.region.relative_uncertainty_999 == (None if usual is None else pytest.approx(usual, rel=1e-12))


def test_threads_and_device_of_the_command(copy, store3, monkeypatch, capsys):
    used = []

    def build(root, name, members, combine, data, device, on_rows):
        used.append((torch.get_num_threads(), device))
        return build_ensemble(root, name, members, combine, data, device, on_rows)

    monkeypatch.setattr("ampcli.publishing.ensemble.build_ensemble", build)
    before = torch.get_num_threads()
    call = ["ensemble", "measured", *MEMBERS, "--data", str(store3.path), "--threads", "3", "--device", "cpu"]
    try:
        assert run([*call, "--registry", str(copy)]) == 0, capsys.readouterr().err
    finally:
        torch.set_num_threads(before)
    assert used == [(3, torch.device("cpu"))]


def test_energies_in_messages():
    from types import SimpleNamespace

    from ampcli.publishing.ensemble import _energy

    assert _energy(SimpleNamespace(sqrt_s=13600.0)) == " at 13600 GeV"
    assert _energy(SimpleNamespace(sqrt_s=None)) == ""
