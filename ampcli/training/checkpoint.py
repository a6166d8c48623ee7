"""Checkpoints: one safetensors file that holds tensors and, in its header, the rest of the state."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydantic
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ampcli.errors import IntegrityError
from ampcli.training.recipe import Recipe
from ampcli.training.schedule import Progress


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
    published: int = 0  # replicas that are in the registry already


def save_checkpoint(file: Path, state: State, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint; a crash leaves the previous one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(on_cpu, draft, metadata={"state": state.model_dump_json()})
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        draft.replace(file)
    except SafetensorError as error:  # it hides the operating system's reason, such as a full disk
        raise OSError(28 if "space" in str(error).lower() else 5, str(error), str(file)) from None
    finally:
        draft.unlink(missing_ok=True)


def read_state(file: Path) -> State:
    """The state of a checkpoint without its tensors.

    Raises:
        IntegrityError: it is damaged.
    """
    with _explained(file), safe_open(file, framework="pt", device="cpu") as stored:
        return State.model_validate(json.loads(stored.metadata()["state"]))


def load_checkpoint(file: Path, device: torch.device) -> tuple[State, dict[str, Tensor]]:
    """Read a checkpoint, wherever it was written, onto `device`.

    Raises:
        IntegrityError: it is damaged.
    """
    state = read_state(file)
    with _explained(file), safe_open(file, framework="pt", device="cpu") as stored:
        return state, {name: stored.get_tensor(name).to(device) for name in stored.keys()}  # noqa: SIM118


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the checkpoint {file} is damaged: {error}", "Start again with --resume never.") from None
