"""Shares of several processes: scales from all of them, rows of a store, copies of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ampcli.models import moments
from ampcli.models.moments import over_shares
from ampcli.store.reader import Store, open_store
from ampcli.training.peers import Peers


class Rank(Peers):
    """One of several processes."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__()
        self.rank, self.size = rank, size


def test_shares_are_all_rows_once() -> None:
    for size in (1, 2, 3, 7):
        for count in (0, 1, 5, 7, 100):
            shares = [range(count)[Rank(rank, size).share(count)] for rank in range(size)]
            assert [row for share in shares for row in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def of_shares(find: Callable[[torch.Tensor], Any], values: torch.Tensor, size: int) -> Any:
    """What `find` finds for the shares of a tensor, asked share by share, as the processes would together."""
    shares = [values[Rank(rank, size).share(len(values))] for rank in range(size)]
    sent: list[list[Any]] = []
    for share in shares:
        mine: list[Any] = []

        def gather(value: Any, mine: list[Any] = mine) -> list[Any]:
            mine.append(value)
            return [value]

        with over_shares(gather):
            find(share)
        sent.append(mine)
    columns = iter([list(together) for together in zip(*sent, strict=True)])
    with over_shares(lambda value: next(columns)):
        return find(shares[0])


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    "find", [moments.mean, moments.mean_and_deviation, moments.smallest, lambda values: moments.median(values[:, 0])]
)
def test_moments_of_shares_are_those_of_all(find: Callable[[torch.Tensor], Any], size: int) -> None:
    values = 5.0 + torch.randn((101, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values[:50] *= 100.0
    torch.testing.assert_close(of_shares(find, values, size), find(values), rtol=1e-13, atol=0)


def test_shares_of_a_split(store3: Store) -> None:
    whole = store3.read_split("momenta", "train")
    store = open_store(store3.path)
    codes = np.concatenate([store.event_codes(Rank(rank, 2).share(store.plan.parts)) for rank in range(2)])
    store.know_event_codes(codes)
    pieces = [store.read_split("momenta", "train", Rank(rank, 5).share(len(whole))) for rank in range(5)]
    assert np.array_equal(np.concatenate(pieces), whole)
