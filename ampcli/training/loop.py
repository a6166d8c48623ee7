"""The training loop: all replicas in one batched network, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from ampcli.errors import AmpcliError, IntegrityError, InterruptedRun, setting
from ampcli.models.ansatz import Ansatz
from ampcli.models.network import Network
from ampcli.records.training import Recipe
from ampcli.training.checkpoint import EpochRecord, State, load_checkpoint, save_checkpoint
from ampcli.training.gradient import gradient_of
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.schedule import Progress, one_cycle
from ampcli.training.table import Table, epoch_order

#: Seconds between checkpoints at the ends of epochs; an interruption writes one at once.
_SAVE_EVERY = 60.0


class Trainer:
    """Parameters, optimiser and schedules of R replicas."""

    def __init__(
        self, recipe: Recipe, network: Network, ansatz: Ansatz[Any], device: torch.device, start: Tensor
    ) -> None:
        """`start` holds the first parameters (R, P)."""
        self.network = network
        self.device = device
        self.ansatz = ansatz.to(device)
        self.parameters = start.to(device).contiguous()
        self.best = self.parameters.clone()
        self.gradient = gradient_of(network, self.ansatz, device)
        self.optimiser = OPTIMISERS[recipe.optimiser].start(network, self.parameters)
        self.sums = torch.zeros((2, len(recipe.seeds)), dtype=torch.float64, device=device)
        self.state = State(
            recipe=recipe,
            progress=[Progress(learning_rate=recipe.learning_rate) for _ in recipe.seeds],
            history=[[] for _ in recipe.seeds],
        )

    def restore(self, file: Path) -> None:
        """Continue from a checkpoint."""
        self.state, tensors = load_checkpoint(file, self.device)
        try:
            self.parameters = tensors["parameters"]
            self.best, self.sums = tensors["best"], tensors["sums"]
            self.optimiser.restore(tensors, self.state.optimiser_steps)
        except KeyError as error:
            raise IntegrityError(
                f"the checkpoint {file} is damaged: it lacks {error}", f"Start again with {setting('resume')} never."
            ) from None

    def save(self, file: Path) -> None:
        self.state.optimiser_steps = self.optimiser.steps
        ours = {"parameters": self.parameters, "best": self.best, "sums": self.sums}
        save_checkpoint(file, self.state, ours | self.optimiser.tensors())

    @property
    def finished(self) -> bool:
        return self.state.epoch >= self.state.recipe.epochs or all(p.stopped for p in self.state.progress)

    def run(
        self,
        train: Callable[[int], Table],
        validation: Table,
        checkpoint: Path,
        seconds: float | None,
        on_epoch: Callable[[State], None] = lambda state: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train until the schedule ends, all replicas stop, or `seconds` of training are used up.

        Args:
            train: the training table of an epoch (from 0), the same one however often it is asked for.
            stop: asked after every step; when it says yes, the checkpoint is written and the run ends.

        Raises:
            InterruptedRun: `stop` said yes.
            AmpcliError: the loss of every replica is no longer a number.
        """
        started, before = time.monotonic(), self.state.seconds
        saved = started
        while not self.finished and (seconds is None or self.state.seconds < seconds):
            table = train(self.state.epoch)
            whole = self.train_epoch(table, stop)
            if whole:
                self._end_epoch(validation)
                self.state.labelled_points += table.labelled
            now = time.monotonic()
            self.state.seconds = before + now - started
            if not whole:
                self._interrupt(checkpoint)
            on_epoch(self.state)
            if stop() and not self.finished:
                self._interrupt(checkpoint)
            if now - saved > _SAVE_EVERY:
                self.save(checkpoint)
                saved = now
        self.save(checkpoint)

    def _interrupt(self, checkpoint: Path) -> NoReturn:
        self.save(checkpoint)
        raise InterruptedRun(
            f"interrupted in epoch {self.state.epoch + 1}, step {self.state.step}; {checkpoint} is written",
            "Run the same command again to go on.",
        )

    def train_epoch(self, train: Table, stop: Callable[[], bool] = lambda: False) -> bool:
        """Do the steps that are left of this epoch; False when asked to stop before the last one."""
        recipe = self.state.recipe
        size = min(recipe.batch_size, len(train))
        steps = len(train) // size  # a fixed shape: the last incomplete batch waits for the next shuffle
        order = epoch_order(len(train), recipe.seeds, self.state.epoch, self.device)
        rates = torch.tensor([0.0 if p.stopped else p.learning_rate for p in self.state.progress], device=self.device)
        errors, penalties = self.sums
        for step in range(self.state.step, steps):
            if recipe.schedule == "one-cycle":
                rates.fill_(one_cycle(recipe, (self.state.epoch + step / steps) / recipe.epochs))
            batch = train.take(order[:, step * size : (step + 1) * size])
            losses = self.gradient(self.parameters, batch, self._noise(step), len(train))
            self.optimiser.step(self.parameters, losses.gradient, rates, recipe.weight_decay)
            errors += losses.error
            penalties += losses.penalty
            self.state.step = step + 1
            if self.state.step < steps and stop():
                return False
        return True

    def _noise(self, step: int) -> torch.Generator | None:
        """The random numbers of a step are a function of seed, epoch and step: a run that goes on sees the same."""
        if not self.network.stochastic:
            return None
        key = np.random.SeedSequence(self.state.recipe.seeds[0], spawn_key=(self.state.epoch, step, 2))
        return torch.Generator(self.device).manual_seed(int(key.generate_state(1, np.uint64)[0] >> np.uint64(1)))

    def _end_epoch(self, validation: Table) -> None:
        losses = self.validation_losses(validation).tolist()
        means = (self.sums / max(self.state.step, 1)).tolist()
        for replica, progress in enumerate(self.state.progress):
            if progress.stopped:
                continue
            record = EpochRecord(
                epoch=self.state.epoch,
                train_loss=means[0][replica],
                train_penalty=means[1][replica],
                validation_loss=losses[replica],
                learning_rate=progress.learning_rate,
            )
            self.state.history[replica].append(record)
            if progress.after_epoch(self.state.recipe, self.state.epoch, losses[replica]):
                self.best[replica] = self.parameters[replica]
        self.state.epoch += 1
        self.state.step = 0
        self.sums.zero_()
        if not any(math.isfinite(loss) for loss in losses):
            raise AmpcliError(
                f"the loss is no longer a number after epoch {self.state.epoch}",
                f"Lower {setting('learning_rate')}, and start again with {setting('resume')} never.",
            )

    @torch.no_grad()
    def validation_losses(self, validation: Table) -> Tensor:
        """L_MSE + L_pen over the validation table, (R,) in float64."""
        replicas = len(self.state.recipe.seeds)
        total = torch.zeros(replicas, dtype=torch.float64, device=self.device)
        layers = self.network.split(self.parameters)
        for batch in validation.batches(self.state.recipe.batch_size, replicas):
            error, penalty = self.ansatz.losses(self.network.forward(layers, batch.inputs), batch)
            total += (error + penalty).double() * batch.target.shape[1]
        return total / len(validation)
