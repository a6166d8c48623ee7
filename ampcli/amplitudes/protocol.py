"""What ampcli asks of a source of exact amplitudes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ampcli.kinematics import FloatArray
from ampcli.process import Process


@dataclass(frozen=True)
class ProviderIdentity:
    """What must agree for two stores to hold the same function: part of a store's digest."""

    name: str
    version: str
    options: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "options": dict(self.options),
            "parameters": dict(self.parameters),
        }


class Provider(Protocol):
    """Exact |M|^2: summed over final and averaged over initial spins and colours, 1/k! for k identical particles.

    Providers are picklable and are opened in each process that evaluates them.
    """

    process: Process

    def identity(self) -> ProviderIdentity:
        """Name, version, options and physical parameters; prepares the provider where that is needed."""
        ...

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,).

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why.
        """
        ...
