"""New weights over old ones: ratios of |M|^2, event by event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ampcli.amplitudes.protocol import LeadingColourProvider, Provider
from ampcli.amplitudes.providers import AUTO, by_place, kind_named, provider_of
from ampcli.errors import UsageError
from ampcli.events.exact import Choice, Moved, evaluate, moved
from ampcli.events.lhe.records import LheEvent
from ampcli.events.lhe.subprocess import Legs
from ampcli.kinematics import FloatArray, at_rest
from ampcli.process import Process

if TYPE_CHECKING:
    from ampcli.events.served import Target
    from ampcli.inference.surrogates import Surrogates


@dataclass
class Ratios:
    """Of events of one process.

    Attributes:
        values: (n,), NaN where there is none.
        reasons: why, by row.
        shift: how far the leg that moved most has moved, relative to its energy.
    """

    values: FloatArray
    reasons: dict[int, str]
    shift: float = 0.0


class Ratio(ABC):
    """One named weight.

    Attributes:
        name: in the file.
        description: in words.
    """

    name: str
    description: str

    @abstractmethod
    def legs(self, event: LheEvent) -> Legs | str:
        """The process that an event is taken as, or why it cannot have the weight."""

    @abstractmethod
    def ratios(self, process: Process, momenta: FloatArray, alpha_s: FloatArray) -> Ratios:
        """New |M|^2 over the old.

        Args:
            momenta: (n, n_external, 4) in GeV as the file has them.
            alpha_s: of the events (AQCDUP), (n,); not positive: unknown.
        """


def _computed(choice: Choice, event: LheEvent) -> Legs | str:
    found = choice.legs_of(event)
    if found is None:
        return "particles that ampcli has not"
    legs, provider = found
    return provider if isinstance(provider, str) else legs


def _divided(new: FloatArray, old: FloatArray, reasons: dict[int, str], shift: float) -> Ratios:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = new / old
    for row in np.flatnonzero(~np.isfinite(values)):
        reasons.setdefault(int(row), "|M|^2 is zero or infinite")
    values[list(reasons)] = np.nan
    return Ratios(values, reasons, shift)


class ExactRatio(Ratio):
    """Exact |M|^2 with other parameters over that with those which the file was made with.

    Where alpha_s changes, the old one is that of each event (AQCDUP), unless `original` has it: |M|^2 goes like a power
    of it.

    Args:
        provider: who computes them.
        new: parameters that change.
        original: those that the file was made with, where they are not the provider's defaults.
        on_shell: move legs of other masses onto those of the provider.
    """

    def __init__(
        self, provider: str, new: Mapping[str, float], original: Mapping[str, float], on_shell: bool = False
    ) -> None:
        self.new = Choice(provider, {**original, **new}, on_shell)
        self.new.require_possible()
        self.original = dict(original)
        self.by_event = "alpha_s" in new and "alpha_s" not in original
        changes = ",".join(f"{name}={value:.15g}" for name, value in new.items())
        self.name = f"ampcli_exact_{changes}"
        self.description = f"exact |M|^2 with {changes}"

    def legs(self, event: LheEvent) -> Legs | str:
        return _computed(self.new, event)

    def ratios(self, process: Process, momenta: FloatArray, alpha_s: FloatArray) -> Ratios:
        new = self.new.provider_of(process)
        assert new is not None
        kind = kind_named(new.identity().name)
        old = kind.make(process, self.original)
        before, after = (moved(momenta, provider.process, self.new.on_shell) for provider in (old, new))
        numerator, denominator = evaluate(new, after), evaluate(old, before)
        reasons = after.reasons | before.reasons
        if self.by_event:
            default = float(old.identity().parameters["alpha_s"])
            half = kind.make(process, {**self.original, "alpha_s": 0.5 * default})
            unknown = ~(alpha_s > 0)
            factor = np.where(unknown, default, alpha_s) / default
            denominator = denominator * factor ** _power_of_two(denominator, half, before)
            for row in np.flatnonzero(unknown):
                reasons.setdefault(int(row), "alpha_s of the event (AQCDUP) is not known")
        return _divided(numerator, denominator, reasons, max(before.shift, after.shift))


def _power_of_two(values: FloatArray, half: Provider, events: Moved) -> int:
    """How often |M|^2 (n,) is twice that of a provider with half the coupling: the power that it goes with."""
    rows = np.flatnonzero(np.isfinite(values) & (values > 0))[:1]
    return round(float(np.log2(values[rows] / half.evaluate(events.momenta[rows])).sum()))


class LeadingColourRatio(Ratio):
    """|M|^2 at leading colour over that of full colour, where a provider knows it.

    Args:
        choice: who computes them.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.name = "ampcli_leading_colour"
        self.description = "|M|^2 at leading colour over full colour"

    def legs(self, event: LheEvent) -> Legs | str:
        found = _computed(self.choice, event)
        if isinstance(found, str) or isinstance(self.choice.provider_of(found.process), LeadingColourProvider):
            return found
        return f"of {found.process} only full colour is known"

    def ratios(self, process: Process, momenta: FloatArray, alpha_s: FloatArray) -> Ratios:
        provider = self.choice.provider_of(process)
        assert provider is not None
        events = moved(momenta, provider.process, self.choice.on_shell)
        full, leading = evaluate(provider, events), evaluate(provider, events, leading_colour=True)
        return _divided(leading, full, events.reasons, events.shift)


