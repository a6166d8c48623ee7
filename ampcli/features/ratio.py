"""The block ``ratio``: a reference amplitude that is cheap, and invariants.

What is learned is the ratio of the exact values to it: K-factors of loop corrections (compare D. Maître, H. Truong,
2302.04005), the effect of an operator over the Standard Model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import choose_kind, provider_of
from ampcli.amplitudes.tensors import evaluate_tensor
from ampcli.factorisation.momenta import external_momenta
from ampcli.features.momenta import InvariantsBlock
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord


class RatioBlock:
    """base (n,): the reference amplitude; inputs (n, pairs + 1): ln p_l.p_m in canonical order, ln base.

    Args:
        base: the record of its provider; None: there is none, and base is 1.
    """

    name = "ratio"
    version = 1

    def __init__(self, process: Process, base: Mapping[str, Any] | None) -> None:
        self.process = process
        self.record = None if base is None else ProviderRecord.model_validate(base)
        self.options: dict[str, Any] = {"base": base}
        self._invariants = InvariantsBlock(process)

    @cached_property
    def provider(self) -> Provider | None:
        """Of the reference amplitude."""
        return None if self.record is None else provider_of(self.record, self.process)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        pairs = self._invariants.shapes()["inputs"][0]
        return {"inputs": (pairs + (self.record is not None),), "base": ()}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        inputs = self._invariants.compute(momenta)["inputs"]
        if self.provider is None:
            return {"inputs": inputs, "base": torch.ones(len(momenta), dtype=momenta.dtype, device=momenta.device)}
        base = evaluate_tensor(self.provider, external_momenta(momenta))
        return {"inputs": torch.cat([inputs, base.log()[:, None]], dim=1), "base": base}


def reference_record(name: str, process: Process, parameters: Mapping[str, float]) -> dict[str, Any]:
    """What identifies the reference amplitude of a provider.

    Args:
        parameters: couplings and masses of the exact values; those that the provider has too are taken.

    Raises:
        UsageError: an unknown provider, one that does not cover the process, or none that is positive everywhere.
    """
    kind = choose_kind(name, process)
    taken = {key: value for key, value in parameters.items() if key in kind.parameters}
    return kind.make(process, taken).identity().model_dump(mode="json")
