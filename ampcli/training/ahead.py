"""Training tables of coming epochs, made by a second core while the first one trains."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Self

from ampcli.training.table import Table


class NotWanted(Exception):
    """Raised in the making of a table that nobody waits for any more."""


class Ahead:
    """The table of each epoch, asked for in order; the next one is on its way meanwhile.

    Tables are functions of their epochs alone: numbers do not depend on who makes them, or when.
    """

    def __init__(self, make: Callable[[int, Event], Table], epochs: int, second_core: bool) -> None:
        """`make` gets an epoch and what says that it is not wanted any more (it then may raise `NotWanted`).

        Args:
            epochs: how many there are.
            second_core: without one, tables are made when they are asked for.
        """
        self._make = make
        self._epochs = epochs
        self._pool = ThreadPoolExecutor(1) if second_core else None
        self._over = Event()
        self._coming: dict[int, Future[Table]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is made after this."""
        self._over.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, epoch: int) -> Table:
        coming = self._coming.pop(epoch, None)
        table = self._make(epoch, self._over) if coming is None else coming.result()
        if self._pool is not None and epoch + 1 < self._epochs:
            self._coming = {epoch + 1: self._pool.submit(self._make, epoch + 1, self._over)}
        return table
