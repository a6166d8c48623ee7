"""What rebuilds a network."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from ampcli.records.base import Frozen
from ampcli.records.settings import Activation


class Architecture(Frozen):
    """A network between the inputs and the outputs of its ansatz.

    Attributes:
        activation: function between layers.
        residual: whether layers of one width have skip connections.
        inputs: how many numbers go in.
        outputs: how many numbers come out.
    """

    hidden: tuple[PositiveInt, ...]
    """Widths of hidden layers; empty for networks with layers of their own."""
    activation: Activation = "tanh"
    residual: bool = False
    network: str = "mlp"
    """Its kind (`ampcli.models.network.NETWORKS`)."""
    particles: tuple[int, ...] = ()
    """PDG codes of the legs, beams first."""
    inputs: int = Field(ge=1)
    outputs: int = Field(ge=1)
    parameters: int | None = None
    """How many; None until the network is made."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        return (self.inputs, *self.hidden, self.outputs)
