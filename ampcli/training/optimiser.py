"""What turns gradients into steps, and the kinds that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ampcli.models.network import Network
from ampcli.plugins import Catalogue

if TYPE_CHECKING:
    from torch import Tensor


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


@dataclass(frozen=True)
class OptimiserKind:
    """A kind of optimiser."""

    name: str
    start: Callable[[Network, Tensor], Optimiser]
    """Makes one for a network and its parameters (R, P); raises UsageError where it cannot train that network."""


OPTIMISERS = Catalogue(
    "optimiser",
    OptimiserKind,
    None,
    {"adam": "ampcli.training.adam:ADAM", "soap": "ampcli.training.soap:SOAP"},
)
