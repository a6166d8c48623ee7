"""Features of e+ e- -> q q~ g: logarithms of invariants, and the factor that is singular where the gluon is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.features.blocks import BlockKind, FeatureBlock
from ampcli.process import Process


class StringBlock:
    """inputs (n, 6): ln(2 p_i.p_j / s) of all pairs of partons, cosines of their angles with the beam;
    base (n,): s / (4 p_q.p_g p_q~.p_g) in GeV^-2.
    """

    name = "string"
    version = 1

    def __init__(self, process: Process) -> None:
        kinds = sorted(leg.kind for leg in process.outgoing)
        if kinds != ["antiquark", "gluon", "quark"]:
            raise UsageError(f'the features string are for q q~ g, not for "{process}"')
        self.partons = [process.final_positions(kind)[0] for kind in ("quark", "antiquark", "gluon")]
        self.options: dict[str, Any] = {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"inputs": (6,), "base": ()}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        p = momenta[:, self.partons]
        energy = p[..., 0].sum(dim=1)
        products = [
            p[:, i, 0] * p[:, j, 0] - (p[:, i, 1:] * p[:, j, 1:]).sum(dim=1) for i, j in ((0, 1), (0, 2), (1, 2))
        ]
        logs = [(2 * product / energy.square()).log() for product in products]
        cosines = (p[..., 3] / p[..., 0]).unbind(dim=1)
        return {
            "inputs": torch.stack([*logs, *cosines], dim=1),
            "base": energy.square() / (4 * products[1] * products[2]),
        }


class _StringKind(BlockKind):
    name = "string"
    examples = ("string",)

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        return StringBlock(process)


STRING = _StringKind()
