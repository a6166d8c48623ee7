"""Perturbed copies of the training events with exact labels, fresh in every epoch.

Where exact amplitudes cost less than a step of the training, new points near the old ones teach more than the old ones
again (docs/results/z-jets.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

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


@dataclass(frozen=True)
class PerturbedCopies:
    """Copies of a store's training events, a function of the recipe's seed and the epoch."""

    shaken: Perturbation
    provider: Provider
    block: FeatureBlock | None
    seed: int
    momenta: Tensor
    amplitude: Tensor

    @classmethod
    def of(
        cls, store: Store, recipe: Recipe, block: FeatureBlock | None, momenta: Tensor, amplitude: Tensor
    ) -> PerturbedCopies:
        """Copies of the training events of a recipe.

        Args:
            block: the features that the model needs, if any.
            momenta: outgoing, of the training events (n, n_final, 4); amplitude: (n,).

        Raises:
            UsageError: the store's events are not those of hadron beams, or no particle can take the recoil.
        """
        shaken = store.plan.source.perturbation(store.process, recipe.perturb)
        provider = provider_of(store.plan.provider, store.process)
        return cls(shaken, provider, block, recipe.seeds[0], momenta, amplitude)

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
        for start in range(0, len(self.momenta), _CHUNK):
            if over is not None and over.is_set():
                raise NotWanted
            rows = slice(start, start + _CHUNK)
            events, moved = self.shaken(self.momenta[rows].numpy(), rng)
            exact = self.amplitude[rows].clone()
            exact[torch.from_numpy(moved)] = torch.from_numpy(self.provider.evaluate(with_beams(events[moved])))
            new += int(np.count_nonzero(moved))
            momenta = torch.from_numpy(events)
            arrays = {} if self.block is None else self.block.compute(momenta)
            pieces.append({"momenta": momenta, **arrays})
            labels.append(exact)
        joined = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
        return joined, torch.cat(labels), new
