"""Checkpoints that are damaged, or whose writer is killed: the one before them is there."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from failing import killed_calls

from ampcli.errors import IntegrityError, InterruptedRun
from ampcli.records.training import Recipe
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.training.checkpoint import (
    State,
    before,
    forget,
    load_checkpoint,
    load_last_good,
    recover,
    save_checkpoint,
)
from ampcli.training.peers import Peers
from ampcli.training.schedule import Progress
from ampcli.training.train import TrainingRun, train

CPU = torch.device("cpu")


def checkpoint(epoch: int) -> tuple[State, dict[str, torch.Tensor]]:
    recipe = Recipe.model_validate({"kind": "plain", "hidden": (2,), "seeds": (1,), "dataset_digest": "d"})
    state = State(recipe=recipe, progress=[Progress(learning_rate=1e-3)], history=[[]], epoch=epoch, run="r")
    return state, {"parameters": torch.full((1, 20), float(epoch))}


def save(file: Path, epoch: int) -> None:
    save_checkpoint(file, *checkpoint(epoch))


def epoch_of(file: Path) -> int:
    state, tensors = load_last_good(file, CPU)
    assert torch.equal(tensors["parameters"], torch.full((1, 20), float(state.epoch)))
    return state.epoch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of epoch 2, with that of epoch 1 before it."""
    file = tmp_path / "c.safetensors"
    save(file, 1)
    save(file, 2)
    return file


def test_the_one_before_is_kept(file: Path) -> None:
    assert load_checkpoint(file, CPU)[0].epoch == 2
    assert load_checkpoint(before(file), CPU)[0].epoch == 1
    save(file, 3)
    assert [load_checkpoint(each, CPU)[0].epoch for each in (file, before(file))] == [3, 2]
    assert len(list(file.parent.iterdir())) == 2
    forget(file)
    assert list(file.parent.iterdir()) == []


def test_a_damaged_one_is_passed_over_and_said(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_bytes(file.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING):
        assert epoch_of(file) == 1
    assert "c.safetensors is damaged" in caplog.text
    assert "going on from the one before it" in caplog.text
    assert load_checkpoint(file, CPU)[0].epoch == 1  # so that no damaged one becomes the one before the next
    assert not before(file).exists()


@pytest.mark.parametrize("other", [b"", None])
def test_none_that_is_good(file: Path, other: bytes | None) -> None:
    file.write_bytes(b"no checkpoint")
    if other is None:
        before(file).unlink()
    else:
        before(file).write_bytes(other)
    with pytest.raises(IntegrityError, match=r"c\.safetensors is damaged"):
        load_last_good(file, CPU)
    assert file.read_bytes() == b"no checkpoint"


def test_a_kill_at_every_call_that_writes(file: Path) -> None:
    found = []
    for _ in killed_calls(save_checkpoint, [file, *checkpoint(3)], file.parent):
        recover(file)
        found.append(epoch_of(file))
        save(file, 4)
        assert [load_checkpoint(each, CPU)[0].epoch for each in (file, before(file))] == [4, found[-1]]
        assert len(list(file.parent.iterdir())) == 2
        forget(file)
        save(file, 1)
        save(file, 2)
    assert sorted(set(found)) == [2, 3]  # the old one, or once it is in its place, the new one
    assert len(found) >= 5


def test_training_goes_on_from_the_last_good_one(tmp_path, store3, recipe_for, caplog) -> None:
    """A damaged checkpoint costs what came after the one before it, and no bit of the weights."""
    recipe = recipe_for(store3, "plain", epochs=3)
    train(TrainingRun(store3, "whole", tmp_path, CPU), recipe)
    for steps in (2, 9):
        asked = iter(range(100))
        with pytest.raises(InterruptedRun):
            train(TrainingRun(store3, "m", tmp_path, CPU), recipe, stop=lambda n=steps, a=asked: next(a) >= n)
    (file,) = (tmp_path / ".training" / "m").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        train(TrainingRun(store3, "m", tmp_path, CPU), recipe)
    assert "is damaged" in caplog.text
    sums = [read_manifest(resolve(tmp_path, name)).weights_sha256 for name in ("whole", "m")]
    assert sums[0] == sums[1]
    assert not (tmp_path / ".training").exists()


def test_only_the_one_before_is_left(tmp_path, store3, recipe_for) -> None:
    """As a kill between both renames leaves it: for the same settings it is gone on with, for others refused."""
    recipe = recipe_for(store3, "plain", epochs=1)
    with pytest.raises(InterruptedRun):
        train(TrainingRun(store3, "m", tmp_path, CPU), recipe, stop=lambda: True)
    (file,) = (tmp_path / ".training" / "m").glob("*.safetensors")
    os.replace(file, before(file))
    with pytest.raises(Exception, match="other settings: learning_rate"):
        train(TrainingRun(store3, "m", tmp_path, CPU), recipe_for(store3, "plain", epochs=1, learning_rate=0.1))
    state = load_checkpoint(file, CPU)[0]
    (published,) = train(TrainingRun(store3, "m", tmp_path, CPU), recipe)
    assert published.training.run == state.run


@pytest.mark.parametrize("resume", ["auto", "never", "elsewhere"])
def test_started_again_by_a_launcher(tmp_path, store3, recipe_for, resume) -> None:
    """However the training was first asked for, it goes on from its own checkpoint."""
    recipe = recipe_for(store3, "plain", epochs=2)
    with pytest.raises(InterruptedRun):
        train(TrainingRun(store3, "m", tmp_path, CPU), recipe, stop=lambda: True)
    (file,) = (tmp_path / ".training" / "m").glob("*.safetensors")
    run = load_checkpoint(file, CPU)[0].run
    asked = {"elsewhere": str(tmp_path / "elsewhere")}.get(resume, resume)
    again = TrainingRun(store3, "m", tmp_path, CPU, resume=asked)
    (published,) = train(again, recipe, peers=Peers(restarted=True))
    assert published.training.run == run


def test_never_forgets_what_was_there(tmp_path, store3, recipe_for) -> None:
    recipe = recipe_for(store3, "plain", epochs=2)
    for steps in (1, 2):
        asked = iter(range(100))
        with pytest.raises(InterruptedRun):
            train(TrainingRun(store3, "m", tmp_path, CPU), recipe, stop=lambda n=steps, a=asked: next(a) >= n)
    (file,) = (tmp_path / ".training" / "m").glob("*.safetensors")
    old = load_checkpoint(file, CPU)[0].run
    with pytest.raises(InterruptedRun):
        train(TrainingRun(store3, "m", tmp_path, CPU, resume="never"), recipe, stop=lambda: True)
    assert not before(file).exists()
    assert load_checkpoint(file, CPU)[0].run != old
