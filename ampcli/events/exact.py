"""Exact |M|^2 of events of many processes: who computes them, and of which momenta."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.protocol import LeadingColourProvider, Provider, ProviderKind
from ampcli.amplitudes.providers import AUTO, by_place, kind_named
from ampcli.errors import UsageError, setting
from ampcli.events.lhe.records import LheEvent
from ampcli.events.lhe.subprocess import Legs, subprocesses
from ampcli.events.project import project
from ampcli.events.repair import repair
from ampcli.kinematics import FloatArray
from ampcli.process import Process

#: No amplitudes.
NONE = "none"


@dataclass
class Choice:
    """Who computes amplitudes.

    Args:
        provider: a name, `AUTO` (those that need not generate code first), or `NONE`.
        parameters: of the provider, where they are not the defaults.
        on_shell: of momenta that are moved onto the mass shells of the provider, however far they are off.
    """

    provider: str = AUTO
    parameters: Mapping[str, float] = field(default_factory=dict)
    on_shell: bool = False
    _known: dict[Process, Provider | str] = field(default_factory=dict, init=False, repr=False)

    def provider_of(self, process: Process) -> Provider | None:
        """The provider of a process; None: there is none."""
        found = self._found(process)
        return None if isinstance(found, str) else found

    def require_possible(self) -> None:
        """Make sure that there are such providers and parameters.

        Raises:
            UsageError: an unknown provider, or parameters that none of them has.
        """
        if self.parameters and self.provider == NONE:
            raise UsageError(f"{setting('parameter')} has no effect without a provider", "Leave it out.")
        refused = []
        for kind in self._kinds():
            try:
                kind.require_settable(self.parameters)
                return
            except UsageError as error:
                refused.append(error)
        if refused:
            raise refused[0]

    def _kinds(self) -> list[ProviderKind]:
        if self.provider == NONE:
            return []
        if self.provider != AUTO:
            return [kind_named(self.provider)]
        return [kind for kind in by_place() if not kind.alone]

    def _found(self, process: Process) -> Provider | str:
        if process not in self._known:
            self._known[process] = self._make(process)
        return self._known[process]

    def _make(self, process: Process) -> Provider | str:
        """The provider, or why there is none."""
        reasons = []
        for kind in self._kinds():
            if (reason := kind.covers(process)) is None:
                if self.provider == AUTO and not kind.at_once(process):
                    reason = "its code has to be generated first: ask for it by its name"
                else:
                    try:
                        kind.require_settable(self.parameters)
                        provider = kind.make(process, self.parameters)
                        provider.identity()  # makes it ready
                        return provider
                    except UsageError as error:  # no amplitude for this process, or it is not right
                        reason = str(error).splitlines()[0]
            reasons.append(f"{kind.name}: {reason}")
        return "; ".join(reasons) or "no amplitudes were asked for"

    def legs_of(self, event: LheEvent) -> tuple[Legs, Provider | str] | None:
        """The process of an event, and who computes it: the first that somebody computes.

        Where nobody does, that of its stable particles, and why; None: it has particles that ampcli has not.
        """
        candidates = subprocesses(event)
        for legs in candidates:
            if not isinstance(found := self._found(legs.process), str):
                return legs, found
        return (candidates[0], self._found(candidates[0].process)) if candidates else None


@dataclass
class Moved:
    """Momenta of events, physical for a process, or why they are not.

    Attributes:
        momenta: (n, n_external, 4) in GeV; those that are not good mean nothing.
        good: (n,).
        reasons: what is wrong with the others, by row.
        shift: how far the leg that moved most has moved, relative to its energy.
    """

    momenta: FloatArray
    good: npt.NDArray[np.bool_]
    reasons: dict[int, str]
    shift: float


def moved(momenta: npt.NDArray[Any], process: Process, on_shell: bool = False) -> Moved:
    """Put rounding of momenta (n, n_external, 4) right.

    Args:
        on_shell: move legs of other masses onto those of the process, too.
    """
    found = (project if on_shell else repair)(momenta, process)
    reasons = {int(row): _named(found.fault(int(row)), process) for row in np.flatnonzero(~found.good)}
    shift = float(found.shift[found.good].max(initial=0.0))
    return Moved(found.momenta, found.good, reasons, shift)


def evaluate(provider: Provider, events: Moved, leading_colour: bool = False) -> FloatArray:
    """|M|^2 of the good events, NaN for the others and for those that the provider refuses, with its reasons; (n,).

    Args:
        leading_colour: of the leading colour only, which the provider has to know.
    """
    function = provider.evaluate
    if leading_colour:
        assert isinstance(provider, LeadingColourProvider)
        function = provider.leading_colour
    values = np.full(len(events.momenta), np.nan)
    rows = np.flatnonzero(events.good)
    if not len(rows):
        return values
    try:
        values[rows] = function(events.momenta[rows])
    except UsageError:  # it names one event: find all
        for row in rows:
            try:
                values[row] = function(events.momenta[row : row + 1])[0]
            except UsageError as error:
                events.reasons[int(row)] = _named(re.sub(r"^event 0 \(from 0\): ", "", error.what), provider.process)
    return values


def _named(fault: str, process: Process) -> str:
    """A fault without numbers, and the name of the particle in the place of the number of its leg."""
    found = re.match(r"leg (\d+)(.*)", fault, re.DOTALL)
    named = fault if found is None else f"{process.legs[int(found[1])].name}{found[2]}"
    return re.split(r"[:;(\[]| -?\d", named)[0].strip()
