"""How far a long job is: the core says it, and whoever called it may show it (`ampcli.cli.command.progress_bar`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

#: Opens a count of so many (None: unknown) of a unit; yields the function that advances it.
Bars = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def unseen(unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Nobody looks."""
    yield nothing


def nothing(amount: int) -> None:
    """Nobody counts."""
