"""Our kinds of networks, declared without what they are made of: help and completion need no torch."""

from __future__ import annotations

from collections.abc import Callable

from ampcli.models.network import Network, NetworkKind
from ampcli.plugins import imported
from ampcli.records.architecture import Architecture


def _made_by(place: str) -> Callable[[Architecture], Network]:
    """The function at ``module:attribute``, imported when it is called."""

    def make(architecture: Architecture) -> Network:
        network: Network = imported(place)(architecture)
        return network

    return make


MLP = NetworkKind("mlp", _made_by("ampcli.models.mlp:Mlp.of"))
BAYESIAN = NetworkKind("bayesian", _made_by("ampcli.models.bayesian:BayesianMlp.of"), several_at_once=False)
SEPARATE = NetworkKind("separate", _made_by("ampcli.models.separate:SeparateNetworks.of"))
LGATR = NetworkKind("lgatr", _made_by("ampcli.models.equivariant:LGatr.of"), several_at_once=False, on_particles=True)
LLOCA = NetworkKind("lloca", _made_by("ampcli.models.equivariant:LLoCa.of"), several_at_once=False, on_particles=True)
