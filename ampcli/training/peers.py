"""The processes that train together: here this one alone; several are `ampcli.training.distributed`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from ampcli.errors import AmpcliError, InterruptedRun

Result = TypeVar("Result")
Error = TypeVar("Error", bound=AmpcliError)


class LostPeer(InterruptedRun):
    """Another process of this training has ended; the training goes on from its last checkpoint."""


class Peers:
    """What the processes of a training do together.  All of them call the same methods in the same order."""

    rank = 0
    size = 1

    def __init__(self, restarted: bool = False) -> None:
        self.restarted = restarted
        """A launcher started this training again after a failure."""

    @property
    def first(self) -> bool:
        """Whether this is the process that reads and writes checkpoints, publishes and prints."""
        return self.rank == 0

    def bounds(self, count: int) -> list[int]:
        """Where the shares of so many rows begin and end, (size + 1)."""
        return [count * rank // self.size for rank in range(self.size + 1)]

    def share(self, count: int) -> slice:
        """This process's share of so many rows."""
        bounds = self.bounds(count)
        return slice(bounds[self.rank], bounds[self.rank + 1])

    def device(self, chosen: torch.device) -> torch.device:
        """This process's own, where there are several of a kind."""
        return chosen

    def gather(self, value: Result) -> list[Result]:
        """What all processes have, by rank."""
        return [value]

    def of_first(self, action: Callable[[], Result]) -> Result:
        """What the first process, which alone acts, finds; its error is that of all."""
        return action()

    def together(self, action: Callable[[], Result]) -> Result:
        """What every process finds by itself; an error of one is that of all."""
        return action()

    def require_same(self, what: Mapping[str, Any]) -> None:
        """Make sure that these are the same in all processes.

        Raises:
            UsageError: they are not.
        """

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in the order of their ranks: the same bits in each, however often."""
        return values

    def agreed(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """Whether any process was asked to stop; all of them say so after the same `sum`."""
        return stop

    def alike(self, error: Error) -> Error:
        """An error that all processes have: the first one says it."""
        return error


ALONE = Peers()
