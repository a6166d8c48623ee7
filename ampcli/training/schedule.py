"""Learning rate, early stopping and best weights of one replica, as in Keras' callbacks (FAME, Sec. 2.4.2).

Unlike Keras' default for the plateau (1e-4), any decrease of the loss counts: losses here end far below 1e-4.
"""

from __future__ import annotations

import math

import pydantic

from ampcli.records.training import Recipe


class Progress(pydantic.BaseModel):
    """What a replica's schedule remembers between epochs."""

    learning_rate: float
    best_loss: float | None = None
    best_epoch: int = 0
    since_best: int = 0
    since_lower: int = 0
    cooling: int = 0
    stopped: bool = False

    def after_epoch(self, recipe: Recipe, epoch: int, loss: float) -> bool:
        """Take note of an epoch's validation loss; returns whether it is the best so far.

        Args:
            epoch: number of the finished epoch, from 0.
        """
        if self.stopped:
            return False
        better = math.isfinite(loss) and (self.best_loss is None or loss < self.best_loss)
        if better:
            self.best_loss, self.best_epoch = loss, epoch
            self.since_best = 0
        else:
            self.since_best += 1
        if recipe.schedule == "plateau":
            self._plateau(recipe, better)
            self.stopped = self.since_best >= recipe.stop_patience
        elif recipe.schedule == "cosine":
            self.learning_rate = cosine(recipe, epoch + 1)
        else:
            self.learning_rate = one_cycle(recipe, (epoch + 1) / recipe.epochs)
        return better

    def _plateau(self, recipe: Recipe, better: bool) -> None:
        if self.cooling > 0:
            self.cooling -= 1
            self.since_lower = 0
        if better:
            self.since_lower = 0
        elif self.cooling == 0:
            self.since_lower += 1
            if self.since_lower >= recipe.patience and self.learning_rate > recipe.floor:
                self.learning_rate = max(self.learning_rate * recipe.factor, recipe.floor)
                self.cooling, self.since_lower = recipe.cooldown, 0


def cosine(recipe: Recipe, epoch: int) -> float:
    """Half a cosine from the first learning rate to the floor over all epochs."""
    fraction = min(epoch / recipe.epochs, 1.0)
    return recipe.floor + (recipe.learning_rate - recipe.floor) * 0.5 * (1.0 + math.cos(math.pi * fraction))


#: Of the one-cycle schedule: the fraction that warms up, and the largest rate over the first and over the last one.
_WARM_UP, _FIRST, _LAST = 0.3, 25.0, 2.5e5


def one_cycle(recipe: Recipe, fraction: float) -> float:
    """Half a cosine up to `recipe.learning_rate`, another one down to nearly nothing (L. Smith, 1708.07120)."""
    if fraction < _WARM_UP:
        low, rising = recipe.learning_rate / _FIRST, fraction / _WARM_UP
    else:
        low, rising = recipe.learning_rate / _LAST, (1.0 - min(fraction, 1.0)) / (1.0 - _WARM_UP)
    return low + (recipe.learning_rate - low) * 0.5 * (1.0 - math.cos(math.pi * rising))
