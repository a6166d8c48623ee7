"""Dense networks, several replicas at once.

All parameters of R replicas live in one (R, P) matrix, and every layer is one batched matrix product: an ensemble
trains as fast as the device multiplies, and optimiser and checkpoints see a single tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from ampcli.errors import UsageError, setting
from ampcli.library.bundle import Value
from ampcli.records.architecture import Architecture
from ampcli.records.settings import Activation

Layer = TypeVar("Layer")


@dataclass(frozen=True)
class Mlp:
    """Architecture: layer widths from inputs to outputs; an activation between, linear at the end.

    A residual network adds what every second and third hidden layer (and so on, in pairs) make of their input to it;
    its hidden layers are an odd number of the same width.

    Raises:
        UsageError: a residual network of other hidden layers.
    """

    widths: tuple[int, ...]
    activation: Activation = "tanh"
    residual: bool = False

    kind: ClassVar[str] = "mlp"
    stochastic: ClassVar[bool] = False

    @classmethod
    def of(cls, architecture: Architecture) -> Mlp:
        """The network of an architecture."""
        return cls(architecture.widths, architecture.activation, architecture.residual)

    def __post_init__(self) -> None:
        hidden = self.widths[1:-1]
        if self.residual and (len(set(hidden)) != 1 or len(hidden) % 2 == 0):
            raise UsageError(
                f"hidden layers {','.join(map(str, hidden))}: a residual network needs an odd number of one width",
                f"For example {setting('hidden')} 160,160,160.",
            )

    @cached_property
    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def n_parameters(self) -> int:
        return sum((rows + 1) * columns for rows, columns in self.shapes)

    def bundle(self) -> dict[str, Value]:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`); it takes the parameters besides."""
        return {
            "widths": np.array(self.widths, dtype=np.int32),
            "activation": self.activation,
            "residual": np.array(self.residual, dtype=np.int32),
        }

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """Glorot-uniform weights and zero biases, a row for each seed: (R, P) float32 on the CPU."""
        rows = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            pieces = []
            for n_in, n_out in self.shapes:
                limit = math.sqrt(6.0 / (n_in + n_out))
                pieces += [
                    (2.0 * torch.rand(n_in * n_out, generator=generator) - 1.0) * limit,
                    torch.zeros(n_out),
                ]
            rows.append(torch.cat(pieces))
        return torch.stack(rows)

    def split(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views (R, inputs, outputs) and (R, 1, outputs) of each layer's weights and biases in (R, P)."""
        # One operation, whose derivative joins the pieces; each slice by itself would have a gradient as long as all.
        pieces = parameters.split_with_sizes(
            [size for n_in, n_out in self.shapes for size in (n_in * n_out, n_out)], dim=1
        )
        return [
            (weight.view(-1, n_in, n_out), bias.unsqueeze(1))
            for (n_in, n_out), weight, bias in zip(self.shapes, pieces[0::2], pieces[1::2], strict=True)
        ]

    def forward(
        self, layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor, noise: torch.Generator | None = None
    ) -> Tensor:
        """(R, batch, inputs) -> (R, batch, outputs)."""
        return self.propagate(layers, inputs, lambda layer, x: torch.baddbmm(layer[1], x, layer[0]))

    def propagate(self, layers: Sequence[Layer], inputs: Tensor, linear: Callable[[Layer, Tensor], Tensor]) -> Tensor:
        """The network with another way to apply a layer to its input (R, batch, n)."""
        if len(layers) == 1:
            return linear(layers[0], inputs)
        first, *hidden, last = layers
        x = self._activate(linear(first, inputs))
        if self.residual:
            for inner, outer in zip(hidden[0::2], hidden[1::2], strict=True):
                x = x + linear(outer, self._activate(linear(inner, x)))
        else:
            for layer in hidden:
                x = self._activate(linear(layer, x))
        return linear(last, x)

    def complexity(self, parameters: Tensor) -> Tensor:
        """It has none: zero for each replica, (R,)."""
        return parameters.new_zeros(len(parameters))

    def members(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """One network."""
        return self.split(parameters[None])

    def _activate(self, x: Tensor) -> Tensor:
        return x.tanh_() if self.activation == "tanh" else torch.nn.functional.gelu(x)
