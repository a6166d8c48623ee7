"""What turns gradients into steps, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from torch import Tensor

from ampcli.models.mlp import Mlp
from ampcli.training.adam import Adam
from ampcli.training.soap import Soap

OptimiserName = Literal["adam", "soap"]


class Optimiser(Protocol):
    """Works on the (R, P) matrix of parameters."""

    steps: int

    def step(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor, weight_decay: float) -> None:
        """Update `parameters` (R, P) in place; `learning_rate` (R,), 0 for replicas that have stopped."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that `restore` needs besides the number of steps."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None: ...


def make_optimiser(name: OptimiserName, network: Mlp, parameters: Tensor) -> Optimiser:
    """For parameters (R, P) of a network."""
    return Soap(network, parameters) if name == "soap" else Adam.start(parameters)
