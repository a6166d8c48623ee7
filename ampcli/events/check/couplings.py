"""Scales of events, and their alpha_s against its running."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ampcli.errors import UsageError
from ampcli.events.check.findings import Findings
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheInit
from ampcli.kinematics import FloatArray
from ampcli.phasespace.running_coupling import Running, running_alpha_s

_UNKNOWN = -1.0
_MOST = 0.9  # of the events that follow a rule: then the others are wrong
_CONSTANT = 2e-3  # relative difference of what is meant to be equal
_RUNNING = 5e-3  # of alpha_s and what it runs to from the median's value at M_Z: flavour thresholds, digits
_STEPS = 8  # of the fit
_CONVERGED = 1e-5  # of 1 / alpha_s
_FEWEST = 5  # events that a running coupling is fitted to
_LOWEST = 1.0  # GeV, where alpha_s is still taken to run
_THRESHOLDS = (1.5, 4.75, 173.0)  # GeV: charm, bottom, top


@dataclass
class Couplings:
    """Scales and couplings, event by event; `conclude` looks for a rule that they follow, and who breaks it."""

    init: LheInit | None
    findings: Findings
    _events: list[int] = field(default_factory=list)
    _scales: list[float] = field(default_factory=list)
    _renormalisation: list[float] = field(default_factory=list)
    _alphas: list[float] = field(default_factory=list)
    _heights: list[float] = field(default_factory=list)
    rule: str = "unknown"
    """What alpha_s follows, in words."""
    scale: str = "unknown"
    """What SCALUP is, in words."""

    def add(self, event: LheEvent, tag: bytes) -> None:
        """One more event, with its tag (Sherpa's mur2 is the renormalisation scale)."""
        self._check_scale(event)
        if event.alpha_s != _UNKNOWN and not 0 < event.alpha_s < math.inf:
            self.findings.of_event("alpha_s", event.number, "AQCDUP is not positive", f"{event.alpha_s:g}")
            return
        if not 0 < event.scale < math.inf:
            return
        found = re.search(rb"""\smur2\s*=\s*["']([\d.eE+-]{1,30})["']""", tag)
        try:
            squared = float(found[1]) if found else 0.0
        except ValueError:
            squared = 0.0
        self._events.append(event.number)
        self._scales.append(event.scale)
        self._renormalisation.append(math.sqrt(squared) if squared > 0 else event.scale)
        self._alphas.append(event.alpha_s)
        self._heights.append(_height(event))

    def _check_scale(self, event: LheEvent) -> None:
        if event.scale == _UNKNOWN:
            return
        if not 0 < event.scale < math.inf:
            self.findings.of_event("scales", event.number, "SCALUP is not positive", f"{event.scale:g} GeV")
            return
        incoming = event.with_status(INCOMING)
        energies = [p.momentum[0] for p in incoming] if self.init is None else self.init.energies
        total = 2 * math.sqrt(math.prod(energies)) if len(energies) == 2 and min(energies) > 0 else math.inf
        if event.scale > total * (1 + _CONSTANT):
            what = "SCALUP is larger than the energy of the collision"
            self.findings.of_event("scales", event.number, what, f"{event.scale:.6g} of {total:.6g} GeV")

    def conclude(self) -> None:
        """Find what the events have in common, once all were added."""
        if not self._events:
            return
        scales, heights = np.array(self._scales), np.array(self._heights)
        self.scale = _scale_rule(scales, heights)
        alphas = np.array(self._alphas)
        known = alphas > 0
        if not known.any():
            self.rule = "not stated"
            return
        events = np.array(self._events)[known]
        alphas, mu = alphas[known], np.array(self._renormalisation)[known]
        constant = float(np.median(alphas))
        off = np.abs(alphas / constant - 1)
        if (off <= _CONSTANT).mean() >= _MOST:
            self.rule = f"constant, {constant:.6g}"
            self._outliers(events, alphas, np.full_like(alphas, constant), off > _CONSTANT)
            return
        found = _running_rule(mu, alphas) if len(alphas) >= _FEWEST else None
        if found is None:
            self.rule = f"between {alphas.min():.4g} and {alphas.max():.4g}, at other scales than SCALUP"
            strange = (alphas < 0.05) | (alphas > 1.0)
            for event, alpha in zip(events[strange], alphas[strange], strict=True):
                self.findings.of_event("alpha_s", int(event), "AQCDUP is no strong coupling", f"{alpha:g}")
            return
        at_z, running, expected = found
        self.rule = f"runs from {at_z:.5g} at M_Z, {running.loops} loop{'s' if running.loops > 1 else ''}"
        self._outliers(events, alphas, expected, np.abs(alphas / expected - 1) > _RUNNING)

    def _outliers(self, events: Any, alphas: FloatArray, expected: FloatArray, rows: Any) -> None:
        what = f"AQCDUP does not follow the other events: {self.rule}"
        for row in np.flatnonzero(rows):
            example = f"{alphas[row]:.6g}, not {expected[row]:.6g}"
            self.findings.of_event("alpha_s", int(events[row]), what, example)

    @property
    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        scales, alphas = np.array(self._scales), np.array([a for a in self._alphas if a > 0])
        return {
            "scale": {"rule": self.scale, **_range(scales)},
            "alpha_s": {"rule": self.rule, **_range(alphas)},
        }


def _range(values: FloatArray) -> dict[str, float | None]:
    if not len(values):
        return {"smallest": None, "median": None, "largest": None}
    return {"smallest": float(values.min()), "median": float(np.median(values)), "largest": float(values.max())}


def _height(event: LheEvent) -> float:
    """H_T: the sum of the transverse masses of the outgoing particles, in GeV."""
    pairs = ((p.momentum[0], p.momentum[3]) for p in event.particles if p.status == OUTGOING)
    return sum(math.sqrt(max((e - z) * (e + z), 0.0)) for e, z in pairs)


def _scale_rule(scales: FloatArray, heights: FloatArray) -> str:
    middle = float(np.median(scales))
    if (np.abs(scales / middle - 1) <= _CONSTANT).mean() >= _MOST:
        return f"constant, {middle:.6g} GeV"
    positive = heights > 0
    ratio = scales[positive] / heights[positive]
    if not len(ratio):
        return f"{scales.min():.4g} to {scales.max():.4g} GeV"
    share = float(np.median(ratio))
    if (np.abs(ratio / share - 1) <= _CONSTANT).mean() >= _MOST:
        return f"H_T x {share:.4g}"
    return f"{scales.min():.4g} to {scales.max():.4g} GeV, {ratio.min():.3g} to {ratio.max():.3g} of H_T"


def _running_rule(mu: FloatArray, alphas: FloatArray) -> tuple[float, Running, FloatArray] | None:
    """The value at M_Z and the running that most events follow (the simplest), with what it gives for each."""
    best: tuple[float, float, Running, FloatArray] | None = None
    for loops in (1, 2, 3):
        for thresholds in ((), _THRESHOLDS):
            running = Running(loops=loops, thresholds=thresholds, flavours=6 if thresholds else 5)
            if (found := _fitted(mu, alphas, running)) is None:
                continue
            share = float((np.abs(alphas / found[1] - 1) <= _RUNNING).mean())
            if best is None or share > best[0]:
                best = share, found[0], running, found[1]
            if share == 1.0:
                return best[1:]
    return None if best is None or best[0] < _MOST else best[1:]


def _fitted(mu: FloatArray, alphas: FloatArray, running: Running) -> tuple[float, FloatArray] | None:
    """The value at M_Z with which half of the events lie above the running coupling, and that coupling.

    1 / alpha_s at two scales differs, at one loop, by what depends on the scales alone: so does the correction.
    """
    usable = np.maximum(mu, _LOWEST)
    at_z = 0.118
    try:
        for _ in range(_STEPS):
            off = float(np.median(1 / alphas - 1 / running_alpha_s(usable, at_z, running)))
            at_z = min(max(1 / (1 / at_z + off), 0.08), 0.16)
            if abs(off) < _CONVERGED:
                break
        return at_z, running_alpha_s(usable, at_z, running)
    except UsageError:  # it is strong somewhere
        return None
