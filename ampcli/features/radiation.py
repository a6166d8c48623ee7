"""Blocks of one or two emissions undone (fg1, iq2, fg1^2, ...), and ``invariants`` without any.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 3.2 ("AS").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import make_provider
from ampcli.factorisation.dipoles import invariant_products
from ampcli.factorisation.radiation import (
    Kernel,
    Radiation,
    emissions,
    jet_legs,
    most_energetic,
    ranked,
    reduce_events,
    reduced_process,
)
from ampcli.kinematics import pair_positions
from ampcli.process import Process


def external_momenta(final: Tensor) -> Tensor:
    """Beams along +-z in front of final-state momenta (n, n_final, 4), from their sum."""
    total = final.sum(dim=1)
    plus, minus = 0.5 * (total[:, 0] + total[:, 3]), 0.5 * (total[:, 0] - total[:, 3])
    nothing = torch.zeros_like(plus)
    beams = torch.stack(
        [torch.stack([plus, nothing, nothing, plus], 1), torch.stack([minus, nothing, nothing, -minus], 1)], dim=1
    )
    return torch.cat([beams, final], dim=1)


def products(momenta: Tensor, process: Process) -> Tensor:
    """p_i.p_j of all external legs, (n, legs, legs)."""
    p = momenta.movedim((0, 1, 2), (2, 1, 0)).contiguous()
    found = invariant_products(p)
    for i, leg in enumerate(process.legs):
        if leg.mass > 0:  # the form for massless legs does not hold
            dots = p[0, i] * p[0] - p[1, i] * p[1] - p[2, i] * p[2] - p[3, i] * p[3]
            found[i], found[:, i] = dots, dots
    return found.permute(2, 0, 1).contiguous()


def log_invariants(found: Tensor, order: Tensor) -> Tensor:
    """ln p_l.p_m of all pairs of legs, the legs in the given order (n, legs): (n, pairs)."""
    rows = torch.arange(len(found), device=found.device)[:, None]
    pairs = pair_positions(found.shape[1])
    first, second = (torch.tensor(side, device=found.device) for side in zip(*pairs, strict=True))
    return found[rows, order[:, first], order[:, second]].log()


class InvariantsBlock:
    """inputs (n, pairs): ln p_l.p_m of all external legs, in the order of the process."""

    name = "invariants"
    version = 1

    def __init__(self, process: Process) -> None:
        self.process = process
        self.options: dict[str, Any] = {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        legs = self.process.n_external
        return {"inputs": (legs * (legs - 1) // 2,)}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        found = products(external_momenta(momenta), self.process)
        order = torch.arange(self.process.n_external, device=momenta.device).expand(len(momenta), -1)
        return {"inputs": log_invariants(found, order)}


class RadiationBlock:
    """An amplitude as kernel(s) times a reduced amplitude, and what a network needs to correct it.

    legs (n, 3 or 6): emitter, emitted gluon, spectator (external positions, of each step in its own event);
    variables (n, 2 or 4); kernel (n,): the product of the F [GeV^-2 or GeV^-4]; reduced_momenta (n, legs, 4): outgoing;
    reduced_amplitude (n,); inputs (n, ...): log-invariants with emitters and emitted legs reordered by singularity,
    momenta of emitter and emitted gluon, variables (AS, Table 3).

    Args:
        provider, parameters: of the reduced amplitudes.
    """

    version = 1

    def __init__(
        self,
        process: Process,
        radiation: Radiation,
        provider: str = "auto",
        parameters: Mapping[str, float] | None = None,
        kernel: Kernel = "corrected",
    ) -> None:
        self.process, self.radiation, self.kernel = process, radiation, kernel
        self.name = radiation.name
        self.parameters = dict(parameters or {})
        self.provider_name = provider
        self.options: dict[str, Any] = {"provider": provider, "parameters": self.parameters, "kernel": kernel}
        self.processes = [process]
        for step in (radiation, replace(radiation, rank=1))[: radiation.steps]:
            emissions(self.processes[-1], step)  # refuses what there is not
            self.processes.append(reduced_process(self.processes[-1]))

    @cached_property
    def provider(self) -> Provider:
        fixed = self.provider_name == "pyamplicol"
        return make_provider(self.provider_name, self.processes[-1], None if fixed else self.parameters)

    @property
    def alpha_s(self) -> float:
        return self.parameters.get("alpha_s", 0.118)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        steps, legs = self.radiation.steps, self.process.n_external
        return {
            "legs": (3 * steps,),
            "variables": (2 * steps,),
            "kernel": (),
            "reduced_momenta": (self.processes[-1].n_final, 4),
            "reduced_amplitude": (),
            "inputs": (legs * (legs - 1) // 2 + 8 + 2 * steps,),
        }

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        external = external_momenta(momenta)
        found = products(external, self.process)
        candidates = emissions(self.process, self.radiation)
        order = ranked(found, candidates)
        chosen = order[:, self.radiation.rank - 1]
        step = self._undo(external, found, self.process, candidates, chosen)
        steps = [step]
        if self.radiation.steps == 2:
            steps.append(self._undo_again(step))
        rows = torch.arange(len(momenta), device=momenta.device)
        emitter, emitted = (external[rows, step.legs[:, side]] for side in (0, 1))
        variables = torch.cat([s.variables for s in steps], dim=1)
        invariants = log_invariants(found, self._reordered(order, candidates))
        reduced = steps[-1].momenta
        return {
            "legs": torch.cat([s.legs for s in steps], dim=1).double(),
            "variables": variables,
            "kernel": torch.stack([s.kernel for s in steps]).prod(dim=0),
            "reduced_momenta": reduced[:, 2:].contiguous(),
            "reduced_amplitude": self._amplitude(reduced),
            "inputs": torch.cat([invariants, emitter, emitted, variables], dim=1),
        }

    def _undo(
        self, external: Tensor, found: Tensor, process: Process, candidates: list[tuple[int, int]], chosen: Tensor
    ) -> Any:
        pair = torch.tensor(candidates, device=external.device)[chosen]
        spectator = most_energetic(external, jet_legs(process), pair)
        legs = torch.cat([pair, spectator[:, None]], dim=1)
        return reduce_events(external, found, legs, self.radiation, process, self.kernel, self.alpha_s)

    def _undo_again(self, first: Any) -> Any:
        """The second emission shares the reduced particle of the first (AS, Sec. 2.3)."""
        process = self.processes[1]
        found = products(first.momenta, process)
        candidates = emissions(process, replace(self.radiation, rank=1))
        order = ranked(found, candidates)
        pairs = torch.tensor(candidates, device=found.device)
        shares = (pairs[order] == first.merged[:, None, None]).any(dim=2)
        chosen = order.gather(1, shares.int().argmax(dim=1, keepdim=True))[:, 0]
        return self._undo(first.momenta, found, process, candidates, chosen)

    def _reordered(self, order: Tensor, candidates: list[tuple[int, int]]) -> Tensor:
        """Legs with emitters and emitted gluons sorted by the rank at which they first occur; the chosen pair first."""
        rank = order.argsort(dim=1)
        rank = torch.where(rank == self.radiation.rank - 1, -1, rank)
        legs = self.process.n_external
        first_seen = torch.full((len(order), legs), 10**6, device=order.device)
        for column, pair in enumerate(candidates):
            for side, leg in enumerate(pair):
                first_seen[:, leg] = torch.minimum(first_seen[:, leg], 2 * rank[:, column] + side)
        result = torch.arange(legs, device=order.device).repeat(len(order), 1)
        for group in self._interchangeable(candidates):
            places = torch.tensor(group, device=order.device)
            result[:, places] = places[first_seen[:, places].argsort(dim=1, stable=True)]
        return result

    def _interchangeable(self, candidates: list[tuple[int, int]]) -> list[list[int]]:
        involved = sorted({leg for pair in candidates for leg in pair})
        incoming = [leg for leg in involved if leg < 2]
        gluons = [leg for leg in involved if leg >= 2 and self.process.legs[leg].kind == "gluon"]
        quarks = [leg for leg in involved if leg >= 2 and self.process.legs[leg].kind != "gluon"]
        return [group for group in (incoming, gluons, quarks) if len(group) > 1]

    def _amplitude(self, external: Tensor) -> Tensor:
        values = self.provider.evaluate(np.ascontiguousarray(external.cpu().numpy()))
        return torch.from_numpy(values).to(external.device)
