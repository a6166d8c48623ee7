"""The gradient of a loss: of any network by torch's graph, of dense ones on a CPU by a compiled pass without it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ampcli.models.ansatz import Ansatz, Batch
from ampcli.models.mlp import Mlp
from ampcli.models.network import Network
from ampcli.training.compiled.engine import steps

#: From this width of all hidden layers on, processors with AMX multiply halves of numbers (compiled/halves.h): that is
#: faster, and their rounding (2^-17) does not show in what networks learn.
_WIDE = 64


class Losses(NamedTuple):
    """Of a batch: error and penalty (R,), as `Ansatz.losses`, and the gradient (R, P) of their sum."""

    error: Tensor
    penalty: Tensor
    gradient: Tensor


class Gradient(Protocol):
    """Losses of a batch (R, batch, ...) for parameters (R, P); the gradient's memory may be used again."""

    def __call__(self, parameters: Tensor, batch: Batch, noise: torch.Generator | None, rows: int) -> Losses: ...


class GraphGradient:
    """By torch's graph of operations, on any device."""

    def __init__(self, network: Network, ansatz: Ansatz[Any]) -> None:
        self.network, self.ansatz = network, ansatz

    def __call__(self, parameters: Tensor, batch: Batch, noise: torch.Generator | None, rows: int) -> Losses:
        """`rows`: of the whole table, over which stochastic networks spread their complexity."""
        parameters = parameters.detach().requires_grad_()
        outputs = self.network.forward(self.network.split(parameters), batch.inputs, noise)
        error, penalty = self.ansatz.losses(outputs, batch)
        if self.network.stochastic:
            penalty = penalty + self.network.complexity(parameters) / rows
        (gradient,) = torch.autograd.grad((error + penalty).sum(), parameters)
        return Losses(error.detach(), penalty.detach(), gradient)


class DenseGradient:
    """Of a dense network on a CPU: only what the ansatz makes of the few outputs has a graph."""

    def __init__(self, network: Mlp, ansatz: Ansatz[Any]) -> None:
        self.ansatz = ansatz
        self.outputs = network.widths[-1]
        module = steps()
        self.passes = module.Dense(
            widths=list(network.widths),
            residual=network.residual,
            activation=network.activation,
            halves=module.halves_usable() and min(network.widths[1:-1], default=0) >= _WIDE,
        )
        self.gradient = torch.empty(0)

    def __call__(self, parameters: Tensor, batch: Batch, noise: torch.Generator | None, rows: int) -> Losses:
        threads = torch.get_num_threads()
        outputs = torch.empty((*batch.inputs.shape[:2], self.outputs))
        self.passes.forward(parameters.detach().numpy(), batch.inputs.numpy(), outputs.numpy(), threads)
        error, penalty, slopes = self.ansatz.slopes(outputs, batch)
        if self.gradient.shape != parameters.shape:
            self.gradient = torch.empty(parameters.shape)
        self.passes.backward(slopes.contiguous().numpy(), self.gradient.numpy(), threads)
        return Losses(error, penalty, self.gradient)


def gradient_of(network: Network, ansatz: Ansatz[Any], device: torch.device) -> Gradient:
    """The fastest way for a network on a device."""
    if isinstance(network, Mlp) and device.type == "cpu":
        return DenseGradient(network, ansatz)
    return GraphGradient(network, ansatz)
