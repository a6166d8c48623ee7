"""The blocks ``momenta`` and ``invariants``: an event as it is, without any emission undone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.features.canonical import canonical_order, identical_outgoing
from ampcli.features.compiled import engine
from ampcli.kinematics import pair_positions
from ampcli.library.bundle import Value
from ampcli.process import Process


def log_invariants(found: Tensor, order: Tensor) -> Tensor:
    """ln p_l.p_m of all pairs of legs, the legs in the given order (n, legs): (n, pairs)."""
    rows = torch.arange(len(found), device=found.device)[:, None]
    pairs = pair_positions(found.shape[1])
    first, second = (torch.tensor(side, device=found.device) for side in zip(*pairs, strict=True))
    return found[rows, order[:, first], order[:, second]].log()


class InvariantsBlock:
    """inputs (n, pairs): ln p_l.p_m of all external legs, in the order of the process, identical particles by pT.

    Args:
        version: 1 is that of old models, which left identical particles as they came.
    """

    name = "invariants"

    def __init__(self, process: Process, version: int | None = None) -> None:
        self.process = process
        self.version = 1 if version == 1 else 2
        self.options: dict[str, Any] = {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        legs = self.process.n_external
        return {"inputs": (legs * (legs - 1) // 2,)}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        found = external_products(external_momenta(momenta), self.process)
        order = torch.arange(self.process.n_external, device=momenta.device).repeat(len(momenta), 1)
        if self.version > 1:
            order[:, 2:] = 2 + canonical_order(momenta, self.process)
        return {"inputs": log_invariants(found, order)}

    def bundle(self) -> dict[str, Value]:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`): a task without an emission."""
        massive = [leg.mass > 0 for leg in self.process.legs]
        nothing = engine.Step(
            last_gluon=0, rank=0, candidates=[], jets=[], massive=massive, gluon=[False] * len(massive)
        )
        # Seen without longitudinal momentum: it makes no difference to invariants.
        choices = engine.Choices(
            initial=False,
            either=False,
            printed_kernel=False,
            delta_r=False,
            spectator=0,
            extended=False,
            orient=False,
            canonical=self.version > 1,
            coupling=1.0,
        )
        task = engine.make_task(
            steps=[nothing],
            identical=[[2 + place for place in places] for places in identical_outgoing(self.process)],
            exchangeable=[],
            columns=self.shapes()["inputs"][0],
            choices=choices,
        )
        return {"tasks": np.frombuffer(task, dtype=np.uint8)[None]}


class MomentaBlock:
    """inputs (n, 4 legs): E, px, py, pz of all external legs in GeV, in the order of the process."""

    name = "momenta"
    version = 1

    def __init__(self, process: Process) -> None:
        self.process = process
        self.options: dict[str, Any] = {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"inputs": (4 * self.process.n_external,)}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        return {"inputs": external_momenta(momenta).flatten(1)}
