"""Dense networks, several replicas at once.

All parameters of R replicas live in one (R, P) matrix, and every layer is one batched matrix product: an ensemble
trains as fast as the device multiplies, and optimiser and checkpoints see a single tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ampcli.errors import UsageError

#: Hidden layers of the papers' networks (FAME, Secs. 3.1 and 2.4.2; Amplitude Surrogates, Table 2).
Activation = Literal["tanh", "gelu"]

PRESETS: dict[str, tuple[int, ...]] = {
    "small": (20, 40, 20),
    "large": (64, 128, 256, 512, 768, 386, 128, 64),
    "surrogate": (128, 256, 256, 128, 128, 64),
}


def hidden_layers(preset: str, own: str | None) -> tuple[int, ...]:
    """The hidden layers of a preset, or those written as ``64,64,32``.

    Raises:
        UsageError: an unknown preset, or something that is no list of widths.
    """
    if own is None:
        if preset not in PRESETS:
            raise UsageError(f'unknown preset "{preset}"', f"Known: {', '.join(PRESETS)}.")
        return PRESETS[preset]
    try:
        widths = tuple(int(word) for word in own.split(","))
    except ValueError:
        widths = ()
    if not widths or min(widths) < 1:
        raise UsageError(f"--hidden {own}: write the widths of the layers as 64,64,32")
    return widths


@dataclass(frozen=True)
class Mlp:
    """Architecture: layer widths from inputs to outputs; an activation between, linear at the end."""

    widths: tuple[int, ...]
    activation: Activation = "tanh"

    @cached_property
    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def n_parameters(self) -> int:
        return sum((rows + 1) * columns for rows, columns in self.shapes)

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
        layers, start = [], 0
        for n_in, n_out in self.shapes:
            weight = parameters[:, start : start + n_in * n_out].view(-1, n_in, n_out)
            start += n_in * n_out
            layers.append((weight, parameters[:, start : start + n_out].unsqueeze(1)))
            start += n_out
        return layers

    def forward(self, layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
        """(R, batch, inputs) -> (R, batch, outputs)."""
        x = inputs
        for number, (weight, bias) in enumerate(layers):
            x = torch.baddbmm(bias, x, weight)
            if number < len(layers) - 1:
                x = x.tanh_() if self.activation == "tanh" else torch.nn.functional.gelu(x)
        return x
