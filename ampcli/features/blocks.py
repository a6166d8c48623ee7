"""Named feature blocks: the same code fills a store and serves a model at inference."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ampcli.errors import UsageError
from ampcli.factorisation.radiation import parse_radiation
from ampcli.process import Process


class FeatureBlock(Protocol):
    """A pure function of final-state momenta."""

    name: str
    version: int
    options: dict[str, Any]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Trailing shape of each array."""
        ...

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        """Arrays of a batch: (n, n_final, 4) float64 in GeV -> {name: (n, ...)} float64, same device."""
        ...


def make_block(name: str, process: Process, options: dict[str, Any]) -> FeatureBlock:
    """The block of that name for a process.

    Raises:
        UsageError: an unknown block, or one that does not apply to the process.
    """
    if name == "fame":
        from ampcli.features.fame import FameBlock

        return FameBlock(process, **options)
    if name == "invariants":
        from ampcli.features.radiation import InvariantsBlock

        return InvariantsBlock(process)
    if (radiation := parse_radiation(name)) is not None:
        from ampcli.features.radiation import RadiationBlock

        return RadiationBlock(process, radiation, **options)
    raise UsageError(f'unknown features "{name}"', "Known: fame, invariants, fg1, fq2, ig1, iq1, fg1^2 and such.")
