"""Exact |M|^2 of the events of a file, process by process, where an amplitude is at hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ampcli.amplitudes.protocol import Provider
from ampcli.events.check.findings import Findings
from ampcli.events.exact import NONE, Choice, evaluate, moved
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheParticle
from ampcli.events.lhe.subprocess import momenta_of

_BATCH = 4096  # events of one process that wait for their amplitudes
_MOST_PENDING = 16 * _BATCH  # of all processes
_MOST_KINDS = 1000  # processes that are told apart
OTHERS = "others"


@dataclass
class OfProcess:
    """Events of one process."""

    provider: Provider | None
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
        self._pending = 0

    def add(self, event: LheEvent) -> None:
        """One more event."""
        found = self.choice.legs_of(event)
        legs, provider = (None, "particles that ampcli has not") if found is None else found
        name = _codes(event) if legs is None else str(legs.process)
        if name not in self.processes and len(self.processes) >= _MOST_KINDS:
            name, provider = OTHERS, f"more than {_MOST_KINDS} processes"
        process = self.processes.get(name)
        if process is None:
            process = self.processes[name] = OfProcess(None if isinstance(provider, str) else provider)
        process.events += 1
        process.weight += event.weight if math.isfinite(event.weight) else 0.0
        if isinstance(provider, str) or legs is None:
            if self.choice.provider != NONE:
                process.not_computed[str(provider)] += 1
            return
        process.pending.append((event.number, legs.particles))
        self._pending += 1
        if len(process.pending) >= _BATCH:
            self._evaluate(process)
        elif self._pending >= _MOST_PENDING:
            self.conclude()

    def conclude(self) -> None:
        """Compute what waits."""
        for process in self.processes.values():
            if process.pending:
                self._evaluate(process)

    def _evaluate(self, of: OfProcess) -> None:
        assert of.provider is not None
        numbers = [number for number, _ in of.pending]
        events = moved(momenta_of([legs for _, legs in of.pending]), of.provider.process, self.choice.on_shell)
        self._pending -= len(numbers)
        of.pending = []
        values = evaluate(of.provider, events)
        of.not_computed.update(events.reasons.values())
        for row, value in enumerate(values):
            if row in events.reasons:
                continue
            if not 0 < value < math.inf:
                what = "|M|^2 is not positive and finite"
                self.findings.of_event("amplitudes", numbers[row], what, f"{value:g}")
                continue
            of.computed += 1
            of.total += float(value)
            of.smallest, of.largest = min(of.smallest, float(value)), max(of.largest, float(value))

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
