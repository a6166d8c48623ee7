"""Scales of events, and their alpha_s against its running."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError
from ampcli.events.check.findings import Check, Findings
from ampcli.events.lhe.records import INCOMING, OUTGOING, LheEvent, LheInit
from ampcli.kinematics import FloatArray
from ampcli.phasespace.running_coupling import Running, running_alpha_s

_UNKNOWN = -1.0
_MOST = 0.9  # of the events that follow a rule: then the others are wrong
_CONSTANT = 2e-3  # relative difference of what is meant to be equal
_RUNNING = 5e-3  # of alpha_s and what it runs to from the median's value at M_Z: flavour thresholds, digits
_LARGE = 2.0  # times the energy of the partons: hardly a scale of theirs
_WEAK, _STRONG = 0.05, 1.0  # what alpha_s is between, at scales of events
_STEPS = 8  # of the fit
_CONVERGED = 1e-5  # of 1 / alpha_s
_FEWEST = 5  # events that a running coupling is fitted to
_LOWEST = 1.0  # GeV, where alpha_s is still taken to run
_THRESHOLDS = (1.5, 4.75, 173.0)  # GeV: charm, bottom, top


@dataclass(frozen=True)
class Rule:
    """What values of events follow: in words, what it gives for each (n,), and which are off (n,)."""

    words: str
    expected: FloatArray
    off: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, words: str, values: FloatArray, expected: FloatArray, tolerance: float) -> Rule | None:
        """None where not nearly all values follow it."""
        off = ~(np.abs(values / expected - 1) <= tolerance)
        return None if off.mean() > 1 - _MOST else cls(words, expected, off)


class Couplings:
    """Scales and couplings, event by event; `conclude` looks for rules that they follow, and who breaks them.

    Attributes:
        scale: what SCALUP is, in words.
        alpha_s: what AQCDUP follows, in words.
    """

    def __init__(self, init: LheInit | None, findings: Findings) -> None:
        self.init = init
        self.findings = findings
        self.scale = self.alpha_s = "not stated"
        self._events = array("q")
        self._scales, self._renormalisation, self._heights, self._alphas = (array("d") for _ in range(4))

    def add(self, event: LheEvent, tag: bytes) -> None:
        """One more event, with its tag (Sherpa's mur2 is the renormalisation scale)."""
        self._check_scale(event)
        if event.alpha_s != _UNKNOWN and not 0 < event.alpha_s < math.inf:
            self.findings.of_event("alpha_s", event.number, "AQCDUP is not positive", f"{event.alpha_s:g}")
        elif 0 < event.scale < math.inf:
            self._events.append(event.number)
            self._scales.append(event.scale)
            self._renormalisation.append(_renormalisation(tag) or event.scale)
            self._heights.append(_height(event))
            self._alphas.append(event.alpha_s)

    def _check_scale(self, event: LheEvent) -> None:
        if event.scale == _UNKNOWN:
            return
        if not 0 < event.scale < math.inf:
            self.findings.of_event("scales", event.number, "SCALUP is not positive", f"{event.scale:g} GeV")
            return
        partonic = _energy([particle.momentum[0] for particle in event.with_status(INCOMING)])
        total = partonic if self.init is None else _energy(self.init.energies)
        if event.scale > total * (1 + _CONSTANT):
            what = "SCALUP is larger than the energy of the collision"
            self.findings.of_event("scales", event.number, what, f"{event.scale:.6g} of {total:.6g} GeV")
        elif event.scale > _LARGE * partonic:
            what = f"SCALUP is larger than {_LARGE:g} times the energy of the partons"
            self.findings.of_event(
                "scales", event.number, what, f"{event.scale:.6g} of {partonic:.6g} GeV", wrong=False
            )

    def conclude(self) -> None:
        """Find what the events have in common, once all were added."""
        if not self._events:
            return
        events, scales, alphas = np.array(self._events), np.array(self._scales), np.array(self._alphas)
        rule = _scale_rule(scales, np.array(self._heights))
        self.scale = f"{scales.min():.4g} to {scales.max():.4g} GeV" if rule is None else rule.words
        if rule is not None:
            self._tell("scales", "SCALUP", events, scales, rule, wrong=False)
        known = alphas > 0
        events, alphas, mu = events[known], alphas[known], np.array(self._renormalisation)[known]
        if not len(alphas):
            return
        rule = _alpha_rule(mu, alphas)
        if rule is not None:
            self.alpha_s = rule.words
            self._tell("alpha_s", "AQCDUP", events, alphas, rule, wrong=True)
            return
        self.alpha_s = f"between {alphas.min():.4g} and {alphas.max():.4g}, at other scales than SCALUP"
        strange = (alphas < _WEAK) | (alphas > _STRONG)
        for event, alpha in zip(events[strange], alphas[strange], strict=True):
            self.findings.of_event("alpha_s", int(event), "AQCDUP is no strong coupling", f"{alpha:g}")

    def _tell(self, check: Check, name: str, events: Any, values: FloatArray, rule: Rule, wrong: bool) -> None:
        what = f"{name} does not follow the other events: {rule.words}"
        for row in np.flatnonzero(rule.off):
            example = f"{values[row]:.6g}, not {rule.expected[row]:.6g}"
            self.findings.of_event(check, int(events[row]), what, example, wrong)

    @property
    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        alphas = np.array(self._alphas)
        return {
            "scale": {"rule": self.scale, **_range(np.array(self._scales))},
            "alpha_s": {"rule": self.alpha_s, **_range(alphas[alphas > 0])},
        }


def _range(values: FloatArray) -> dict[str, float | None]:
    if not len(values):
        return {"smallest": None, "median": None, "largest": None}
    return {"smallest": float(values.min()), "median": float(np.median(values)), "largest": float(values.max())}


def _energy(energies: Sequence[float]) -> float:
    """Of the collision of two massless particles, GeV; infinite if there are no such."""
    return 2 * math.sqrt(math.prod(energies)) if len(energies) == 2 and min(energies) > 0 else math.inf


def _renormalisation(tag: bytes) -> float:
    """The renormalisation scale in GeV that an attribute tells; 0: none does."""
    found = re.search(rb"""\smur2\s*=\s*["']([\d.eE+-]{1,30})["']""", tag)
    try:
        squared = float(found[1]) if found else 0.0
    except ValueError:
        return 0.0
    return math.sqrt(squared) if 0 < squared < math.inf else 0.0


def _height(event: LheEvent) -> float:
    """H_T: the sum of the transverse masses of the outgoing particles, in GeV."""
    pairs = ((p.momentum[0], p.momentum[3]) for p in event.particles if p.status == OUTGOING)
    return sum(math.sqrt(max((e - z) * (e + z), 0.0)) for e, z in pairs)


def _scale_rule(scales: FloatArray, heights: FloatArray) -> Rule | None:
    """One scale for all events, or a share of H_T."""
    middle = float(np.median(scales))
    if (rule := Rule.of(f"{middle:.6g} GeV", scales, np.full_like(scales, middle), _CONSTANT)) is not None:
        return rule
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        share = float(np.median(scales / heights))
        expected = share * heights
        return Rule.of(f"H_T x {share:.4g}", scales, expected, _CONSTANT) if 0 < share < math.inf else None


def _alpha_rule(mu: FloatArray, alphas: FloatArray) -> Rule | None:
    """One value for all events, or one at M_Z that runs."""
    middle = float(np.median(alphas))
    rule = Rule.of(f"constant, {middle:.6g}", alphas, np.full_like(alphas, middle), _CONSTANT)
    if rule is not None or len(alphas) < _FEWEST:
        return rule
    return _running_rule(mu, alphas)


def _running_rule(mu: FloatArray, alphas: FloatArray) -> Rule | None:
    """The running that most events follow, the simplest that all do."""
    best: Rule | None = None
    for loops in (1, 2, 3):
        for thresholds in ((), _THRESHOLDS):
            running = Running(loops=loops, thresholds=thresholds, flavours=6 if thresholds else 5)
            if (found := _fitted(mu, alphas, running)) is None:
                continue
            words = f"runs from {found[0]:.5g} at M_Z, {loops} loop{'s' if loops > 1 else ''}"
            rule = Rule.of(words, alphas, found[1], _RUNNING)
            if rule is not None and (best is None or rule.off.sum() < best.off.sum()):
                best = rule
            if best is not None and not best.off.any():
                return best
    return best


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
