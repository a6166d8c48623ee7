"""Blocks of one or two emissions undone (fg1, iq2, fg1^2, ...).

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 3.2 ("AS").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from ampcli.amplitudes.native.bundled import bundle_arrays
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import choose_kind
from ampcli.amplitudes.tensors import evaluate_tensor
from ampcli.factorisation.radiation import (
    SPECTATORS,
    Choices,
    ColourString,
    Kernel,
    Pair,
    Radiation,
    Spectator,
    colour_string,
    emissions,
    last_gluon,
    mirror_symmetric,
    reduced_process,
)
from ampcli.features.canonical import identical_outgoing
from ampcli.features.compiled import engine
from ampcli.features.radiations import Inputs
from ampcli.library.bundle import Value
from ampcli.process import Process


class RadiationBlock:
    """An amplitude as kernel(s) times a reduced amplitude, and what a network needs to correct it.

    legs (n, 3 or 6): emitter, emitted gluon, spectator (external positions, of each step in its own event);
    variables (n, 2 or 4); kernel (n,): the product of the F [GeV^-2 or GeV^-4]; reduced_momenta (n, legs, 4): outgoing;
    reduced_amplitude (n,); inputs (n, ...).  The paper's inputs (AS, Table 3) are log-invariants with emitters and
    emitted legs reordered by singularity, momenta of emitter and emitted gluon, and the variables; the extended ones
    are log-invariants in the order emitter, emitted gluon, spectator, others by pT, angles, ln F and logarithms of the
    variables, all invariant under boosts along the beams; with the kernel of colour flows, ln of its ratio to F and of
    the sum over flows as well.  Where the emitter may be a quark or a gluon (fa1), a last
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
        invariant = inputs == "extended" and pair == "delta-r" and spectator != "energetic"
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
        for step in self._steps:
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
    def _steps(self) -> tuple[Radiation, ...]:
        return (self.radiation, replace(self.radiation, rank=1))[: self.radiation.steps]

    @cached_property
    def _strings(self) -> list[ColourString | None]:
        """Of the event before each step, where the kernel is to be that of colour flows."""
        found = [colour_string(process) for process in self.processes]
        return found if self.choices.kernel == "flows" and all(found) else [None] * len(found)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        steps, legs, outgoing = self.radiation.steps, self.process.n_external, self.process.n_final
        inputs = legs * (legs - 1) // 2 + 2 * steps + self.radiation.either
        if self.extended:
            inputs += outgoing * (outgoing - 1) // 2 + 1 + (0 if self.radiation.initial else 4)
            inputs += 2 if self._strings[0] else 0
        else:
            inputs += 8 if self.version < 3 else 7
        return {
            "legs": (3 * steps,),
            "variables": (2 * steps,),
            "kernel": (),
            "reduced_momenta": (self.processes[-1].n_final, 4),
            "reduced_amplitude": (),
            "inputs": (inputs,),
        }

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        legs, variables, kernel, reduced, inputs = engine.compute(self.task, momenta)
        return {
            "legs": legs,
            "variables": variables,
            "kernel": kernel,
            "reduced_momenta": reduced[:, 2:].contiguous(),
            "reduced_amplitude": evaluate_tensor(self.provider, reduced),
            "inputs": inputs,
        }

    @cached_property
    def task(self) -> bytes:
        """What the compiled engine is told to do."""
        steps = [
            engine.Step(
                last_gluon=last_gluon(process),
                rank=radiation.rank - 1,
                candidates=emissions(process, radiation),
                jets=list(process.jet_legs),
                massive=[leg.mass > 0 for leg in process.legs],
                gluon=[leg.kind == "gluon" for leg in process.legs],
                string=string.ends if string else None,
                numerator=string.numerator if string else 0,
            )
            for process, radiation, string in zip(self.processes, self._steps, self._strings, strict=False)
        ]
        choices = engine.Choices(
            initial=self.radiation.initial,
            either=self.radiation.either,
            printed_kernel=self.choices.kernel == "paper",
            delta_r=self.choices.pair == "delta-r",
            spectator=SPECTATORS.index(self.choices.spectator),
            extended=self.extended,
            orient=self.orient and mirror_symmetric(self.process),
            canonical=self.version > 2,
            coupling=4 * math.pi * self.alpha_s,
        )
        return engine.make_task(
            steps=steps,
            identical=[[2 + place for place in places] for places in identical_outgoing(self.process)],
            exchangeable=self._exchangeable(),
            columns=self.shapes()["inputs"][0],
            choices=choices,
        )

    def bundle(self) -> dict[str, Value] | None:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`), which knows native reduced amplitudes."""
        if not isinstance(self.provider, Native):
            return None
        return {"tasks": np.frombuffer(self.task, dtype=np.uint8)[None], **bundle_arrays(self.provider, "reduced/")}

    def _exchangeable(self) -> list[list[int]]:
        """Legs that are put into the order of their roles: beams, gluons, quarks that may take part in the emission."""
        involved = sorted({leg for pair in emissions(self.process, self.radiation) for leg in pair})
        incoming = [leg for leg in involved if leg < 2]
        gluons = [leg for leg in involved if leg >= 2 and self.process.legs[leg].kind == "gluon"]
        quarks = [leg for leg in involved if leg >= 2 and self.process.legs[leg].kind != "gluon"]
        return [group for group in (incoming, gluons, quarks) if len(group) > 1]
