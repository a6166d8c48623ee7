"""Blocks of one or two emissions undone (fg1, iq2, fg1^2, ...).

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 3.2 ("AS").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import choose_kind
from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.factorisation.radiation import (
    Choices,
    Kernel,
    Pair,
    Radiation,
    Reduction,
    Spectator,
    choose_spectator,
    distances,
    emissions,
    emitter_first,
    gluon_legs,
    last_gluon,
    ranked,
    reduce_events,
    reduced_process,
)
from ampcli.features import _radiation
from ampcli.features.canonical import canonical_events, canonical_pair
from ampcli.features.radiation_inputs import Inputs, cosines, log_variables, mirror_symmetric, splitting_azimuths
from ampcli.kinematics import pair_positions
from ampcli.process import Process


def log_invariants(found: Tensor, order: Tensor) -> Tensor:
    """ln p_l.p_m of all pairs of legs, the legs in the given order (n, legs): (n, pairs)."""
    rows = torch.arange(len(found), device=found.device)[:, None]
    pairs = pair_positions(found.shape[1])
    first, second = (torch.tensor(side, device=found.device) for side in zip(*pairs, strict=True))
    return found[rows, order[:, first], order[:, second]].log()


class RadiationBlock:
    """An amplitude as kernel(s) times a reduced amplitude, and what a network needs to correct it.

    legs (n, 3 or 6): emitter, emitted gluon, spectator (external positions, of each step in its own event);
    variables (n, 2 or 4); kernel (n,): the product of the F [GeV^-2 or GeV^-4]; reduced_momenta (n, legs, 4): outgoing;
    reduced_amplitude (n,); inputs (n, ...).  The paper's inputs (AS, Table 3) are log-invariants with emitters and
    emitted legs reordered by singularity, momenta of emitter and emitted gluon, and the variables; the extended ones
    are log-invariants in the order emitter, emitted gluon, spectator, others by pT, angles, ln F and logarithms of the
    variables, all invariant under boosts along the beams.  Where the emitter may be a quark or a gluon (fa1), a last
    input tells which.

    Choices that would see the frame or the labels of identical particles are made for the canonical event
    (`ampcli.features.canonical`): there, reduced momenta and the legs of a second step are those of that event, and the
    paper's momenta have one orientation.

    Args:
        name: in the store and in manifests; ``fg1+`` beside ``fg1``.
        provider, parameters: of the reduced amplitudes.
        kernel, pair, spectator: see `Choices`.
        inputs: "paper" or "extended".
        orient: use the exact symmetry under exchange of the beams, where the process has it.
        version: 2 is that of old models, which took events as they came; the improved choices never needed more.
    """

    def __init__(
        self,
        process: Process,
        radiation: Radiation,
        name: str,
        provider: str = "auto",
        parameters: Mapping[str, float] | None = None,
        kernel: Kernel = "corrected",
        pair: Pair = "product",
        spectator: Spectator = "energetic",
        inputs: Inputs = "paper",
        orient: bool = False,
        version: int | None = None,
    ) -> None:
        invariant = inputs == "extended" and pair == "delta-r" and spectator == "s-ijk"
        self.version = 2 if invariant or version == 2 else 3
        self.process, self.radiation, self.name = process, radiation, name
        self.choices = Choices(kernel, pair, spectator)
        self.extended = inputs == "extended"
        self.orient = orient
        self.parameters = dict(parameters or {})
        self.provider_name = provider
        self.options: dict[str, Any] = {
            "provider": provider,
            "parameters": self.parameters,
            "kernel": kernel,
            "pair": pair,
            "spectator": spectator,
            "inputs": inputs,
            "orient": orient,
        }
        self.processes = [process]
        for step in (radiation, replace(radiation, rank=1))[: radiation.steps]:
            emissions(self.processes[-1], step)  # refuses what there is not
            self.processes.append(reduced_process(self.processes[-1]))

    @cached_property
    def provider(self) -> Provider:
        kind = choose_kind(self.provider_name, self.processes[-1])
        return kind.make(self.processes[-1], self.parameters if kind.parameters else {})

    @property
    def alpha_s(self) -> float:
        return self.parameters.get("alpha_s", 0.118)

    @property
    def _pairs(self) -> int:
        return self.process.n_external * (self.process.n_external - 1) // 2

    def shapes(self) -> dict[str, tuple[int, ...]]:
        steps, outgoing = self.radiation.steps, self.process.n_final
        if self.extended:
            inputs = self._pairs + outgoing * (outgoing - 1) // 2 + 1 + 2 * steps + (0 if self.radiation.initial else 4)
        else:
            inputs = self._pairs + (8 if self.version < 3 else 7) + 2 * steps
        inputs += self.radiation.either
        return {
            "legs": (3 * steps,),
            "variables": (2 * steps,),
            "kernel": (),
            "reduced_momenta": (self.processes[-1].n_final, 4),
            "reduced_amplitude": (),
            "inputs": (inputs,),
        }

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        """Compiled on the CPU; batched on other devices."""
        return self._canonical(momenta, self._compiled if momenta.device.type == "cpu" else self._batched)

    def batched(self, momenta: Tensor) -> dict[str, Tensor]:
        """`compute` by operations on the whole batch, on any device."""
        return self._canonical(momenta, self._batched)

    def _canonical(self, momenta: Tensor, engine: Callable[[Tensor], dict[str, Tensor]]) -> dict[str, Tensor]:
        if self.version < 3:
            return engine(momenta)
        events, order = canonical_events(momenta, self.process)
        arrays = engine(events)
        places = torch.cat([torch.tensor([[0, 1]], device=order.device).expand(len(order), -1), 2 + order], dim=1)
        arrays["legs"][:, :3] = places.gather(1, arrays["legs"][:, :3].long()).double()
        if not self.extended:
            before, pair, after = arrays["inputs"].tensor_split([self._pairs, self._pairs + 8], dim=1)
            mirror = self.orient and mirror_symmetric(self.process)
            pair = canonical_pair(pair.reshape(-1, 2, 4), self.radiation.initial, mirror)
            arrays["inputs"] = torch.cat([before, pair, after], dim=1)
        return arrays

    def _compiled(self, momenta: Tensor) -> dict[str, Tensor]:
        found = self._engine.compute(momenta.contiguous().numpy(), torch.get_num_threads())
        legs, variables, kernel, reduced, inputs = (torch.from_numpy(array) for array in found)
        return {
            "legs": legs,
            "variables": variables,
            "kernel": kernel,
            "reduced_momenta": reduced[:, 2:].contiguous(),
            "reduced_amplitude": self._amplitude(reduced),
            "inputs": inputs,
        }

    @cached_property
    def _engine(self) -> _radiation.Radiation:
        radiations = (self.radiation, replace(self.radiation, rank=1))[: self.radiation.steps]
        steps = [
            _radiation.Step(
                legs=process.n_external,
                last_gluon=last_gluon(process),
                rank=radiation.rank - 1,
                candidates=emissions(process, radiation),
                jets=list(process.jet_legs),
                massive=[leg.mass > 0 for leg in process.legs],
                gluon=[leg.kind == "gluon" for leg in process.legs],
            )
            for process, radiation in zip(self.processes, radiations, strict=False)
        ]
        choices = _radiation.Choices(
            initial=self.radiation.initial,
            either=self.radiation.either,
            printed_kernel=self.choices.kernel == "paper",
            delta_r=self.choices.pair == "delta-r",
            s_ijk=self.choices.spectator == "s-ijk",
            extended=self.extended,
            orient=self.orient and mirror_symmetric(self.process),
            coupling=4 * math.pi * self.alpha_s,
        )
        return _radiation.Radiation(steps, self._interchangeable, choices)

    def _batched(self, momenta: Tensor) -> dict[str, Tensor]:
        external = external_momenta(momenta)
        found = external_products(external, self.process)
        candidates = emissions(self.process, self.radiation)
        order = ranked(distances(external, found, self.radiation, self.choices), candidates)
        step = self._undo(external, found, self.process, candidates, order[:, self.radiation.rank - 1])
        steps = [step]
        if self.radiation.steps == 2:
            steps.append(self._undo_again(step))
        variables = torch.cat([s.variables for s in steps], dim=1)
        kernel = torch.stack([s.kernel for s in steps]).prod(dim=0)
        reduced = steps[-1].momenta
        if self.extended:
            inputs = self._extended_inputs(external, found, step, variables, kernel)
        else:
            inputs = self._paper_inputs(external, found, step, variables, order, candidates)
        if self.radiation.either:
            emitter_is_gluon = gluon_legs(self.process, inputs.device)[step.legs[:, :1]]
            inputs = torch.cat([inputs, emitter_is_gluon.to(inputs)], dim=1)
        return {
            "legs": torch.cat([s.legs for s in steps], dim=1).double(),
            "variables": variables,
            "kernel": kernel,
            "reduced_momenta": reduced[:, 2:].contiguous(),
            "reduced_amplitude": self._amplitude(reduced),
            "inputs": inputs,
        }

    def _undo(
        self, external: Tensor, found: Tensor, process: Process, candidates: list[tuple[int, int]], chosen: Tensor
    ) -> Reduction:
        pair = torch.tensor(candidates, device=external.device)[chosen]
        if self.radiation.gluon and not self.radiation.initial:
            both = gluon_legs(process, pair.device)[pair].all(dim=1, keepdim=True)
            pair = torch.where(both, emitter_first(external, pair, self.choices), pair)
        spectator = choose_spectator(external, found, process.jet_legs, pair, self.choices)
        legs = torch.cat([pair, spectator[:, None]], dim=1)
        return reduce_events(external, found, legs, self.radiation, process, self.choices, self.alpha_s)

    def _undo_again(self, first: Reduction) -> Reduction:
        """The second emission shares the reduced particle of the first (AS, Sec. 2.3)."""
        process = self.processes[1]
        found = external_products(first.momenta, process)
        candidates = emissions(process, replace(self.radiation, rank=1))
        order = ranked(distances(first.momenta, found, self.radiation, self.choices), candidates)
        pairs = torch.tensor(candidates, device=found.device)
        shares = (pairs[order] == first.merged[:, None, None]).any(dim=2)
        chosen = order.gather(1, shares.int().argmax(dim=1, keepdim=True))[:, 0]
        return self._undo(first.momenta, found, process, candidates, chosen)

    def _paper_inputs(
        self,
        external: Tensor,
        found: Tensor,
        step: Reduction,
        variables: Tensor,
        order: Tensor,
        candidates: list[tuple[int, int]],
    ) -> Tensor:
        rows = torch.arange(len(external), device=external.device)
        legs = self._oriented(self._by_singularity(order, candidates, step.legs), found, step)
        emitter, emitted = (external[rows, step.legs[:, side]] for side in (0, 1))
        return torch.cat([log_invariants(found, legs), emitter, emitted, variables], dim=1)

    def _extended_inputs(
        self, external: Tensor, found: Tensor, step: Reduction, variables: Tensor, kernel: Tensor
    ) -> Tensor:
        legs = self._oriented(self._by_role(external, step.legs), found, step)
        pieces = [log_invariants(found, legs), cosines(external, legs[:, 2:])]
        if not self.radiation.initial:
            pieces.append(splitting_azimuths(external, step.legs, legs[:, 0]))
        pieces += [log_variables(variables, self.radiation.initial), kernel.log()[:, None]]
        return torch.cat(pieces, dim=1)

    def _by_singularity(self, order: Tensor, candidates: list[tuple[int, int]], chosen: Tensor) -> Tensor:
        """Legs with emitters and emitted gluons sorted by the rank at which they first occur; the chosen pair first."""
        rank = order.argsort(dim=1)
        rank = torch.where(rank == self.radiation.rank - 1, -1, rank)
        legs = self.process.n_external
        first_seen = torch.full((len(order), legs), 10**6, device=order.device)
        for column, pair in enumerate(candidates):
            for side, leg in enumerate(pair):
                first_seen[:, leg] = torch.minimum(first_seen[:, leg], 2 * rank[:, column] + side)
        for side in (0, 1):  # of two gluons, the emitter goes first
            first_seen.scatter_(1, chosen[:, side : side + 1], side - 2)
        return self._sorted_within(first_seen)

    def _by_role(self, external: Tensor, chosen: Tensor) -> Tensor:
        """Legs with emitter, emitted gluon and spectator in front of their like, the others by pT."""
        key = -torch.hypot(external[..., 1], external[..., 2])
        for place in (2, 1, 0):
            key.scatter_(1, chosen[:, place : place + 1], -1e9 * (3 - place))
        return self._sorted_within(key)

    def _sorted_within(self, key: Tensor) -> Tensor:
        """External positions (n, legs), sorted by `key` (n, legs) within each group of exchangeable legs."""
        result = torch.arange(self.process.n_external, device=key.device).repeat(len(key), 1)
        for group in self._interchangeable:
            places = torch.tensor(group, device=key.device)
            result[:, places] = places[key[:, places].argsort(dim=1, stable=True)]
        return result

    @cached_property
    def _interchangeable(self) -> list[list[int]]:
        involved = sorted({leg for pair in emissions(self.process, self.radiation) for leg in pair})
        incoming = [leg for leg in involved if leg < 2]
        gluons = [leg for leg in involved if leg >= 2 and self.process.legs[leg].kind == "gluon"]
        quarks = [leg for leg in involved if leg >= 2 and self.process.legs[leg].kind != "gluon"]
        return [group for group in (incoming, gluons, quarks) if len(group) > 1]

    def _oriented(self, legs: Tensor, found: Tensor, step: Reduction) -> Tensor:
        """Legs with the beams exchanged so that the emitter, or the beam nearest to the emitting pair, is first."""
        if not (self.orient and mirror_symmetric(self.process)):
            return legs
        rows = torch.arange(len(found), device=found.device)
        if self.radiation.initial:
            swap = step.legs[:, 0] == 1
        else:
            near = found[rows[:, None], step.legs[:, :2]][:, :, :2].sum(dim=1)
            swap = near[:, 1] < near[:, 0]
        beams = torch.where(
            swap[:, None], torch.tensor([1, 0], device=legs.device), torch.tensor([0, 1], device=legs.device)
        )
        return torch.cat([beams, legs[:, 2:]], dim=1)

    def _amplitude(self, external: Tensor) -> Tensor:
        values = self.provider.evaluate(np.ascontiguousarray(external.cpu().numpy()))
        return torch.from_numpy(values).to(external.device)
