"""Several networks of one shape that share their inputs and nothing else, a column of outputs from each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ampcli.models.mlp import Mlp
from ampcli.records.architecture import Architecture


@dataclass(frozen=True)
class SeparateNetworks:
    """`count` copies of `one`, a network with one output; their parameters follow each other in a row of (R, P)."""

    one: Mlp
    count: int

    kind: ClassVar[str] = "separate"
    stochastic: ClassVar[bool] = False

    @classmethod
    def of(cls, architecture: Architecture) -> SeparateNetworks:
        """The hidden layers are those of each network."""
        return cls(Mlp.of(architecture.model_copy(update={"outputs": 1})), architecture.outputs)

    @property
    def n_parameters(self) -> int:
        return self.count * self.one.n_parameters

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """First parameters (R, P), float32 on the CPU; every copy has a seed of its own."""
        rows = []
        for seed in seeds:
            drawn = np.random.SeedSequence(seed).generate_state(self.count, np.uint64) >> np.uint64(1)
            rows.append(self.one.initialise([int(number) for number in drawn]).flatten())
        return torch.stack(rows)

    def split(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Layers of all copies of all replicas, (R count, ...)."""
        return self.one.split(parameters.reshape(-1, self.one.n_parameters))

    def forward(
        self, layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor, noise: torch.Generator | None = None
    ) -> Tensor:
        """(R, batch, inputs) -> (R, batch, count)."""
        outputs = self.one.forward(layers, inputs.repeat_interleave(self.count, dim=0))
        return outputs.view(-1, self.count, inputs.shape[1]).mT

    def complexity(self, parameters: Tensor) -> Tensor:
        """It has none: zero for each replica, (R,)."""
        return parameters.new_zeros(len(parameters))

    def members(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """One set of copies."""
        return self.split(parameters[None])
