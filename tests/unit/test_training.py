"""Training: optimiser, schedule, resuming bit for bit, replicas, checkpoints, publishing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ampcli.errors import AmpcliError, IntegrityError, InterruptedRun, NotFoundError, UsageError
from ampcli.models.kinds import KINDS, recipe_settings
from ampcli.models.mlp import Mlp
from ampcli.records.training import Recipe
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import read_weights
from ampcli.store.features import stored_block
from ampcli.training.adam import Adam
from ampcli.training.checkpoint import load_checkpoint
from ampcli.training.loop import Trainer
from ampcli.training.schedule import Progress, cosine, one_cycle
from ampcli.training.seeds import recipe_seeds
from ampcli.training.table import Table, epoch_order, read_arrays
from ampcli.training.train import TrainingRun, train

CPU = torch.device("cpu")


def test_adam_is_that_of_torch():
    generator = torch.Generator().manual_seed(1)
    start = torch.randn((3, 40), generator=generator)
    rates = [1e-3, 3e-2, 0.0]
    ours = start.clone()
    adam = Adam.start(ours)
    theirs = [torch.nn.Parameter(row.clone()) for row in start]
    optimisers = [torch.optim.Adam([p], lr=rate, eps=1e-7) for p, rate in zip(theirs, rates, strict=True)]
    for step in range(20):
        gradient = torch.randn((3, 40), generator=generator) * 10.0 ** (step % 4 - 4)
        adam.step(ours, gradient, torch.tensor(rates))
        for p, row, optimiser in zip(theirs, gradient, optimisers, strict=True):
            p.grad = row.clone()
            optimiser.step()
        torch.testing.assert_close(ours, torch.stack([p.detach() for p in theirs]), rtol=1e-5, atol=1e-7)
    assert torch.equal(ours[2], start[2])


def recipe(**changes) -> Recipe:
    return Recipe(kind="plain", hidden=(4,), seeds=(1,), dataset_digest="d", **changes)


def follow(settings: Recipe, losses: list[float]) -> tuple[list[float], list[bool], Progress]:
    """Learning rates after each epoch, and which epochs were the best."""
    progress = Progress(learning_rate=settings.learning_rate)
    rates, best = [], []
    for epoch, loss in enumerate(losses):
        best.append(progress.after_epoch(settings, epoch, loss))
        rates.append(progress.learning_rate)
    return rates, best, progress


def test_plateau_by_hand():
    # patience 2, cooldown 1: the rate falls after two epochs without a better loss; the next epoch does not count.
    settings = recipe(learning_rate=1.0, factor=0.5, patience=2, cooldown=1, stop_patience=100, floor=0.1)
    losses = [9.0, 8.0, 8.0, 8.5, 8.2, 8.1, 8.3, 7.0, 7.1, 7.2, 7.3, 7.4, 7.5, 7.6, 7.7, 7.8]
    #         best best  1    2:fall cool  1    2:fall? ...
    rates, best, _ = follow(settings, losses)
    assert best == [True, True, False, False, False, False, False, True] + [False] * 8
    assert rates == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.1, 0.1, 0.1, 0.1, 0.1]


def keras(settings: Recipe, losses: list[float]) -> tuple[list[float], int | None]:
    """ReduceLROnPlateau(min_delta=0) and EarlyStopping of Keras 3, transcribed; rates and the epoch of the stop."""
    rate, lowest, wait, cooldown_counter = settings.learning_rate, math.inf, 0, 0
    best, idle = math.inf, 0
    rates = []
    for epoch, loss in enumerate(losses):
        if cooldown_counter > 0:
            cooldown_counter -= 1
            wait = 0
        if loss < lowest:
            lowest, wait = loss, 0
        elif not cooldown_counter > 0:
            wait += 1
            if wait >= settings.patience and rate > settings.floor:
                rate = max(rate * settings.factor, settings.floor)
                cooldown_counter, wait = settings.cooldown, 0
        rates.append(rate)
        idle += 1
        if loss < best:
            best, idle = loss, 0
        elif idle >= settings.stop_patience and epoch > 0:
            return rates, epoch
    return rates, None


@pytest.mark.parametrize("patience", [1, 2, 5, 20])
@pytest.mark.parametrize("cooldown", [0, 1, 3])
def test_plateau_is_that_of_keras(rng, patience, cooldown):
    settings = recipe(patience=patience, cooldown=cooldown, stop_patience=4 * patience, floor=1e-5)
    losses = (np.exp(-np.arange(300) / 80) + 0.3 * rng.random(300)).tolist()
    rates, stopped = keras(settings, losses)
    found, best, progress = follow(settings, losses)
    assert found[: len(rates)] == rates
    assert progress.stopped == (stopped is not None)
    if stopped is not None:
        assert set(found[stopped:]) == {rates[-1]}
        assert not any(best[stopped:])
        assert progress.best_epoch == int(np.argmin(losses[: stopped + 1]))


def test_a_loss_that_is_no_number_is_not_the_best():
    _, best, progress = follow(recipe(), [float("nan"), 2.0, float("inf"), float("nan"), 1.0])
    assert best == [False, True, False, False, True]
    assert (progress.best_loss, progress.best_epoch) == (1.0, 4)


def test_cosine():
    settings = recipe(schedule="cosine", epochs=10, learning_rate=1e-2, floor=1e-4)
    assert cosine(settings, 0) == pytest.approx(1e-2)
    assert cosine(settings, 5) == pytest.approx((1e-2 + 1e-4) / 2)
    assert cosine(settings, 10) == cosine(settings, 12) == pytest.approx(1e-4)
    rates, _, progress = follow(settings, [1.0] * 10)
    assert rates == [cosine(settings, epoch + 1) for epoch in range(10)]
    assert not progress.stopped


def test_one_cycle():
    settings = recipe(schedule="one-cycle", epochs=10, learning_rate=1e-2)
    assert one_cycle(settings, 0) == pytest.approx(4e-4)
    assert one_cycle(settings, 0.15) == pytest.approx((4e-4 + 1e-2) / 2)
    assert one_cycle(settings, 0.3) == pytest.approx(1e-2)
    assert one_cycle(settings, 0.65) == pytest.approx(0.5e-2, rel=1e-4)
    assert one_cycle(settings, 1) == one_cycle(settings, 1.1) == pytest.approx(4e-8)
    rates, _, progress = follow(settings, [1.0] * 10)
    assert rates == [one_cycle(settings, (epoch + 1) / 10) for epoch in range(10)]
    assert not progress.stopped


def test_one_cycle_is_that_of_torch():
    settings = recipe(schedule="one-cycle", epochs=10, learning_rate=1e-2)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=101)
    for step in range(101):
        # Theirs reaches its largest rate at the step 0.3 x 101 - 1 and its last one at the step 100.
        peak = 0.3 * 101 - 1
        fraction = 0.3 * step / peak if step <= peak else 0.3 + 0.7 * (step - peak) / (100 - peak)
        assert one_cycle(settings, fraction) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimiser.step()
        theirs.step()


def test_order_of_an_epoch():
    order = epoch_order(100, (1, 2), 0, CPU)
    assert order.shape == (2, 100)
    assert torch.equal(order.sort(1).values, torch.arange(100).expand(2, -1))
    assert torch.equal(epoch_order(100, (2,), 0, CPU)[0], order[1])
    assert not torch.equal(order[0], order[1])
    assert not torch.equal(epoch_order(100, (1,), 1, CPU)[0], order[0])


@pytest.fixture(scope="module")
def tables(store3):
    """Ansatz and tables of the three-jet store."""

    def of(kind: str):
        declared, name = KINDS[kind], recipe_settings(kind)["block"]
        block = name and stored_block(store3, name)
        arrays, amplitude = read_arrays(store3, block, declared.reads, "train")
        ansatz = declared.ansatz.fit(store3.process, arrays, amplitude, declared.options())
        held_out = read_arrays(store3, block, declared.reads, "validation")
        return ansatz, Table.of(ansatz, arrays, amplitude, CPU), Table.of(ansatz, *held_out, CPU)

    return {kind: of(kind) for kind in ("fame", "plain")}


@pytest.fixture
def trainer_for(tables, store3, recipe_for):
    def make(**changes) -> tuple[Trainer, Table, Table]:
        settings = recipe_for(store3, **changes)
        ansatz, table, validation = tables[settings.kind]
        network = Mlp((ansatz.n_inputs, *settings.hidden, ansatz.n_outputs), residual=settings.residual)
        start = network.initialise([1000 + seed for seed in settings.seeds])
        return Trainer(settings, network, ansatz, CPU, start), table, validation

    return make


def test_table_rows(tables):
    _, table, _ = tables["fame"]
    index = torch.tensor([[3, 1], [0, 2]])
    batch = table.take(index)
    assert torch.equal(batch.target, table.rows.target[index])
    assert torch.equal(batch.inputs[1, 0], table.rows.inputs[0])
    pieces = list(table.batches(300, 2))
    assert torch.equal(torch.cat([piece.terms for piece in pieces], dim=1)[1], table.rows.terms)
    assert sum(piece.target.shape[1] for piece in pieces) == len(table)


def assert_same_state(a: Trainer, b: Trainer) -> None:
    for tensor in ("parameters", "best", "sums"):
        assert torch.equal(getattr(a, tensor), getattr(b, tensor)), tensor
    assert a.optimiser.tensors().keys() == b.optimiser.tensors().keys()
    for name, tensor in a.optimiser.tensors().items():
        assert torch.equal(tensor, b.optimiser.tensors()[name]), name
    assert a.optimiser.steps == b.optimiser.steps
    assert a.state.history == b.state.history
    assert a.state.progress == b.state.progress
    assert (a.state.epoch, a.state.step) == (b.state.epoch, b.state.step)


SOAP = {"optimiser": "soap", "schedule": "one-cycle", "learning_rate": 1e-2, "hidden": (24,) * 3, "residual": True}


@pytest.mark.parametrize("changes", [{"model": "fame"}, {"model": "plain"}, {"model": "fame", **SOAP}])
@pytest.mark.parametrize("after", [1, 6, 7, 20, 29])
def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path, trainer_for, changes, after):
    settings = {"seeds": (1, 2), "epochs": 5, "patience": 1, **changes}
    whole, table, validation = trainer_for(**settings)
    whole.run(lambda _: table, validation, tmp_path / "whole", None)
    asked = iter(range(1, 1000))
    first, *_ = trainer_for(**settings)
    with pytest.raises(InterruptedRun, match="interrupted in epoch"):
        first.run(lambda _: table, validation, tmp_path / "broken", None, stop=lambda: next(asked) >= after)
    second, *_ = trainer_for(**settings)
    second.restore(tmp_path / "broken")
    assert (second.state.epoch, second.state.step) > (0, 0)
    assert not torch.equal(second.parameters, whole.parameters)
    second.run(lambda _: table, validation, tmp_path / "broken", None)
    assert_same_state(second, whole)
    assert len(second.state.history[0]) == 5


def test_a_run_that_is_interrupted_at_every_step(tmp_path, trainer_for):
    settings = {"epochs": 2, "batch_size": 500}
    whole, table, validation = trainer_for(**settings)
    whole.run(lambda _: table, validation, tmp_path / "whole", None)
    broken, *_ = trainer_for(**settings)
    interruptions = 2 * (len(table) // 500) - 1  # after every step but the last, with which the run is finished
    for _ in range(interruptions):
        with pytest.raises(InterruptedRun):
            broken.run(lambda _: table, validation, tmp_path / "broken", None, stop=lambda: True)
        broken, *_ = trainer_for(**settings)
        broken.restore(tmp_path / "broken")
    broken.run(lambda _: table, validation, tmp_path / "broken", None, stop=lambda: True)
    assert_same_state(broken, whole)


def test_resuming_between_epochs(tmp_path, trainer_for):
    whole, table, validation = trainer_for(epochs=4)
    whole.run(lambda _: table, validation, tmp_path / "whole", None)
    first, *_ = trainer_for(epochs=4)
    first.run(lambda _: table, validation, tmp_path / "first", 1e-9)
    assert first.state.epoch == 1
    second, *_ = trainer_for(epochs=4)
    second.restore(tmp_path / "first")
    second.run(lambda _: table, validation, tmp_path / "first", None)
    assert_same_state(second, whole)
    assert second.state.seconds > first.state.seconds


def test_checkpoint_is_the_state(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(epochs=2)
    trainer.run(lambda _: table, validation, tmp_path / "file", None)
    state, tensors = load_checkpoint(tmp_path / "file", CPU)
    assert state == trainer.state
    assert torch.equal(tensors["best"], trainer.best)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["fame", "plain"])
def test_replicas_train_as_if_alone(tmp_path, trainer_for, kind):
    together, table, validation = trainer_for(model=kind, seeds=(1, 2, 3), epochs=2)
    together.run(lambda _: table, validation, tmp_path / "together", None)
    for replica, seed in enumerate((1, 2, 3)):
        alone, *_ = trainer_for(model=kind, seeds=(seed,), epochs=2)
        alone.run(lambda _: table, validation, tmp_path / "alone", None)
        torch.testing.assert_close(together.parameters[replica], alone.parameters[0], rtol=0, atol=1e-5)
        expected = [record.validation_loss for record in alone.state.history[0]]
        found = [record.validation_loss for record in together.state.history[replica]]
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("kind", "factor"), [("fame", 10.0), ("plain", 2.0)])
def test_training_reduces_the_loss(tmp_path, trainer_for, kind, factor):
    trainer, table, validation = trainer_for(model=kind, epochs=15)
    first = float(trainer.validation_losses(validation))
    trainer.run(lambda _: table, validation, tmp_path / "file", None)
    history = trainer.state.history[0]
    assert history[-1].validation_loss < first / factor
    assert history[-1].train_loss < history[0].train_loss


def test_best_weights_are_kept(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(epochs=8, learning_rate=0.03)
    trainer.run(lambda _: table, validation, tmp_path / "file", None)
    losses = [record.validation_loss for record in trainer.state.history[0]]
    progress = trainer.state.progress[0]
    assert progress.best_loss == min(losses)
    assert progress.best_epoch == losses.index(min(losses))
    trainer.parameters = trainer.best
    assert float(trainer.validation_losses(validation)) == pytest.approx(min(losses), rel=1e-6)


def test_validation_loss_does_not_depend_on_the_batches(trainer_for):
    small, _, validation = trainer_for(batch_size=37)
    large, *_ = trainer_for(batch_size=4096)
    torch.testing.assert_close(
        small.validation_losses(validation), large.validation_losses(validation), rtol=1e-5, atol=0
    )


def test_a_stopped_replica_rests(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(seeds=(1, 2), epochs=3)
    trainer.state.progress[1].stopped = True
    before = trainer.parameters.detach().clone()
    trainer.run(lambda _: table, validation, tmp_path / "file", None)
    assert torch.equal(trainer.parameters[1], before[1])
    assert not torch.equal(trainer.parameters[0], before[0])
    assert [len(history) for history in trainer.state.history] == [3, 0]


def test_all_replicas_stopped_ends_the_run(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(epochs=50, learning_rate=1.0, stop_patience=2, patience=1)
    trainer.run(lambda _: table, validation, tmp_path / "file", None)
    assert trainer.state.progress[0].stopped
    assert trainer.state.epoch < 50


def test_divergence_is_an_error(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(epochs=3, learning_rate=1e30)
    with pytest.raises(AmpcliError, match="no longer a number after epoch"):
        trainer.run(lambda _: table, validation, tmp_path / "file", None)


def test_a_batch_larger_than_the_table(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(epochs=2, batch_size=100_000)
    trainer.run(lambda _: table, validation, tmp_path / "file", None)
    assert trainer.optimiser.steps == 2


@pytest.fixture
def checkpoint(tmp_path, trainer_for):
    trainer, table, validation = trainer_for(epochs=1)
    trainer.run(lambda _: table, validation, tmp_path / "checkpoint.safetensors", None)
    return tmp_path / "checkpoint.safetensors"


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_truncated_checkpoint(checkpoint, left):
    checkpoint.write_bytes(checkpoint.read_bytes()[:left])
    with pytest.raises(IntegrityError, match="resume never"):
        load_checkpoint(checkpoint, CPU)


def test_a_checkpoint_without_state(checkpoint):
    from safetensors.torch import save_file

    save_file({"parameters": torch.zeros(1, 3)}, checkpoint)
    with pytest.raises(IntegrityError, match="damaged"):
        load_checkpoint(checkpoint, CPU)


def test_another_file(checkpoint):
    checkpoint.write_text("[gen]\nseed = 1\n" * 20)
    with pytest.raises(IntegrityError, match="damaged"):
        load_checkpoint(checkpoint, CPU)


def test_a_checkpoint_without_a_tensor(checkpoint, trainer_for):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(checkpoint, framework="pt") as stored:
        metadata = stored.metadata()
        tensors = {name: stored.get_tensor(name) for name in stored.keys() if name != "second"}  # noqa: SIM118
    save_file(tensors, checkpoint, metadata=metadata)
    trainer, *_ = trainer_for(epochs=1)
    with pytest.raises(IntegrityError, match="second"):
        trainer.restore(checkpoint)


def test_publishing(registry, store3):
    manifests = [read_manifest(resolve(registry, f"fame3@{version}")) for version in (1, 2, 3)]
    assert [m.seed for m in manifests] == [1, 2, 3]
    first = manifests[0]
    assert first.dataset.digest == store3.digest
    assert first.dataset.splits["train"] + first.dataset.splits["validation"] + first.dataset.splits["test"] == 3000
    assert first.sqrt_s == 1000.0
    assert first.provider.parameters["alpha_s"] == 0.118
    assert first.training.epochs_done == 10
    assert first.metrics["median_abs_delta"].value < first.metrics["mean_abs_delta"].value
    assert first.log_moments[0] == pytest.approx(np.log(store3.read_split("amplitude", "train")).mean())
    assert not (registry / ".training" / "fame3").exists()


def run_for(store, registry, name="model", **changes) -> TrainingRun:
    return TrainingRun(store, name, registry, CPU, **changes)


def test_an_interrupted_training_publishes_the_same_model(tmp_path, store3, recipe_for):
    settings = recipe_for(store3, epochs=3)
    train(run_for(store3, tmp_path), settings)
    asked = iter(range(100))
    with pytest.raises(InterruptedRun):
        train(run_for(store3, tmp_path, "again"), settings, stop=lambda: next(asked) == 9)
    assert not (tmp_path / "again").exists()
    train(run_for(store3, tmp_path, "again"), settings)
    folders = [resolve(tmp_path, name) for name in ("model", "again")]
    weights = [read_weights(folder, read_manifest(folder)) for folder in folders]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert read_manifest(folders[0]).metrics == read_manifest(folders[1]).metrics


def test_other_settings_do_not_resume(tmp_path, store3, recipe_for):
    with pytest.raises(InterruptedRun):
        train(run_for(store3, tmp_path), recipe_for(store3), stop=lambda: True)
    with pytest.raises(UsageError, match="interrupted training of model has other settings: learning_rate"):
        train(run_for(store3, tmp_path), recipe_for(store3, learning_rate=0.1))
    train(run_for(store3, tmp_path, resume="never"), recipe_for(store3, learning_rate=1e-2, epochs=1))
    assert read_manifest(resolve(tmp_path, "model")).training.learning_rate == 1e-2


def test_a_checkpoint_from_before_there_was_a_setting(tmp_path, store3, recipe_for):
    # The name of a checkpoint comes from all settings, new ones included.
    with pytest.raises(InterruptedRun):
        train(run_for(store3, tmp_path), recipe_for(store3, epochs=1), stop=lambda: True)
    (file,) = (tmp_path / ".training" / "model").glob("*.safetensors")
    file.rename(file.with_name("0123456789abcdef.safetensors"))
    (published,) = train(run_for(store3, tmp_path), recipe_for(store3, epochs=1))
    assert published.training.epochs_done == 1
    assert not (tmp_path / ".training").exists()


def test_resuming_from_a_file(tmp_path, store3, recipe_for):
    with pytest.raises(InterruptedRun):
        train(run_for(store3, tmp_path), recipe_for(store3, epochs=1), stop=lambda: True)
    (file,) = (tmp_path / ".training" / "model").glob("*.safetensors")
    moved = file.rename(tmp_path / "moved")
    (published,) = train(run_for(store3, tmp_path, resume=str(moved)), recipe_for(store3, epochs=1))
    assert published.training.epochs_done == 1
    with pytest.raises(NotFoundError, match="no checkpoint"):
        train(run_for(store3, tmp_path, resume=str(tmp_path / "nothing")), recipe_for(store3, epochs=1))


def test_starting_from_a_model(registry, store3, recipe_for, tmp_path):
    import shutil

    shutil.copytree(registry, tmp_path / "registry")
    root = tmp_path / "registry"
    parent = read_manifest(resolve(root, "fame3@2"))
    (manifest,) = train(run_for(store3, root), recipe_for(store3, init_from="fame3@2", epochs=1, learning_rate=1e-9))
    assert manifest.parents == ["fame3@2"]
    weights = [read_weights(f, read_manifest(f)) for f in (resolve(root, "model"), resolve(root, "fame3@2"))]
    torch.testing.assert_close(weights[0]["parameters"], weights[1]["parameters"], rtol=0, atol=1e-6)
    assert manifest.metrics["mean_abs_delta"].value == pytest.approx(parent.metrics["mean_abs_delta"].value, rel=1e-2)
    with pytest.raises(UsageError, match="its layers are"):
        train(run_for(store3, root), recipe_for(store3, init_from="fame3@2", hidden=(8,)))
    with pytest.raises(NotFoundError):
        train(run_for(store3, root), recipe_for(store3, init_from="fame9"))


def test_missing_features(tmp_path, store3, recipe_for):
    import shutil

    from ampcli.store.reader import open_store

    shutil.copytree(store3.path, tmp_path / "bare.zarr", ignore=shutil.ignore_patterns("features"))
    bare = open_store(tmp_path / "bare.zarr")
    with pytest.raises(NotFoundError, match=r"ampcli features .*bare\.zarr fame"):
        train(run_for(bare, tmp_path / "registry"), recipe_for(bare))
    (manifest,) = train(run_for(bare, tmp_path / "registry"), recipe_for(bare, model="plain", epochs=1))
    assert manifest.features is None


def test_names_are_checked_first(tmp_path, store3, recipe_for):
    with pytest.raises(UsageError, match="cannot name a model"):
        train(run_for(store3, tmp_path / "registry", name="../evil"), recipe_for(store3))
    assert not (tmp_path / "registry").exists()


def test_seeds():
    assert recipe_seeds(5, 3) == (5, 6, 7)
    with pytest.raises(UsageError, match="replicas 0"):
        recipe_seeds(1, 0)
    with pytest.raises(UsageError, match="seed -1"):
        recipe_seeds(-1, 1)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"penalty": -1.0}, {"schedule": "step"}, {"unknown": 1}],
)
def test_impossible_recipes(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        recipe(**changes)
