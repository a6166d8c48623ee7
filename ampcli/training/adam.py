"""Adam (D.P. Kingma, J. Ba, 1412.6980) on the (R, P) parameter matrix, with a learning rate for each replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ampcli.training.compiled.engine import steps
from ampcli.training.optimiser import OptimiserKind

BETA1, BETA2 = 0.9, 0.999
EPSILON = 1e-7  # Keras' default, as in the paper


@dataclass
class Adam:
    """First and second moments and the number of steps taken."""

    first: Tensor
    second: Tensor
    steps: int = 0

    @classmethod
    def start(cls, parameters: Tensor) -> Adam:
        return cls(torch.zeros_like(parameters), torch.zeros_like(parameters))

    def tensors(self) -> dict[str, Tensor]:
        """All that `restore` needs besides the number of steps."""
        return {"first": self.first, "second": self.second}

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        self.first, self.second, self.steps = tensors["first"], tensors["second"], steps

    @torch.no_grad()
    def step(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor, weight_decay: float = 0.0) -> None:
        """Update `parameters` (R, P) in place; `learning_rate` (R,), 0 for replicas that have stopped.

        The weight decay is decoupled from the gradient (I. Loshchilov, F. Hutter, 1711.05101).
        """
        self.steps += 1
        if parameters.device.type == "cpu" and parameters.dtype == torch.float32:
            self._compiled_step(parameters, gradient, learning_rate, weight_decay)
            return
        if weight_decay > 0:
            parameters.mul_((1.0 - weight_decay * learning_rate)[:, None])
        self.first.lerp_(gradient, 1.0 - BETA1)
        self.second.mul_(BETA2).addcmul_(gradient, gradient, value=1.0 - BETA2)
        size = (self.second / (1.0 - BETA2**self.steps)).sqrt_().add_(EPSILON)
        scale = learning_rate / (1.0 - BETA1**self.steps)
        parameters.sub_(torch.div(self.first, size, out=size).mul_(scale[:, None]))

    def _compiled_step(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor, weight_decay: float) -> None:
        """In one pass over all of them."""
        module = steps()
        moments = module.Moments(
            beta1=BETA1,
            beta2=BETA2,
            correction1=1.0 - BETA1**self.steps,
            correction2=1.0 - BETA2**self.steps,
            epsilon=EPSILON,
        )
        arrays = [
            tensor.numpy() for tensor in (parameters, gradient.contiguous(), self.first, self.second, learning_rate)
        ]
        module.adam(*arrays, moments, weight_decay, torch.get_num_threads())


ADAM = OptimiserKind("adam", lambda network, parameters: Adam.start(parameters))
