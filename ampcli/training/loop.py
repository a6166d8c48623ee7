"""The training loop: all replicas in one batched network, resumable at any step."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Mapping
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
from ampcli.training.peers import ALONE, LostPeer, Peers
from ampcli.training.schedule import Progress, one_cycle
from ampcli.training.shared import shared_gradient
from ampcli.training.table import Table, epoch_order

Load = Callable[[Path, torch.device], tuple[State, dict[str, Tensor]]]

#: Seconds between checkpoints at the ends of epochs; an interruption writes one at once.
_SAVE_EVERY = 60.0


class Trainer:
    """Parameters, optimiser and schedules of R replicas."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        ansatz: Ansatz[Any],
        device: torch.device,
        start: Tensor,
        peers: Peers = ALONE,
    ) -> None:
        """`start` holds the first parameters (R, P); `peers` train the same with other rows."""
        self.peers = peers
        self.network = network
        self.device = device
        self.ansatz = ansatz.to(device)
        self.parameters = start.to(device).contiguous()
        self.best = self.parameters.clone()
        self.gradient = shared_gradient(gradient_of(network, self.ansatz, device), recipe.batch_size, peers)
        self.optimiser = OPTIMISERS[recipe.optimiser].start(network, self.parameters)
        self.sums = torch.zeros((2, len(recipe.seeds)), dtype=torch.float64, device=device)
        self.state = State(
            recipe=recipe,
            progress=[Progress(learning_rate=recipe.learning_rate) for _ in recipe.seeds],
            history=[[] for _ in recipe.seeds],
        )

    def restore(self, file: Path, load: Load = load_checkpoint) -> None:
        """Continue from a checkpoint."""
        try:
            self.take_over(*load(file, self.device))
        except KeyError as error:
            raise IntegrityError(
                f"the checkpoint {file} is damaged: it lacks {error}", f"Start again with {setting('resume')} never."
            ) from None

    def take_over(self, state: State, tensors: Mapping[str, Tensor]) -> None:
        """Go on from where another trainer is."""
        self.state = state
        self.parameters = tensors["parameters"]
        self.best, self.sums = tensors["best"], tensors["sums"]
        self.optimiser.restore(tensors, state.optimiser_steps)

    def follow_first(self) -> None:
        """Be where the trainer of the first process is."""
        if self.peers.size > 1:
            state, tensors = self.peers.of_first(
                lambda: (self.state, {name: tensor.cpu() for name, tensor in self.whole_state()[1].items()})
            )
            if not self.peers.first:
                self.take_over(state, {name: tensor.to(self.device) for name, tensor in tensors.items()})

    def whole_state(self) -> tuple[State, dict[str, Tensor]]:
        """What `take_over` needs."""
        self.state.optimiser_steps = self.optimiser.steps
        ours = {"parameters": self.parameters, "best": self.best, "sums": self.sums}
        return self.state, ours | self.optimiser.tensors()

    def save(self, file: Path) -> None:
        """Write a checkpoint, in the first of the processes."""
        if self.peers.first:
            save_checkpoint(file, *self.whole_state())

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
            InterruptedRun: `stop` said yes, or another process of the training has ended.
            AmpcliError: the loss of every replica is no longer a number.
        """
        try:
            self._run(train, validation, checkpoint, seconds, on_epoch, self.peers.agreed(stop))
        except LostPeer as lost:  # between two steps nothing is half done
            self.save(checkpoint)
            raise self.peers.alike(LostPeer(f"{lost.what}; {checkpoint} is written", lost.hint)) from lost

    def _run(
        self,
        train: Callable[[int], Table],
        validation: Table,
        checkpoint: Path,
        seconds: float | None,
        on_epoch: Callable[[State], None],
        stop: Callable[[], bool],
    ) -> None:
        started, before = time.monotonic(), self.state.seconds
        saved = started
        while not self.finished and (seconds is None or self._time_left(seconds)):
            table = train(self.state.epoch)
            whole = self.train_epoch(table, stop)
            if whole:
                self._end_epoch(table, validation)
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

    def _time_left(self, seconds: float) -> bool:
        """By the clock of the first process."""
        return self.peers.of_first(lambda: self.state.seconds < seconds)

    def _interrupt(self, checkpoint: Path) -> NoReturn:
        self.peers.of_first(lambda: self.save(checkpoint))  # launchers that see one process end may kill the others
        raise self.peers.alike(
            InterruptedRun(
                f"interrupted in epoch {self.state.epoch + 1}, step {self.state.step}; {checkpoint} is written",
                "Run the same command again to go on.",
            )
        )

    def train_epoch(self, train: Table, stop: Callable[[], bool] = lambda: False) -> bool:
        """Do the steps that are left of this epoch; False when asked to stop before the last one."""
        recipe = self.state.recipe
        size = min(recipe.batch_size, len(train))
        steps = len(train) // size  # a fixed shape: the last incomplete batch waits for the next shuffle
        order = epoch_order(len(train), recipe.seeds, self.state.epoch, self.device)
        rates = torch.tensor([0.0 if p.stopped else p.learning_rate for p in self.state.progress], device=self.device)
        errors, penalties = self.sums
        batches = train.steps(order, size, self.state.step)
        for step, batch in enumerate(batches, start=self.state.step):
            if recipe.schedule == "one-cycle":
                rates.fill_(one_cycle(recipe, (self.state.epoch + step / steps) / recipe.epochs))
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

    def _end_epoch(self, train: Table, validation: Table) -> None:
        self._require_same_weights()
        labelled = self.peers.sum(torch.tensor([train.labelled], dtype=torch.float64))
        losses = self.validation_losses(validation).tolist()
        self.state.labelled_points += int(labelled)
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
            raise self.peers.alike(
                AmpcliError(
                    f"the loss is no longer a number after epoch {self.state.epoch}",
                    f"Lower {setting('learning_rate')}, and start again with {setting('resume')} never.",
                )
            )

    def _require_same_weights(self) -> None:
        """Raises IntegrityError if a process came to others from the same gradients."""
        if self.peers.size > 1:
            sums = self.peers.gather(zlib.crc32(self.parameters.cpu().numpy().data))
            if other := [rank for rank, found in enumerate(sums) if found != sums[0]]:
                raise self.peers.alike(
                    IntegrityError(
                        f"process {other[0] + 1} of {self.peers.size} has other weights than the first in epoch "
                        f"{self.state.epoch + 1}: its processor or its memory computes otherwise",
                        "Train on processors of one kind; the last checkpoint is from before.",
                    )
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
        return self.peers.sum(total) / len(validation)
