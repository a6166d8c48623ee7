"""Weights of events against the cross sections of <init>, by what IDWTUP says that weights mean."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ampcli.events.check.findings import Findings
from ampcli.events.lhe.records import LheEvent, LheInit, real

_SAME = 1e-5  # relative difference of weights that are meant to be equal
_MEAN_TO_PRINT = 1e-3  # of the cross section: files state it with few digits
_ERRORS = 5.0  # standard errors that are taken for chance
_UNWEIGHTED, _WEIGHTED = 3, 4  # |IDWTUP|

_WGT = re.compile(rb"<wgt\s[^>]*>([^<]*)</wgt\s*>")
_COMPACT = re.compile(rb"<weights\b[^>]*>([^<]*)</weights\s*>")


def named_weights(block: bytes) -> list[float | None]:
    """The numbers of <rwgt> and <weights> in the text of an event, in order; None: something that is no number."""
    words = [found[1].strip() for found in _WGT.finditer(block)]
    for found in _COMPACT.finditer(block):
        words += found[1].split()
    return [_number(word) for word in words]


def _number(word: bytes) -> float | None:
    try:
        return real(word)
    except ValueError:
        return None


@dataclass
class Sum:
    """Of weights of one subprocess of <init>."""

    events: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, weight: float) -> None:
        self.events += 1
        self.total += weight
        self.squares += weight * weight


@dataclass
class Sums:
    """Weights of a file, event by event; `conclude` compares them with <init>."""

    init: LheInit | None
    findings: Findings
    by_kind: dict[int, Sum] = field(default_factory=dict)
    trials: int = 0
    """Points that were tried, as Sherpa counts them in attributes; 0: not said."""
    normalisation: str = "unknown"
    """What the weights add up to, in words."""
    _named: dict[int, array[int]] = field(default_factory=dict)
    """Events by how many named weights they have."""
    _factor: float | None = None
    """From sums of weights to pb."""
    _common: float | None = None

    def add(self, event: LheEvent, tag: bytes, block: bytes) -> None:
        """One more event, with its tag and its text."""
        self._check_named(event.number, block)
        if found := re.search(rb"""\strials\s*=\s*["'](\d{1,12})["']""", tag):
            self.trials += int(found[1])
        self.by_kind.setdefault(event.kind, Sum())
        if not math.isfinite(event.weight):
            self.findings.of_event("weights", event.number, "a weight is not finite", f"{event.weight}")
            return
        self.by_kind[event.kind].add(event.weight)
        if self.init is None:
            return
        if all(subprocess.kind != event.kind for subprocess in self.init.subprocesses):
            self.findings.of_event(
                "weights", event.number, "a subprocess (IDPRUP) that <init> has not", f"{event.kind}"
            )
        if event.weight < 0 < self.init.weighting:
            what = f"a negative weight where IDWTUP is {self.init.weighting}"
            self.findings.of_event("weights", event.number, what, f"{event.weight:.6g}")
        if abs(self.init.weighting) == _UNWEIGHTED:
            self._common = abs(event.weight) if self._common is None else self._common
            if abs(abs(event.weight) - self._common) > _SAME * self._common:
                what = "a weight that differs from the first one's where IDWTUP says that all are the same"
                self.findings.of_event("weights", event.number, what, f"{event.weight:.8g}, not {self._common:.8g}")
        elif abs(self.init.weighting) < _UNWEIGHTED:
            largest = {subprocess.kind: subprocess.maximum for subprocess in self.init.subprocesses}
            if abs(event.weight) > largest.get(event.kind, math.inf) * (1 + _SAME):
                what = "a weight above the largest one of its subprocess (XMAXUP)"
                self.findings.of_event("weights", event.number, what, f"{event.weight:.8g}")

    def _check_named(self, number: int, block: bytes) -> None:
        weights = named_weights(block)
        if any(weight is None or not math.isfinite(weight) for weight in weights):
            self.findings.of_event("weights", number, "a named weight that is no finite number")
        self._named.setdefault(len(weights), array("q")).append(number)

    def conclude(self, runs: int = 1) -> None:
        """Compare with <init>, and events with each other, once all were added.

        Args:
            runs: of the same <init>, whose files stand after each other.
        """
        most = max(self._named, key=lambda count: len(self._named[count]), default=0)
        others = ((number, count) for count in self._named if count != most for number in self._named[count])
        for number, count in sorted(others):
            what = f"another number of named weights than most events, which have {most}"
            self.findings.of_event("weights", number, what, f"{count}")
        if self.init is None or not (whole := self._whole).events:
            return
        sections = self.init.subprocesses
        said = sum(s.cross_section for s in sections)
        error = math.hypot(*(s.error for s in sections))
        if said <= 0:
            self.findings.of_file("sections", "<init> states no cross section", f"{said:g} pb", wrong=False)
            return
        mean, total = whole.total / whole.events, whole.total / runs
        spread = math.sqrt(max(whole.squares / whole.events - mean * mean, 0.0) / whole.events)
        room = _ERRORS * math.hypot(error, spread) + _MEAN_TO_PRINT * said
        if abs(mean - said) <= room:
            self.normalisation, self._factor = "weights average to the cross section", 1 / whole.events
        elif abs(total - said) <= _ERRORS * math.hypot(error, spread * whole.events / runs) + _MEAN_TO_PRINT * said:
            self.normalisation, self._factor = "weights add up to the cross section", 1 / runs
        elif abs(self.init.weighting) == _UNWEIGHTED and abs((self._common or 0.0) - 1) <= _SAME:
            self.normalisation, self._factor = "weights are 1", said / whole.total if whole.total > 0 else None
        else:
            example = f"they average to {mean:.6g} and add up to {total:.6g}; <init> says {said:.6g} +- {error:.2g} pb"
            if self.trials:
                example += f"; by the trials of the events it is {whole.total / self.trials:.6g} pb"
            self.findings.of_file("sections", "weights do not give the cross section of <init>", example)
        self._shares(whole)

    def _shares(self, whole: Sum) -> None:
        """Each subprocess's part of the events, where there are several."""
        if self.init is None or self._factor is None or len(self.init.subprocesses) < 2:
            return
        for subprocess in self.init.subprocesses:
            found = self.by_kind.get(subprocess.kind, Sum())
            section, spread = self._section(found, whole)
            room = _ERRORS * math.hypot(subprocess.error, spread) + _MEAN_TO_PRINT * abs(subprocess.cross_section)
            if abs(section - subprocess.cross_section) > room:
                self.findings.of_file(
                    "sections", f"weights of subprocess {subprocess.kind} do not give its cross section",
                    f"{section:.6g} +- {spread:.2g} pb from {found.events} events; "
                    f"<init> says {subprocess.cross_section:.6g} +- {subprocess.error:.2g} pb",
                )  # fmt: skip

    def _section(self, found: Sum, whole: Sum) -> tuple[float, float]:
        """Cross section of a subprocess and its statistical error in pb: events fall into it or not."""
        assert self._factor is not None
        share = found.events / whole.events
        squares = max(found.squares, whole.squares / whole.events)  # without events, one might have come
        return self._factor * found.total, self._factor * math.sqrt(squares * (1 - share))

    @property
    def _whole(self) -> Sum:
        parts = self.by_kind.values()
        return Sum(sum(s.events for s in parts), sum(s.total for s in parts), sum(s.squares for s in parts))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Subprocesses of <init> and of the events, for ``--json``."""
        stated = {} if self.init is None else {s.kind: s for s in self.init.subprocesses}
        for kind in [*stated, *(kind for kind in self.by_kind if kind not in stated)]:
            found, said = self.by_kind.get(kind, Sum()), stated.get(kind)
            section = self._section(found, self._whole) if self._factor is not None else (None, None)
            yield {
                "id": kind,
                "events": found.events,
                "sum_of_weights": found.total,
                "cross_section": section[0],
                "error": section[1],
                "stated_cross_section": None if said is None else said.cross_section,
                "stated_error": None if said is None else said.error,
            }
