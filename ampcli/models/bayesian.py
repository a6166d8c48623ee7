"""Bayesian dense networks: independent Gaussian weights, trained by the evidence lower bound.

D. Kingma, T. Salimans, M. Welling, 1506.02557 (local reparametrisation); for amplitudes: M. Badger et al., 2206.14831.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ampcli.models.mlp import Mlp
from ampcli.records.architecture import Architecture

Layer = tuple[Tensor, Tensor, Tensor, Tensor]  # means of weights and biases, logarithms of their deviations

_FIRST_LOG_SIGMA = -5.0
MEMBERS, _SEED = 16, 20_220_614  # networks drawn for predictions


@dataclass(frozen=True)
class BayesianMlp:
    """Parameters are the means of the weights of `dense`, and then the logarithms of their standard deviations."""

    dense: Mlp

    kind: ClassVar[str] = "bayesian"
    stochastic: ClassVar[bool] = True

    @classmethod
    def of(cls, architecture: Architecture) -> BayesianMlp:
        """The network of an architecture."""
        return cls(Mlp.of(architecture))

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer, for means and deviations."""
        return 2 * self.dense.shapes

    @property
    def n_parameters(self) -> int:
        return 2 * self.dense.n_parameters

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """The means are those of `dense`; all deviations are equal and small."""
        means = self.dense.initialise(seeds)
        return torch.cat([means, torch.full_like(means, _FIRST_LOG_SIGMA)], dim=1)

    def split(self, parameters: Tensor) -> list[Layer]:
        """Means and log-deviations of each layer in (R, P)."""
        means, logs = (self.dense.split(half) for half in parameters.chunk(2, dim=1))
        return [(*mean, *log) for mean, log in zip(means, logs, strict=True)]

    def forward(self, layers: Sequence[Layer], inputs: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """With `noise`, every point sees weights of its own; without, the means."""

        def linear(layer: Layer, x: Tensor) -> Tensor:
            weight, bias, log_weight, log_bias = layer
            mean = torch.baddbmm(bias, x, weight)
            if noise is None:
                return mean
            variance = torch.baddbmm((2 * log_bias).exp(), x.square(), (2 * log_weight).exp())
            drawn = torch.randn(mean.shape, generator=noise, device=mean.device, dtype=mean.dtype)
            return mean + variance.sqrt() * drawn

        return self.dense.propagate(layers, inputs, linear)

    def complexity(self, parameters: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the weights' distribution from unit Gaussians, (R,)."""
        means, logs = parameters.chunk(2, dim=1)
        return (0.5 * ((2 * logs).exp() + means.square() - 1.0) - logs).sum(dim=1)

    def members(self, parameters: Tensor) -> list[Layer]:
        """Networks drawn from the distribution, always the same ones: layers with the leading dimension 16."""
        means, logs = (half.cpu() for half in parameters.chunk(2))
        generator = torch.Generator().manual_seed(_SEED)
        drawn = means + logs.exp() * torch.randn((MEMBERS, len(means)), generator=generator)
        return self.split(torch.cat([drawn, torch.full_like(drawn, -torch.inf)], dim=1).to(parameters.device))


def mixture(amplitudes: Tensor, relative: Tensor) -> tuple[Tensor, Tensor]:
    """The members' (M, n) predictions together, (1, n) each: the mean of ln|M|^2, and the law of total variance."""
    logs = amplitudes.log()
    variance = relative.square().mean(0, keepdim=True) + logs.var(0, correction=0, keepdim=True)
    return logs.mean(0, keepdim=True).exp(), variance.sqrt()
