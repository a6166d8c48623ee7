"""What a network must offer, and the kinds that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from ampcli.models.bayesian import BayesianMlp
from ampcli.models.equivariant import EquivariantNetwork
from ampcli.models.mlp import Activation, Mlp
from ampcli.models.separate import SeparateNetworks

NetworkKind = Literal["mlp", "bayesian", "separate", "lgatr", "lloca"]

#: Kinds that take momenta of particles, whose symmetry a scale for each input would break.
EQUIVARIANT = ("lgatr", "lloca")


class Network(Protocol):
    """Functions of one (R, P) matrix of parameters, a row for each replica."""

    stochastic: ClassVar[bool]
    """Training draws random numbers, and `complexity` is part of the loss."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        ...

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


def make_network(
    kind: NetworkKind, widths: tuple[int, ...], activation: Activation, residual: bool, particles: Sequence[int]
) -> Network:
    """A network of these layers; `particles` are PDG codes of the legs, for those that take momenta."""
    if kind == "lgatr" or kind == "lloca":
        return EquivariantNetwork(kind, widths, tuple(particles))
    if kind == "separate":
        return SeparateNetworks(Mlp((*widths[:-1], 1), activation, residual), widths[-1])
    dense = Mlp(widths, activation, residual)
    return BayesianMlp(dense) if kind == "bayesian" else dense
