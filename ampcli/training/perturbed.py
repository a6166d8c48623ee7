"""Perturbed copies of the training events with exact labels, fresh in every epoch.

Where exact amplitudes cost less than a step of the training, new points near the old ones teach more than the old ones
again (docs/results/z-jets.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import provider_of
from ampcli.collisions.base import Perturbation
from ampcli.features.blocks import FeatureBlock
from ampcli.kinematics import with_beams
from ampcli.records.training import Recipe
from ampcli.store.reader import Store
from ampcli.training.ahead import NotWanted

_CHUNK = 16384  # events at a time: the features' temporary arrays stay small


class _ForAll(np.random.Generator):
    """Draws for a whole chunk of events, and gives what some of them get: the same, whoever has the others."""

    def __init__(self, of: np.random.Generator, count: int, rows: slice) -> None:
        super().__init__(of.bit_generator)
        self._count, self._rows = count, rows

    def standard_normal(self, size: Any) -> Any:  # type: ignore[override]
        """For events (n, ...) of these rows."""
        shape = size if isinstance(size, tuple) else (size,)
        return super().standard_normal((self._count, *shape[1:]))[self._rows]


@dataclass(frozen=True)
class PerturbedCopies:
    """Copies of a store's training events, a function of the recipe's seed and the epoch."""

    shaken: Perturbation
    provider: Provider
    block: FeatureBlock | None
    seed: int
    momenta: Tensor
    amplitude: Tensor
    first: int
    total: int
    """These events are those from the number `first` on of so many; other processes have the others."""

    @classmethod
    def of(
        cls,
        store: Store,
        recipe: Recipe,
        block: FeatureBlock | None,
        momenta: Tensor,
        amplitude: Tensor,
        first: int = 0,
        total: int | None = None,
    ) -> PerturbedCopies:
        """Copies of the training events of a recipe.

        Args:
            block: the features that the model needs, if any.
            momenta: outgoing, of the training events (n, n_final, 4); amplitude: (n,).
            first, total: where they are among all training events, if other processes have the others.

        Raises:
            UsageError: the store's events are not those of hadron beams, or no particle can take the recoil.
        """
        shaken = store.plan.source.perturbation(store.process, recipe.perturb)
        provider = provider_of(store.plan.provider, store.process)
        return cls(
            shaken,
            provider,
            block,
            recipe.seeds[0],
            momenta,
            amplitude,
            first,
            len(momenta) if total is None else total,
        )

    def labelled(self, epoch: int, over: Event | None = None) -> tuple[dict[str, Tensor], Tensor, int]:
        """Arrays (n, ...) of an epoch's copies and their exact amplitudes (n,), float64 on the CPU.

        Copies that leave the cuts are replaced by the event itself; the last number counts the others, whose exact
        amplitudes were computed.

        Raises:
            NotWanted: `over` was set.
        """
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, 1)))
        pieces: list[dict[str, Tensor]] = []
        labels = []
        new = 0
        last = self.first + len(self.momenta)
        for start in range(0, last, _CHUNK):
            if over is not None and over.is_set():
                raise NotWanted
            here = slice(max(self.first - start, 0), last - start)
            rows = slice(max(start - self.first, 0), max(start + _CHUNK - self.first, 0))
            events, moved = self.shaken(self.momenta[rows].numpy(), _ForAll(rng, min(_CHUNK, self.total - start), here))
            if len(events) == 0:
                continue
            exact = self.amplitude[rows].clone()
            exact[torch.from_numpy(moved)] = torch.from_numpy(self.provider.evaluate(with_beams(events[moved])))
            new += int(np.count_nonzero(moved))
            momenta = torch.from_numpy(events)
            arrays = {} if self.block is None else self.block.compute(momenta)
            pieces.append({"momenta": momenta, **arrays})
            labels.append(exact)
        joined = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
        return joined, torch.cat(labels), new
