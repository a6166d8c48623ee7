"""Bars that remember what they were told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Counted:
    """`ampcli.progress.Bars`: units, totals and what was counted, in the order in which bars were closed."""

    seen: list[tuple[str, int | None, int]] = field(default_factory=list)

    @contextmanager
    def __call__(self, unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
        amounts: list[int] = []
        yield amounts.append
        self.seen.append((unit, total, sum(amounts)))

    @property
    def complete(self) -> list[str]:
        """Units of the bars that reached their ends."""
        return [unit for unit, total, count in self.seen if count == total]
