"""Points that a model was trained on are refused, or said to be among those that judge it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.evaluation.comparison import compare
from ampcli.generation.generate import generate, prepare
from ampcli.inference.load import load_folder
from ampcli.inference.predictor import Predictor
from ampcli.inference.seen import require_unseen
from ampcli.publishing.ensemble import build_ensemble
from ampcli.registry.manifest import Manifest, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.store.reader import Store, open_store
from ampcli.store.splits import row_codes, rows_in
from ampcli.training.train import TrainingRun, train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stores(tmp_path_factory, request_for, store3) -> dict[str, Store]:
    """Stores beside store3 (seed 7, 3000 points), by how they differ from it."""
    root = tmp_path_factory.mktemp("others")
    np.savez(root / "events.npz", momenta=np.concatenate([_beams(500), store3.read("momenta", slice(0, 500))], axis=1))
    changes = {
        "larger": {"points": 4000},
        "another cut": {"y_cut": 0.02},
        "another seed": {"seed": 8},
        "given": {"momenta": root / "events.npz", "points": None},
    }
    for name, change in changes.items():
        generate(prepare(request_for(root / f"{name}.zarr", **change)))
    return {"itself": store3, **{name: open_store(root / f"{name}.zarr") for name in changes}}


def _beams(n: int) -> np.ndarray:
    return np.tile([[500.0, 0, 0, 500.0], [500.0, 0, 0, -500.0]], (n, 1, 1))


@pytest.fixture(scope="module")
def new(registry) -> Manifest:
    return read_manifest(resolve(registry, "fame3@1"))


@pytest.fixture(scope="module")
def old(new) -> Manifest:
    """As an ampcli that split by rows would have published it."""
    return by_rows(new)


def by_rows(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"dataset": manifest.dataset.model_copy(update={"split_rule": "rows"})})


def events(store: Store, rows: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in store.read("momenta")[rows]}


@pytest.mark.parametrize("name", ["itself", "larger", "another cut", "another seed", "given"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_point_was_one_of_a_new_models_training(stores, new, name, split):
    assert (new.dataset.split_rule, new.dataset.others) == ("events", [])
    trained_on = events(stores["itself"], stores["itself"].split_rows("train"))
    split_store, notes = require_unseen([new], stores[name], split)
    assert notes == []
    assert not events(split_store, split_store.split_rows(split)) & trained_on


@pytest.mark.parametrize("split", ["train", "all"])
def test_training_points_are_said_to_be_among_them(stores, new, split):
    for name, said in {"itself": 1, "larger": 1, "another cut": 1, "another seed": 0}.items():
        _, notes = require_unseen([new], stores[name], split)
        assert [f"{new.reference} was trained on" in note for note in notes] == [True] * said, name


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_old_model_on_the_store_of_its_training(stores, old, split):
    """Its rows decide, and none of them was a training row."""
    split_store, notes = require_unseen([old], stores["itself"], split)
    assert notes == []
    np.testing.assert_array_equal(split_store.split_rows(split), rows_in(row_codes(3000), split))
    assert stores["itself"].split_rule == "events"  # others are not disturbed


@pytest.mark.parametrize("name", ["larger", "another cut"])
def test_an_old_model_on_a_store_of_the_same_seed(stores, old, name):
    for split in ("validation", "test"):
        with pytest.raises(UsageError, match=rf"seed 7.*{split} points(.|\n)*another seed"):
            require_unseen([old], stores[name], split)
    for split in ("train", "all"):
        assert len(require_unseen([old], stores[name], split)[1]) == 1


def test_an_old_model_on_other_points(stores, old):
    split_store, notes = require_unseen([old], stores["another seed"], "test")
    assert (split_store.split_rule, notes) == ("events", [])
    _, [note] = require_unseen([old], stores["given"], "test")
    assert "cannot be known" in note


def test_points_of_one_file(stores, old):
    """Given points have no seed; of the same file they are the same, row by row, however many are taken."""
    source = stores["given"].plan.source
    given = old.model_copy(update={"dataset": old.dataset.model_copy(update={"source": source, "digest": "x"})})
    split_store, notes = require_unseen([given], stores["given"], "test")
    assert (split_store.split_rule, notes) == ("rows", [])
    other = given.dataset.model_copy(update={"source": source.model_copy(update={"sha256": "y"})})
    assert (
        "cannot be known"
        in require_unseen([given.model_copy(update={"dataset": other})], stores["given"], "test")[1][0]
    )


def test_models_that_split_one_store_differently(stores, new, old):
    with pytest.raises(UsageError, match=r"split the points of .* differently"):
        require_unseen([new, old], stores["itself"], "test")
    assert require_unseen([new, old], stores["another seed"], "test")[1] == []


def test_every_member_of_an_ensemble_counts(stores, new, old):
    """An ensemble whose second member alone was trained on points of this seed."""
    elsewhere = new.dataset.model_copy(update={"digest": "x", "source": stores["another seed"].plan.source})
    ensemble = new.model_copy(
        update={"dataset": elsewhere.model_copy(update={"others": [old.dataset]}), "kind": "ensemble"}
    )
    with pytest.raises(UsageError, match="another seed"):
        require_unseen([ensemble], stores["larger"], "test")


def test_ensembles_know_what_their_members_saw(registry, tmp_path, store3, stores, request_for, recipe_for):
    root = shutil.copytree(registry, tmp_path / "registry")
    train(
        TrainingRun(stores["another seed"], "plain3", root, CPU),
        recipe_for(stores["another seed"], model="plain", epochs=1),
    )
    manifest = build_ensemble(root, "both", ["plain3@1", "plain3@2"], "mean")
    assert manifest.dataset.digest == store3.digest
    assert [data.digest for data in manifest.dataset.others] == [stores["another seed"].digest]
    same = build_ensemble(root, "same", ["fame3@1", "fame3@2"], "mean", store3)
    assert same.dataset.others == []


def test_a_model_that_starts_from_another_knows_what_that_one_saw(registry, tmp_path, stores, recipe_for):
    root, store = shutil.copytree(registry, tmp_path / "registry"), stores["another seed"]
    [child] = train(
        TrainingRun(store, "child", root, CPU), recipe_for(store, model="plain", epochs=1, init_from="plain3@1")
    )
    assert child.dataset.digest == store.digest
    assert [data.digest for data in child.dataset.others] == [stores["itself"].digest]
    assert len(require_unseen([child], stores["itself"], "all")[1]) == 1


def test_eval_says_it(stores, registry, old, capsys):
    predictor = load_folder(resolve(registry, "fame3@1"), read_manifest(resolve(registry, "fame3@1")), CPU)
    before = Predictor(old, predictor.networks, CPU)
    on_its_own = compare([before], stores["itself"], "test")[0].evaluation
    assert on_its_own.points == len(rows_in(row_codes(3000), "test"))
    with pytest.raises(UsageError, match="another seed"):
        compare([before], stores["larger"], "test")
    assert compare([predictor], stores["larger"], "test")[0].evaluation.seen == ()
    assert (
        run(["eval", "fame3@1", str(stores["itself"].path), "--split", "all", "--registry", str(registry), "--json"])
        == 0
    )
    [seen] = json.loads(capsys.readouterr().out)["seen"]
    assert "points of the split train" in seen
    assert run(["eval", "fame3@1", str(stores["itself"].path), "--split", "all", "--registry", str(registry)]) == 0
    assert seen in capsys.readouterr().out
    validation = compare([predictor], stores["itself"], "validation")[0].evaluation
    assert "best epoch" in validation.seen[0]
