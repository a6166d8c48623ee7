"""Exact |M|^2 of the events of a file, process by process, where an amplitude is at hand."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.amplitudes.providers import AUTO, PROVIDERS, by_place
from ampcli.errors import AmpcliError, UsageError, setting
from ampcli.events.check.findings import Findings
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheParticle
from ampcli.events.lhe.subprocess import Legs, momenta_of, subprocesses
from ampcli.events.repair import repair
from ampcli.process import Process

_BATCH = 4096  # events of one process that wait for their amplitudes
_MOST_KINDS = 1000  # processes that are told apart
OTHERS = "others"

#: No amplitudes.
NONE = "none"


@dataclass
class Choice:
    """Who computes amplitudes.

    Args:
        provider: a name, `AUTO` (those that need not generate code first), or `NONE`.
        parameters: of the provider, where they are not the defaults.
    """

    provider: str = AUTO
    parameters: Mapping[str, float] = field(default_factory=dict)
    _known: dict[Process, Provider | None] = field(default_factory=dict)

    def provider_of(self, process: Process) -> Provider | None:
        """The provider of a process; None: there is none."""
        if process not in self._known:
            self._known[process] = self._make(process)
        return self._known[process]

    def require_possible(self) -> None:
        """Make sure that there are such providers and parameters.

        Raises:
            UsageError: an unknown provider, or parameters that none of them has.
        """
        if self.parameters and self.provider == NONE:
            raise UsageError(f"{setting('parameter')} has no effect without a provider", "Leave it out.")
        for kind in self._kinds():
            try:
                kind.require_settable(self.parameters)
                return
            except UsageError as error:
                said = error
        if self.provider != NONE:
            raise said

    def _kinds(self) -> list[ProviderKind]:
        if self.provider == NONE:
            return []
        return by_place() if self.provider == AUTO else [PROVIDERS[self.provider]]

    def _make(self, process: Process) -> Provider | None:
        for kind in self._kinds():
            if kind.covers(process) is not None or (self.provider == AUTO and not kind.at_once(process)):
                continue
            try:
                kind.require_settable(self.parameters)
                provider = kind.make(process, self.parameters)
                provider.identity()  # makes it ready
                return provider
            except UsageError:  # no amplitude for this process, or it is not right
                continue
        return None

    def legs_of(self, event: LheEvent) -> tuple[Legs, Provider | None] | None:
        """The process of an event: the first that somebody computes, else that of its stable particles."""
        candidates = subprocesses(event)
        for legs in candidates:
            if (provider := self.provider_of(legs.process)) is not None:
                return legs, provider
        return (candidates[0], None) if candidates else None


@dataclass
class OfProcess:
    """Events of one process."""

    provider: Provider | None
    process: Process | None
    events: int = 0
    weight: float = 0.0
    computed: int = 0
    total: float = 0.0
    smallest: float = math.inf
    largest: float = 0.0
    not_computed: Counter[str] = field(default_factory=Counter)
    pending: list[tuple[int, tuple[LheParticle, ...]]] = field(default_factory=list)


class Amplitudes:
    """Takes events one by one, and computes |M|^2 in batches."""

    def __init__(self, choice: Choice, findings: Findings) -> None:
        self.choice = choice
        self.findings = findings
        self.processes: dict[str, OfProcess] = {}

    def add(self, event: LheEvent) -> None:
        """One more event."""
        found = self.choice.legs_of(event)
        legs, provider = (None, None) if found is None else found
        name = _codes(event) if legs is None else str(legs.process)
        if name not in self.processes and len(self.processes) >= _MOST_KINDS:
            name, provider = OTHERS, None
        process = self.processes.get(name)
        if process is None:
            process = self.processes[name] = OfProcess(provider, None if legs is None else legs.process)
        process.events += 1
        process.weight += event.weight if math.isfinite(event.weight) else 0.0
        if provider is None or legs is None:
            return
        process.pending.append((event.number, legs.particles))
        if len(process.pending) >= _BATCH:
            self._evaluate(process)

    def conclude(self) -> None:
        """Compute what is left."""
        for process in self.processes.values():
            if process.pending:
                self._evaluate(process)

    def _evaluate(self, of: OfProcess) -> None:
        assert of.provider is not None
        process = of.provider.process  # with the masses of its parameters
        numbers = np.array([number for number, _ in of.pending])
        repaired = repair(momenta_of([legs for _, legs in of.pending]), process)
        of.pending = []
        for row in np.flatnonzero(~repaired.good):
            of.not_computed[_without_leg(repaired.fault(int(row)), process)] += 1
        momenta, numbers = repaired.momenta[repaired.good], numbers[repaired.good]
        if not len(momenta):
            return
        try:
            values = of.provider.evaluate(momenta)
        except AmpcliError as error:  # at the edge of phase space
            of.not_computed[error.what.split(": ")[-1]] += len(momenta)
            return
        sound = np.isfinite(values) & (values > 0)
        for number, value in zip(numbers[~sound], values[~sound], strict=True):
            self.findings.of_event("amplitudes", int(number), "|M|^2 is not positive and finite", f"{value:g}")
        values = values[sound]
        of.computed += len(values)
        if len(values):
            of.total += float(values.sum())
            of.smallest, of.largest = min(of.smallest, float(values.min())), max(of.largest, float(values.max()))

    def rows(self) -> list[dict[str, Any]]:
        """Processes, the commonest first, for ``--json``."""
        ordered = sorted(self.processes.items(), key=lambda item: -item[1].events)
        return [
            {
                "process": name,
                "events": of.events,
                "sum_of_weights": of.weight,
                "provider": None if of.provider is None else of.provider.identity().name,
                "amplitudes": of.computed,
                "mean": of.total / of.computed if of.computed else None,
                "smallest": of.smallest if of.computed else None,
                "largest": of.largest if of.computed else None,
                "not_computed": dict(of.not_computed),
            }
            for name, of in ordered
        ]


def _codes(event: LheEvent) -> str:
    sides = (event.with_status(status) for status in (INCOMING, OUTGOING))
    return " > ".join(" ".join(str(p.pdg) for p in side[:20]) for side in sides)


def _without_leg(fault: str, process: Process) -> str:
    """A fault with the name of the particle in the place of the number of its leg."""
    found = re.match(r"leg (\d+)(.*)", fault)
    return fault if found is None else f"{process.legs[int(found[1])].name}{found[2]}"
