"""A training that was stopped goes on to bit-identical weights; nothing is published before its end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ampcli, Outcome

EPOCHS = 40  # of both replicas about 2 s


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("interrupted") / "ee3.zarr", "5k", features=True)


def _train(store: Path, registry: Path, *options: object) -> tuple[object, ...]:
    settings = ("--name", "m", "--replicas", "2", "--epochs", str(EPOCHS), "--batch-size", "128", "--threads", "1")
    return ("train", store, *settings, "--registry", registry, "--json", *options)


def _weights(outcome: Outcome) -> list[str]:
    return [model["weights_sha256"] for model in outcome.document["models"]]


def _checkpoint(registry: Path) -> Path:
    """The only checkpoint of trainings called m, or where there is none, a file that is not there."""
    found = list((registry / ".training" / "m").glob("*.safetensors"))
    assert len(found) <= 1
    return found[0] if found else registry / ".training" / "m" / "none.safetensors"


@pytest.fixture(scope="module")
def uninterrupted(ampcli: Ampcli, store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Weights of both replicas of one run without interruption."""
    outcome = ampcli(*_train(store, tmp_path_factory.mktemp("whole") / "registry"))
    assert [m["training"]["epochs_done"] for m in outcome.document["models"]] == [EPOCHS, EPOCHS]
    return _weights(outcome)


def _interrupt(ampcli: Ampcli, call: tuple[object, ...], epoch: int, number: signal.Signals) -> Outcome:
    with ampcli.started(*call) as running:
        running.wait_until(lambda: running.progress >= epoch)
        running.signal(number, group=True)
        return running.end()


def test_interrupted_twice_and_killed_once(
    ampcli: Ampcli, store: Path, uninterrupted: list[str], tmp_path: Path
) -> None:
    registry = tmp_path / "registry"
    call = _train(store, registry)
    for number in (signal.SIGINT, signal.SIGTERM):
        outcome = _interrupt(ampcli, call, 5, number)
        assert outcome.code == 75, outcome.stderr
        assert str(_checkpoint(registry)) in outcome.stderr
        assert "same command" in outcome.stderr
        assert not (registry / "m").exists()
        assert _checkpoint(registry).is_file()
    written = _checkpoint(registry).read_bytes()
    assert _interrupt(ampcli, call, 5, signal.SIGKILL).code == -signal.SIGKILL
    assert _checkpoint(registry).read_bytes() == written  # a kill leaves the last checkpoint whole
    assert _weights(ampcli(*call)) == uninterrupted
    assert not _checkpoint(registry).exists()
    assert sorted(path.name for path in (registry / "m").iterdir() if path.is_dir()) == ["1", "2"]


def test_killed_before_any_checkpoint(ampcli: Ampcli, store: Path, uninterrupted: list[str], tmp_path: Path) -> None:
    call = _train(store, tmp_path / "registry")
    assert _interrupt(ampcli, call, 5, signal.SIGKILL).code == -signal.SIGKILL
    assert _weights(ampcli(*call)) == uninterrupted


def test_what_a_checkpoint_allows(ampcli: Ampcli, store: Path, uninterrupted: list[str], tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    call = _train(store, registry)
    assert _interrupt(ampcli, call, 5, signal.SIGINT).code == 75
    checkpoint = _checkpoint(registry)
    changed = ("--epochs", "30", "--learning-rate", "0.01", "--seed", "9")
    differing = ("seeds", "epochs", "learning_rate")
    ampcli.fails(2, *call, *changed, naming=("has other settings", *differing, "--resume never"))
    assert checkpoint.is_file()
    ampcli.fails(4, *call, "--resume", tmp_path / "none", naming=("no checkpoint", "none"))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(checkpoint.read_bytes()[:-100])
    ampcli.fails(5, *call, "--resume", damaged, naming=("damaged.safetensors", "--resume never"))
    elsewhere = tmp_path / "kept.safetensors"
    elsewhere.write_bytes(checkpoint.read_bytes())
    assert _weights(ampcli(*call, "--resume", "never")) == uninterrupted
    resumed = ampcli(*call, "--resume", elsewhere)
    assert _weights(resumed) == uninterrupted
    assert [model["version"] for model in resumed.document["models"]] == [3, 4]


def test_resume_never_forgets_the_checkpoint(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    call = _train(store, tmp_path / "registry")
    assert _interrupt(ampcli, call, 10, signal.SIGINT).code == 75
    # Were it to go on from the checkpoint, these settings would be refused and 10 epochs be done already.
    anew = ampcli(*call, "--resume", "never", "--epochs", "2").document["models"]
    assert [model["training"]["epochs_done"] for model in anew] == [2, 2]


def test_a_training_of_one_step_per_epoch_can_be_interrupted(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    call = _train(store, tmp_path / "registry", "--batch-size", "100000", "--epochs", "100000", "--replicas", "1")
    with ampcli.started(*call) as running:
        running.wait_until(lambda: running.progress >= 2)
        running.signal(signal.SIGINT)
        outcome = running.end(limit=20)
    assert outcome.code == 75, outcome.stderr


def test_a_finished_training_leaves_the_checkpoint_of_another_alone(
    ampcli: Ampcli, store: Path, tmp_path: Path
) -> None:
    """Two runs of one name overlap: one ends while the checkpoint of the other waits to be resumed."""
    registry = tmp_path / "registry"
    ending = _train(store, registry, "--seed", "7", "--epochs", "100000", "--minutes", "0.03")
    with ampcli.started(*ending) as running:
        running.wait_until(lambda: running.progress >= 1)
        running.signal(signal.SIGSTOP)  # it ends after the other one was interrupted, however slow that is
        stopped = _interrupt(ampcli, _train(store, registry), 1, signal.SIGINT)
        assert running.alive
        running.signal(signal.SIGCONT)
        assert stopped.code in (6, 75), stopped.stderr  # it was locked out, or interrupted
        assert running.end().code == 0
    assert stopped.code == 6 or _checkpoint(registry).is_file()


def test_a_time_limit_publishes_what_there_is(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    call = _train(store, tmp_path / "registry", "--epochs", "100000", "--minutes", "0.02")
    models = ampcli(*call).document["models"]
    assert [model["version"] for model in models] == [1, 2]
    assert 0 < models[0]["training"]["epochs_done"] < 100000
    assert models[0]["seconds"] < 10


def test_two_trainings_of_one_name_at_once(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    call = _train(store, registry, "--epochs", "10", "--replicas", "1")
    with ampcli.started(*call, "--seed", "1") as one, ampcli.started(*call, "--seed", "2") as other:
        said = [running.end() for running in (one, other)]
    assert [outcome.code for outcome in said] == [0, 0], said
    listed = ampcli("registry", "verify", "--registry", registry, "--json").document["models"]
    assert [(entry["model"], entry["ok"]) for entry in listed] == [("m@1", True), ("m@2", True)]


def test_two_ensembles_of_one_name_at_once(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    ampcli(*_train(store, registry, "--epochs", "2"))
    call = ("ensemble", "mean", "m@1", "m@2", "--registry", registry)
    with ampcli.started(*call) as one, ampcli.started(*call) as another, ampcli.started(*call) as third:
        said = [running.end() for running in (one, another, third)]
    assert [outcome.code for outcome in said] == [0, 0, 0], said
    listed = ampcli("registry", "verify", "--registry", registry, "--json").document["models"]
    assert [entry["model"] for entry in listed if entry["ok"]] == ["m@1", "m@2", "mean@1", "mean@2", "mean@3"]
