"""What turns gradients into steps, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from torch import Tensor

from ampcli.errors import UsageError
from ampcli.models.bayesian import BayesianMlp
from ampcli.models.equivariant import EquivariantNetwork
from ampcli.models.mlp import Mlp
from ampcli.models.network import Network
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


def make_optimiser(name: OptimiserName, network: Network, parameters: Tensor) -> Optimiser:
    """For parameters (R, P) of a network.

    Raises:
        UsageError: SOAP for a network that is more than a stack of matrices.
    """
    if name == "adam":
        return Adam.start(parameters)
    if not isinstance(network, Mlp | BayesianMlp):
        kind = network.kind if isinstance(network, EquivariantNetwork) else "separate ones"
        raise UsageError(f"--optimiser soap is for dense networks, not for {kind}", "Choose adam.")
    return Soap(network, parameters)
