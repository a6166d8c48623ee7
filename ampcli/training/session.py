"""The folder in which a training keeps its checkpoint until its models are published."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from ampcli.errors import LockedError, UsageError, setting
from ampcli.files import require_ordinary, writing
from ampcli.locks import locked
from ampcli.records.training import Recipe
from ampcli.training.checkpoint import BEFORE, forget, load_last_good, recover

_CHECKPOINT = ".safetensors"


@contextmanager
def training_session(registry: Path, name: str, recipe: Recipe, start_anew: bool) -> Iterator[Path]:
    """Hold the checkpoint of (name, recipe), REGISTRY/.training/NAME/RECIPE.safetensors; yields its path.

    Several trainings of one name may run at once, each with its own recipe (its seeds, say).  An interrupted one of
    another recipe is not passed over in silence: forgetting a setting must not start a run from nothing.

    Raises:
        LockedError: the same training is running already.
        UsageError: an interrupted training of this name has other settings, and `start_anew` is not given.
    """
    folder = registry / ".training" / name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / (hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:16] + _CHECKPOINT)
    try:
        with _lock(checkpoint):
            recover(checkpoint)
            if os.path.lexists(checkpoint):
                require_ordinary(checkpoint)
            elif not start_anew:
                _adopt_or_refuse_waiting(folder, name, recipe, checkpoint)
            yield checkpoint
    finally:
        for empty in (folder, folder.parent):
            with suppress(OSError):  # not empty: others are at work
                empty.rmdir()


@contextmanager
def _lock(checkpoint: Path) -> Iterator[None]:
    with locked(
        checkpoint.with_suffix(".lock"),
        f"the same training of {checkpoint.parent.name} is running already",
        f"Wait for it, or give this one another {setting('seed')} or {setting('name')}.",
    ):
        yield


def _adopt_or_refuse_waiting(folder: Path, name: str, recipe: Recipe, checkpoint: Path) -> None:
    """Take over the checkpoint of the same recipe from an ampcli that had fewer settings; others are refused."""
    for other in _checkpoints(folder):
        try:
            with _lock(other):
                recover(other)
                differing = recipe.differences(load_last_good(other, torch.device("cpu"))[0].recipe)
                if not differing:
                    other.replace(checkpoint)
                    forget(other)
                    return
                raise UsageError(
                    f"an interrupted training of {name} has other settings: {', '.join(differing)} ({other})",
                    f"Give its settings to go on with it, or start anew with {setting('resume')} never.",
                )
        except LockedError:  # it is running: a training of its own
            continue


def _checkpoints(folder: Path) -> list[Path]:
    """Those of all recipes; of some, a kill may have left the one before alone."""
    found = {file for suffix in (_CHECKPOINT, BEFORE) for file in folder.glob(f"*{suffix}")}
    return sorted({file.with_suffix(_CHECKPOINT) for file in found})
