"""`ampcli reweight`: an event file once more, with named weights."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.errors import IntegrityError, UsageError, setting
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.insert import Declared, Span, insert_weights
from ampcli.events.lhe.packing import require_name
from ampcli.events.lhe.records import LheEvent, LheParticle, parse_event
from ampcli.events.lhe.subprocess import momenta_of
from ampcli.events.reweight.ratios import Ratio
from ampcli.files import replacing
from ampcli.kinematics import FloatArray
from ampcli.process import Process

_BATCH = 4096  # events of one process that wait for their amplitudes
_MOST_WAITING = 16 * _BATCH  # of all processes
_SHOWN = 5


@dataclass
class Weight:
    """One named weight of all events of a file.

    Attributes:
        values: new over old, event by event; NaN where there is none.
        reasons: why, with the number of events.
        shift: how far the leg that moved most has moved, relative to its energy.
    """

    ratio: Ratio
    values: array[float] = field(default_factory=lambda: array("d"))
    reasons: Counter[str] = field(default_factory=Counter)
    shift: float = 0.0
    _first: tuple[int, str] | None = None
    _waiting: int = 0
    _pending: dict[Process, list[tuple[int, float, tuple[LheParticle, ...]]]] = field(default_factory=dict)

    def add(self, event: LheEvent) -> None:
        """One more event."""
        self.values.append(math.nan)
        legs = self.ratio.legs(event)
        if isinstance(legs, str):
            self._miss(event.number, legs)
            return
        waiting = self._pending.setdefault(legs.process, [])
        waiting.append((event.number, event.alpha_s, legs.particles))
        self._waiting += 1
        if len(waiting) >= _BATCH:
            self._evaluate(legs.process)
        elif self._waiting >= _MOST_WAITING:
            self.conclude()

    def conclude(self) -> None:
        """Compute what waits."""
        for process in self._pending:
            self._evaluate(process)

    def _evaluate(self, process: Process) -> None:
        waiting, self._pending[process] = self._pending[process], []
        self._waiting -= len(waiting)
        if not waiting:
            return
        alphas = np.array([alpha for _, alpha, _ in waiting])
        found = self.ratio.ratios(process, momenta_of([legs for *_, legs in waiting]), alphas)
        self.shift = max(self.shift, found.shift)
        for row, (number, *_) in enumerate(waiting):
            if row in found.reasons:
                self._miss(number, found.reasons[row])
            else:
                self.values[number] = found.values[row]

    def _miss(self, number: int, reason: str) -> None:
        self.reasons[reason] += 1
        if self._first is None or number < self._first[0]:
            self._first = number, reason

    def require_all(self, path: Path) -> None:
        """Make sure that every event has it.

        Raises:
            UsageError: some have not.
        """
        if self._first is None:
            return
        number, reason = self._first
        counted = "; ".join(f"{count} x {why}" for why, count in self.reasons.most_common(_SHOWN))
        raise UsageError(
            f"{self.reasons.total()} events of {path} cannot have the weight {self.ratio.name}: {counted}; the first "
            f"is event {number} (from 0): {reason}",
            f"{setting('keep_others')} gives them the weight that they have.",
        )

    def document(self, weights: FloatArray) -> dict[str, Any]:
        """For ``--json``: of events with weights (n,) before."""
        ratios = np.array(self.values)
        done = np.isfinite(ratios)
        with np.errstate(over="ignore"):
            new = weights * np.where(done, ratios, 1.0)
            total, squares = float(new.sum()), float((new**2).sum())
        return {
            "name": self.ratio.name,
            "description": self.ratio.description,
            "events": int(done.sum()),
            "kept": dict(self.reasons.most_common()),
            "smallest": float(ratios[done].min()) if done.any() else None,
            "largest": float(ratios[done].max()) if done.any() else None,
            "sum_of_weights": total,
            "over_original": total / float(weights.sum()) if weights.sum() else None,
            "effective_events": total * total / squares if squares else None,
            "largest_shift": self.shift,
        }


def reweight_file(
    path: Path,
    out: Path,
    ratios: Sequence[Ratio],
    keep_others: bool = False,
    on_events: Callable[[int], None] = lambda events: None,
) -> dict[str, Any]:
    """Write an event file with named weights, whole or not at all; returns what they are, for ``--json``.

    Args:
        keep_others: events that a weight cannot be computed for keep the one that they have.
        on_events: is told how many events were read, or written, since.

    Raises:
        FileNotFoundError: no such file.
        UsageError: events without such a weight; a file that exists, or has such a weight already.
        IntegrityError: a damaged file.
    """
    require_name(out)
    if out.exists():
        raise UsageError(f"{out} exists already", "Choose another name, or remove it.")
    found = [Weight(ratio) for ratio in ratios]
    starts, ends, original = array("q"), array("q"), array("d")
    blocks = EventBlocks(path)
    for number, block in enumerate(blocks):
        event = parse_event(block, number, where := f"{path}: event {number} (from 0)")
        if not math.isfinite(event.weight):
            raise IntegrityError(f"{where}: its weight is {event.weight}, not a finite weight", "It is damaged.")
        starts.append(blocks.start)
        ends.append(blocks.end)
        original.append(event.weight)
        for weight in found:
            weight.add(event)
        on_events(1)
    if blocks.inits > 1:
        raise UsageError(f"{path} is {blocks.inits} files after each other", "Reweight each of them.")
    if not original:
        raise UsageError(f"{path} holds no event", "A Les Houches event file has <event> blocks.")
    for weight in found:
        weight.conclude()
        if not keep_others or weight.reasons.total() == len(original):
            weight.require_all(path)
    declared = [Declared(ratio.name, ratio.description) for ratio in ratios]

    def weights(number: int) -> list[float]:
        factors = (weight.values[number] for weight in found)
        return [original[number] * (1.0 if math.isnan(factor) else factor) for factor in factors]

    with replacing(out) as draft_path:
        spans = [Span(start, end) for start, end in zip(starts, ends, strict=True)]
        insert_weights(path, draft_path, spans, declared, weights, out.name, on_event=on_events)
    before = np.array(original)
    return {
        "file": str(path),
        "out": str(out),
        "events": len(original),
        "weights": [weight.document(before) for weight in found],
    }