class ModelRatio(Ratio):
    """A surrogate over the exact |M|^2 that it was trained on; of a set, each event by the model of its flavours.

    Args:
        on_shell: move legs of other masses onto those of the model.
    """

    def __init__(self, surrogates: Surrogates, on_shell: bool = False) -> None:
        self.surrogates = surrogates
        self.on_shell = on_shell
        self.name = f"ampcli_model_{surrogates.reference}"
        self.description = f"the surrogate {surrogates.reference} over exact |M|^2"
        self._exact: dict[int, Provider] = {}
        self._targets: dict[Process, Target] = {}

    def exact(self, member: int) -> Provider:
        """What a member was trained on."""
        if member not in self._exact:
            predictor = self.surrogates.predictors[member]
            self._exact[member] = provider_of(predictor.manifest.provider, predictor.process)
        return self._exact[member]

    def legs(self, event: LheEvent) -> Legs | str:
        found = self.surrogates.served.find(event)
        if isinstance(found, str):
            return f"not {self.surrogates.name}" + (f": {found}" if found else "")
        self._targets[found.target.process] = found.target
        return Legs(found.target.process, found.legs)

    def ratios(self, process: Process, momenta: FloatArray, alpha_s: FloatArray) -> Ratios:
        target = self._targets[process]
        assert target.member is not None
        predictor = self.surrogates.predictors[target.member]
        if target.mirrored:
            momenta = momenta * [1.0, 1.0, -1.0, 1.0]
        events = moved(momenta, predictor.process, self.on_shell)
        sqrt_s = predictor.manifest.sqrt_s
        if sqrt_s is not None:
            other = events.good & ~at_rest(np.where(np.isfinite(events.momenta), events.momenta, 0.0), sqrt_s)
            events.good &= ~other
            events.reasons |= {
                int(row): "another energy than the model was trained at" for row in np.flatnonzero(other)
            }
        exact = evaluate(self.exact(target.member), events)
        surrogate = np.full(len(momenta), np.nan)
        rows = np.flatnonzero(np.isfinite(exact))
        if len(rows):
            surrogate[rows] = predictor.predict_final(events.momenta[rows, 2:])[0]
        return _divided(surrogate, exact, events.reasons, events.shift)


def require_leading_colour(choice: Choice) -> None:
    """Make sure that some provider knows leading colour.

    Raises:
        UsageError: none of those that may be asked does.
    """
    kinds = by_place() if choice.provider == AUTO else [kind_named(choice.provider)]
    if not any(kind.knows_leading_colour for kind in kinds):
        raise UsageError(f"the provider {choice.provider} knows full colour only", "native knows leading colour, too.")
