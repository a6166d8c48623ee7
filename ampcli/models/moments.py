"""Means, deviations and the like over the training split, of which this process may hold but a share.

Scales of models come from these, so that processes that train together (`ampcli.training.distributed`) have the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value", Tensor, float)


class _Shares:
    """What gathers a value of all processes; None where this one holds the whole split."""

    gather: Callable[[Any], list[Any]] | None = None


@contextmanager
def over_shares(gather: Callable[[Any], list[Any]]) -> Iterator[None]:
    """Within it, values are those of the shares of all processes together; all of them ask in the same order."""
    _Shares.gather = gather
    try:
        yield
    finally:
        _Shares.gather = None


def pooled(count: int, mean: Value, deviation: Value) -> tuple[Value, Value]:
    """Mean and standard deviation of all from those of this process's `count` values."""
    if _Shares.gather is None:
        return mean, deviation
    shares: list[tuple[int, Value, Value]] = _Shares.gather((count, mean, deviation))
    total = sum(share[0] for share in shares)
    middle = sum(n * m for n, m, _ in shares) / total
    variance = sum(n * (d**2 + (m - middle) ** 2) for n, m, d in shares) / total
    return middle, variance**0.5  # type: ignore[return-value]


def mean(values: Tensor) -> Tensor:
    """Of all numbers."""
    ours = values.mean()
    return pooled(values.numel(), ours, torch.zeros_like(ours))[0]


def mean_and_deviation(values: Tensor) -> tuple[Tensor, Tensor]:
    """Of each column of (n, columns), or of a vector (n,); the deviation is that of the sample."""
    return pooled(len(values), values.mean(0), values.std(0, correction=0))


def smallest(values: Value) -> Value:
    """The least of all numbers of a tensor, or of the processes' own ones."""
    ours: Value = values.min() if isinstance(values, Tensor) else values
    if _Shares.gather is None:
        return ours
    theirs: list[Value] = _Shares.gather(ours)
    return min(theirs)


def median(values: Tensor) -> Tensor:
    """Of a vector (n,): the lower one of an even number."""
    return (values if _Shares.gather is None else torch.cat(_Shares.gather(values))).median()
