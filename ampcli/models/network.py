"""What a network must offer, and the kinds that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from ampcli.plugins import Catalogue
from ampcli.records.architecture import Architecture

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Network(Protocol):
    """Functions of one (R, P) matrix of parameters, a row for each replica."""

    kind: ClassVar[str]
    """Its name in the catalogue."""
    stochastic: ClassVar[bool]
    """Training draws random numbers, and `complexity` is part of the loss."""

    @property
    def n_parameters(self) -> int: ...

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """First parameters (R, P), float32 on the CPU."""
        ...

    def split(self, parameters: Tensor) -> Any:
        """The layers in (R, P)."""
        ...

    def forward(self, layers: Any, inputs: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """(R, batch, inputs) -> (R, batch, outputs); stochastic networks draw from `noise` where it is given."""
        ...

    def complexity(self, parameters: Tensor) -> Tensor:
        """What stochastic networks add to the loss of all training points together, (R,)."""
        ...

    def members(self, parameters: Tensor) -> Any:
        """Layers of the networks (M of them) that predict together, from one replica's parameters (P,)."""
        ...


@runtime_checkable
class StackOfMatrices(Protocol):
    """What optimisers that know the layers need besides: all parameters are those of dense layers."""

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer; their matrices (inputs + 1, outputs), biases last, are a row of (R, P)."""
        ...


@dataclass(frozen=True)
class NetworkKind:
    """A kind of network."""

    name: str
    make: Callable[[Architecture], Network]
    several_at_once: bool = True
    """Replicas can train together."""
    on_particles: bool = False
    """It takes momenta of particles, whose symmetry a scale for each input would break, and has layers of its own."""


NETWORKS = Catalogue(
    "network",
    NetworkKind,
    None,
    {
        "mlp": "ampcli.models.networks:MLP",
        "bayesian": "ampcli.models.networks:BAYESIAN",
        "separate": "ampcli.models.networks:SEPARATE",
        "lgatr": "ampcli.models.networks:LGATR",
        "lloca": "ampcli.models.networks:LLOCA",
    },
)
