"""SOAP (N. Vyas et al., 2409.11321): Adam in the eigenbasis of Shampoo's preconditioner, on the (R, P) matrix.

A layer's weights and biases are one matrix (inputs + 1, outputs), the bias being the weight of a constant input.  All
replicas' layers of one shape go through batched products, decompositions included.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ampcli.errors import UsageError, setting
from ampcli.models.network import Network, StackOfMatrices
from ampcli.training.compiled.engine import steps
from ampcli.training.optimiser import OptimiserKind

BETA1, BETA2 = 0.95, 0.95
EPSILON = 1e-8
UPDATE = 2  # steps between updates of the preconditioners
REFRESH = 20  # steps between updates of the eigenbases


@dataclass
class Group:
    """Layers of one shape that follow each other, and both sides' preconditioners and eigenbases, (R, layers, n, n)."""

    first: int
    """Of all layers, the one that it begins with."""
    layers: int
    shape: tuple[int, int]
    """(inputs + 1, outputs)."""
    start: int
    """Where its parameters begin."""
    preconditioners: list[Tensor]
    """G G^T on the side of the inputs, G^T G on that of the outputs."""
    bases: list[Tensor]

    def matrices(self, parameters: Tensor) -> Tensor:
        """The view (R, layers, inputs + 1, outputs) of them in (R, P)."""
        rows, columns = self.shape
        piece = parameters[:, self.start : self.start + self.layers * rows * columns]
        return piece.view(-1, self.layers, rows, columns)


class _Turns:
    """Steps in the eigenbases on processors with AMX (compiled/soap.h): products of float32 rounded to 8 bits."""

    @staticmethod
    def usable(parameters: Tensor) -> bool:
        return parameters.device.type == "cpu" and parameters.dtype == torch.float32 and bool(steps().halves_usable())

    def __init__(self, groups: Sequence[Group], parameters: Tensor) -> None:
        shapes = [group.shape for group in groups for _ in range(group.layers)]
        self._compiled = steps().Turns(shapes=shapes, replicas=len(parameters))

    def turn_to(self, group: Group) -> None:
        """Take over the bases of a group."""
        left, right = (basis.contiguous().numpy() for basis in group.bases)
        for replica, layer in itertools.product(range(len(left)), range(group.layers)):
            self._compiled.turn_to(replica, group.first + layer, left[replica, layer], right[replica, layer])

    def learn(self, group: Group, gradient: Tensor, weight: float) -> None:
        """`Soap._learn` of a group."""
        arrays = [tensor.numpy() for tensor in (gradient.contiguous(), *group.preconditioners)]
        self._compiled.learn(group.first, *arrays, weight=weight, threads=torch.get_num_threads())

    def step(
        self,
        parameters: Tensor,
        gradient: Tensor,
        first: Tensor,
        second: Tensor,
        rates: Tensor,
        scale: Tensor,
        weight_decay: float,
    ) -> None:
        arrays = [tensor.numpy() for tensor in (parameters, gradient.contiguous(), first, second, rates, scale)]
        self._compiled.step(
            *arrays, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, decay=weight_decay, threads=torch.get_num_threads()
        )


