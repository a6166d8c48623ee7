"""Checkpoints: one safetensors file that holds tensors and, in its header, the rest of the state.

The one before it stays beside it: a disk that damages a checkpoint costs what came after that.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pydantic
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ampcli.errors import IntegrityError, setting
from ampcli.files import read_file, replacing, write_durably
from ampcli.records.training import Recipe
from ampcli.registry.upgrade import upgraded_recipe
from ampcli.training.schedule import Progress

log = logging.getLogger(__name__)

BEFORE = ".before"
"""How the name of the one before ends."""


class EpochRecord(pydantic.BaseModel):
    """Losses of one replica after an epoch (a diverged replica's are not finite)."""

    model_config = pydantic.ConfigDict(ser_json_inf_nan="constants")

    epoch: int
    train_loss: float
    train_penalty: float
    validation_loss: float
    learning_rate: float

    def __str__(self) -> str:
        losses = f"{self.train_loss:.3e} (penalty {self.train_penalty:.1e}), validation {self.validation_loss:.3e}"
        return f"loss {losses}, learning rate {self.learning_rate:.2e}"


class State(pydantic.BaseModel):
    """Where a training stands; with the tensors, enough to go on bit for bit."""

    recipe: Recipe
    progress: list[Progress]
    epoch: int = 0
    step: int = 0  # steps done within the epoch
    optimiser_steps: int = 0
    history: list[list[EpochRecord]]  # per replica
    seconds: float = 0.0
    labelled_points: int = 0  # exact amplitudes of perturbed copies, of whole epochs
    run: str = pydantic.Field(default_factory=lambda: uuid4().hex)
    """Tells this training from all others of the same recipe: a repeat finds the replicas that it published."""


def save_checkpoint(file: Path, state: State, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint; what was there becomes the one before it, and a crash leaves one of them or both."""
    file.parent.mkdir(parents=True, exist_ok=True)
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    written = state.model_dump_json()
    data = save(on_cpu, metadata={"state": written, "sha256": json.dumps(_checksums(written, on_cpu))})
    with replacing(file) as fresh:
        write_durably(fresh, data)
        with suppress(FileNotFoundError):
            file.replace(before(file))


def before(file: Path) -> Path:
    """Where the checkpoint before `file` is."""
    return file.with_suffix(BEFORE)


def recover(file: Path) -> None:
    """Make up for a kill between both renames of `save_checkpoint`."""
    if before(file).is_file() and not os.path.lexists(file):
        before(file).replace(file)


def forget(file: Path) -> None:
    """Remove a checkpoint and the one before it."""
    before(file).unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def load_checkpoint(file: Path, device: torch.device) -> tuple[State, dict[str, Tensor]]:
    """Read a checkpoint, wherever it was written, onto `device`.

    Raises:
        IntegrityError: it is damaged: a byte of its state or tensors is not what was written.
    """
    data = read_file(file)
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        tensors = load(data)
        known, found = json.loads(header["sha256"]), _checksums(header["state"], tensors)
        if changed := [name for name in {**known, **found} if known.get(name) != found.get(name)]:
            raise ValueError(f"it lacks {', '.join(changed)}, or that was changed")
        content = json.loads(header["state"])
        if "options" not in content["recipe"]:  # of a version whose kinds of models had none of their own
            content["recipe"] = upgraded_recipe(content["recipe"])
        state = State.model_validate(content)
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise IntegrityError(
            f"the checkpoint {file} is damaged: {error}", f"Start again with {setting('resume')} never."
        ) from None
    return state, {name: tensor.to(device) for name, tensor in tensors.items()}


def load_last_good(file: Path, device: torch.device) -> tuple[State, dict[str, Tensor]]:
    """`load_checkpoint`, or where that is damaged, of the one before it, which takes its place.

    Raises:
        IntegrityError: both are damaged, or there is only one.
    """
    try:
        return load_checkpoint(file, device)
    except IntegrityError as error:
        try:
            state, tensors = load_checkpoint(before(file), device)
        except (FileNotFoundError, IntegrityError):
            raise error from None
        log.warning("%s; going on from the one before it (epoch %d)", error.what, state.epoch + 1)
        before(file).replace(file)
        return state, tensors


def _checksums(state: str, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """SHA-256, in hex, of everything that a checkpoint holds, by name."""
    found = {"state": hashlib.sha256(state.encode()).hexdigest()}
    for name, tensor in tensors.items():
        digest = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        found[name] = digest.hexdigest()
    return found
