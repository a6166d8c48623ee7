"""SOAP (N. Vyas et al., 2409.11321): Adam in the eigenbasis of Shampoo's preconditioner, on the (R, P) matrix.

A layer's weights and biases are one matrix (inputs + 1, outputs), the bias being the weight of a constant input.  All
replicas' layers of one shape go through batched products, decompositions included.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ampcli.errors import UsageError, setting
from ampcli.models.network import Network, StackOfMatrices
from ampcli.training.optimiser import OptimiserKind

BETA1, BETA2 = 0.95, 0.95
EPSILON = 1e-8
REFRESH = 10  # steps between updates of the eigenbases


class Soap:
    """Moments in the eigenbases, and both preconditioners with their eigenbases for every layer."""

    def __init__(self, network: StackOfMatrices, parameters: Tensor) -> None:
        self.network = network
        self.steps = 0
        self.first, self.second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        sides = [(len(parameters), side, side) for rows, columns in network.shapes for side in (rows + 1, columns)]
        # Of each layer: G G^T on the side of the inputs, G^T G on that of the outputs.
        self.preconditioners = [parameters.new_zeros(side) for side in sides]
        self.bases = [parameters.new_zeros(side) for side in sides]

    def tensors(self) -> dict[str, Tensor]:
        """All that `restore` needs besides the number of steps."""
        found = {"first": self.first, "second": self.second}
        for number, (matrix, basis) in enumerate(zip(self.preconditioners, self.bases, strict=True)):
            found |= {f"preconditioner.{number}": matrix, f"basis.{number}": basis}
        return found

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        self.steps = steps
        self.first, self.second = tensors["first"], tensors["second"]
        self.preconditioners = [tensors[f"preconditioner.{n}"] for n in range(len(self.preconditioners))]
        self.bases = [tensors[f"basis.{n}"] for n in range(len(self.bases))]

    @torch.no_grad()
    def step(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor, weight_decay: float = 0.0) -> None:
        """Update `parameters` (R, P) in place; `learning_rate` (R,).

        The first call only learns the bases.
        """
        layers = [self.network.matrices(matrix) for matrix in (parameters, gradient, self.first, self.second)]
        if weight_decay > 0 and self.steps > 0:
            parameters.mul_((1.0 - weight_decay * learning_rate)[:, None])
        correction = (1.0 - BETA2**self.steps) ** 0.5 / (1.0 - BETA1**self.steps) if self.steps else 0.0
        scale = (learning_rate * correction)[:, None, None]
        for number, (weights, slope, first, second) in enumerate(zip(*layers, strict=True)):
            sides = slice(2 * number, 2 * number + 2)
            left, right = self.bases[sides]
            if self.steps > 0:
                turned = left.mT @ slope @ right
                first.lerp_(turned, 1.0 - BETA1)
                second.mul_(BETA2).addcmul_(turned, turned, value=1.0 - BETA2)
                direction = first / second.sqrt().add_(EPSILON)
                weights.sub_(scale * (left @ direction @ right.mT))
            self.preconditioners[sides.start].lerp_(slope @ slope.mT, 1.0 - BETA2)
            self.preconditioners[sides.start + 1].lerp_(slope.mT @ slope, 1.0 - BETA2)
            if self.steps == 0:
                self.bases[sides] = [torch.linalg.eigh(m)[1].flip(-1) for m in self.preconditioners[sides]]
            elif self.steps % REFRESH == 0:
                self._refresh(sides, first, second)
        self.steps += 1

    def _refresh(self, sides: slice, first: Tensor, second: Tensor) -> None:
        """One power iteration of both eigenbases, from the largest eigenvalue to the smallest; moments go along."""
        first.copy_(self.bases[sides.start] @ first @ self.bases[sides.start + 1].mT)
        for side, dimension in ((sides.start, 1), (sides.start + 1, 2)):
            basis, matrix = self.bases[side], self.preconditioners[side]
            turned = matrix @ basis
            order = (basis * turned).sum(dim=1).argsort(dim=1, descending=True)
            columns = order[:, None, :].expand_as(turned)
            self.bases[side] = torch.linalg.qr(turned.gather(2, columns))[0]
            rows = order[:, :, None] if dimension == 1 else order[:, None, :]
            second.copy_(second.gather(dimension, rows.expand_as(second)))
        first.copy_(self.bases[sides.start].mT @ first @ self.bases[sides.start + 1])


def _start(network: Network, parameters: Tensor) -> Soap:
    if not isinstance(network, StackOfMatrices):
        raise UsageError(
            f"{setting('optimiser')} soap is for dense networks, not for the kind {network.kind}", "Choose adam."
        )
    return Soap(network, parameters)


SOAP = OptimiserKind("soap", _start)