class Soap:
    """Moments in the eigenbases, and both preconditioners with their eigenbases for every layer.

    The paper updates the preconditioners in every step and the eigenbases in every tenth.  Half as often costs half and
    teaches as well (d d~ > z g g g g, 40 epochs, 6 seeds); eigenbases of every 32nd step made errors 7 % larger.
    """

    def __init__(self, network: StackOfMatrices, parameters: Tensor) -> None:
        self.steps = 0
        self.first, self.second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.groups: list[Group] = []
        layer = start = 0
        for (inputs, outputs), same in itertools.groupby(network.shapes):
            count = len(list(same))
            sides = [parameters.new_zeros((len(parameters), count, n, n)) for n in (inputs + 1, outputs) for _ in "PB"]
            self.groups.append(Group(layer, count, (inputs + 1, outputs), start, sides[0::2], sides[1::2]))
            layer, start = layer + count, start + count * (inputs + 1) * outputs
        self._turns = _Turns(self.groups, parameters) if _Turns.usable(parameters) else None

    def tensors(self) -> dict[str, Tensor]:
        """All that `restore` needs besides the number of steps."""
        found = {"first": self.first, "second": self.second}
        for name, group, kept, index in self._sides():
            found[name] = getattr(group, kept)[index[0]][:, index[1]]
        return found

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        self.steps = steps
        self.first, self.second = tensors["first"], tensors["second"]
        for name, group, kept, index in self._sides():
            getattr(group, kept)[index[0]][:, index[1]] = tensors[name]
        self._bases_changed()

    def _sides(self) -> Iterator[tuple[str, Group, str, tuple[int, int]]]:
        """Names in checkpoints; where they are: the group, what of it, the side and the layer."""
        for group in self.groups:
            for layer in range(group.layers):
                for side in (0, 1):
                    number = 2 * (group.first + layer) + side
                    yield f"preconditioner.{number}", group, "preconditioners", (side, layer)
                    yield f"basis.{number}", group, "bases", (side, layer)

    @torch.no_grad()
    def step(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor, weight_decay: float = 0.0) -> None:
        """Update `parameters` (R, P) in place; `learning_rate` (R,).

        The first call only learns the bases.
        """
        if self.steps > 0:
            self._move(parameters, gradient, learning_rate, weight_decay)
        if self.steps % UPDATE == 0:
            weight = 1.0 - BETA2 ** (UPDATE if self.steps > 0 else 1)
            for group in self.groups:
                self._learn(group, gradient, weight)
        if self.steps % REFRESH == 0:
            for group in self.groups:
                if self.steps == 0:
                    group.bases = [torch.linalg.eigh(matrix)[1].flip(-1) for matrix in group.preconditioners]
                else:
                    self._refresh(group)
            self._bases_changed()
        self.steps += 1

    def _learn(self, group: Group, gradient: Tensor, weight: float) -> None:
        """Blend the gradient's squares into the preconditioners."""
        if self._turns is not None:
            self._turns.learn(group, gradient, weight)
            return
        slope = group.matrices(gradient)
        group.preconditioners[0].lerp_(slope @ slope.mT, weight)
        group.preconditioners[1].lerp_(slope.mT @ slope, weight)

    def _move(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor, weight_decay: float) -> None:
        """Adam's step in the eigenbases."""
        scale = learning_rate * ((1.0 - BETA2**self.steps) ** 0.5 / (1.0 - BETA1**self.steps))
        if self._turns is not None:
            self._turns.step(parameters, gradient, self.first, self.second, learning_rate, scale, weight_decay)
            return
        if weight_decay > 0:
            parameters.mul_((1.0 - weight_decay * learning_rate)[:, None])
        for group in self.groups:
            left, right = group.bases
            first, second = group.matrices(self.first), group.matrices(self.second)
            turned = left.mT @ group.matrices(gradient) @ right
            first.lerp_(turned, 1.0 - BETA1)
            second.mul_(BETA2).addcmul_(turned, turned, value=1.0 - BETA2)
            direction = first / second.sqrt().add_(EPSILON)
            group.matrices(parameters).sub_(scale[:, None, None, None] * (left @ direction @ right.mT))

    def _refresh(self, group: Group) -> None:
        """One power iteration of both eigenbases, from the largest eigenvalue to the smallest; moments go along."""
        first, second = group.matrices(self.first), group.matrices(self.second)
        moment = group.bases[0] @ first @ group.bases[1].mT
        for side, dimension in ((0, 2), (1, 3)):
            basis, matrix = group.bases[side], group.preconditioners[side]
            turned = matrix @ basis
            order = (basis * turned).sum(dim=2).argsort(dim=2, descending=True)
            columns = order[:, :, None, :].expand_as(turned)
            group.bases[side] = torch.linalg.qr(turned.gather(3, columns))[0]
            rows = order[:, :, :, None] if dimension == 2 else order[:, :, None, :]
            second.copy_(second.gather(dimension, rows.expand_as(second)))
        first.copy_(group.bases[0].mT @ moment @ group.bases[1])

    def _bases_changed(self) -> None:
        if self._turns is not None:
            for group in self.groups:
                self._turns.turn_to(group)


def _start(network: Network, parameters: Tensor) -> Soap:
    if not isinstance(network, StackOfMatrices):
        raise UsageError(
            f"{setting('optimiser')} soap is for dense networks, not for the kind {network.kind}", "Choose adam."
        )
    return Soap(network, parameters)


SOAP = OptimiserKind("soap", _start)
