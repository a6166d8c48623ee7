"""The training table: every row in (device) memory, indexed by seeded permutations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.features.blocks import FeatureBlock
from ampcli.kinematics import FloatArray
from ampcli.models.ansatz import Ansatz, Batch
from ampcli.store.reader import Split, Store


def read_arrays(
    store: Store, block: FeatureBlock | None, wanted: Collection[str], split: Split, share: slice = slice(None)
) -> tuple[dict[str, Tensor], Tensor]:
    """Momenta and the wanted arrays of a block (where it has them) of a split, and the exact amplitudes.

    Args:
        block: as the store holds it (`ampcli.store.features.stored_block`).
        share: which of the split's rows.

    Returns:
        (n, ...) each, float64 on the CPU.
    """
    arrays = {"momenta": torch.from_numpy(store.read_split("momenta", split, share))}
    if block is not None:
        for name, shape in block.shapes().items():
            if name in wanted and 0 not in shape:
                arrays[name] = torch.from_numpy(store.read_split(f"features/{block.name}/{name}", split, share))
    return arrays, torch.from_numpy(store.read_split("amplitude", split, share))


@dataclass
class Table:
    """Rows of a split, float32, on one device; `labelled` counts exact amplitudes that were computed for them anew."""

    rows: Batch
    labelled: int = 0

    @classmethod
    def of(
        cls,
        ansatz: Ansatz[Any],
        arrays: dict[str, Tensor],
        amplitude: Tensor,
        device: torch.device,
        error: FloatArray | None = None,
    ) -> Table:
        """Of arrays (n, ...), amplitudes (n,) and their statistical errors (n,), if they have any."""
        rows = ansatz.table(arrays, amplitude)
        if error is not None:
            rows = replace(rows, noise=ansatz.noise(arrays, amplitude, torch.from_numpy(error)))
        return cls(rows.changed(lambda tensor: tensor.to(device)))

    def __len__(self) -> int:
        return len(self.rows.target)

    def take(self, index: Tensor) -> Batch:
        """Rows of an index (R, batch): tensors (R, batch, ...)."""
        return self.rows.changed(lambda tensor: tensor[index])

    def steps(self, order: Tensor, size: int, first: int) -> Iterator[Batch]:
        """Batches of so many rows in an order (R, rows), from the one with the number `first` on."""
        for step in range(first, order.shape[1] // size):
            yield self.take(order[:, step * size : (step + 1) * size])

    def batches(self, size: int, replicas: int) -> Iterator[Batch]:
        """The rows that are here in order, the same for every replica."""
        for start in range(0, len(self.rows.target), size):
            rows = itemgetter(slice(start, start + size))
            yield self.rows.changed(rows).changed(lambda tensor: tensor.expand(replicas, *tensor.shape))


def epoch_order(rows: int, seeds: Sequence[int], epoch: int, device: torch.device) -> Tensor:
    """The order of an epoch, (R, rows): a function of seed and epoch alone, so that it needs no saved state."""
    orders = []
    for seed in seeds:
        state = np.random.SeedSequence(seed, spawn_key=(epoch,)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
        orders.append(torch.randperm(rows, generator=generator))
    return torch.stack(orders).to(device)
