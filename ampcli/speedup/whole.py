"""A whole sample of many channels from the reports of these: each counted by its events and by what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import FiniteFloat

from ampcli.records.base import Frozen
from ampcli.speedup.report import Report


@dataclass(frozen=True)
class Part:
    """One channel: its events in the sample, and its report."""

    events: int
    report: Report


class WholeSpeedup(Frozen):
    """All measured channels together, each by the strategy that its report calls the best.

    Attributes:
        covered: the share of the sample's events that these channels have.
        decided: the share of these events that surrogates decide.
        factor: time of exact amplitudes for all of them over that of the mixtures, as executed.
        factor_of_both: the same, if channels whose mixture is slower than the exact amplitude take this alone.
        yardsticks: the exact amplitudes.
        channels: how many were measured.
    """

    channels: int
    covered: FiniteFloat
    decided: FiniteFloat
    factor: FiniteFloat
    factor_of_both: FiniteFloat
    yardsticks: list[str]

    @property
    def text(self) -> str:
        """In one line."""
        yardsticks = " and ".join(self.yardsticks)
        line = f"surrogates decide {100 * self.decided:.4g} % of the events; "
        line += f"{self.factor:.3g} times the speed of {yardsticks}"
        if self.factor_of_both > self.factor:
            line += f", {self.factor_of_both:.3g} if channels that are slower stay exact"
        return f"{line} ({self.channels} channels, {100 * self.covered:.4g} % of the events)"


def whole_speedup(parts: Sequence[Part], events: int) -> WholeSpeedup:
    """Times and decided events of all channels.

    Args:
        parts: channels that were measured.
        events: of the whole sample.
    """
    number = sum(part.events for part in parts)
    exact = mixed = both = decided = 0.0
    for part in parts:
        report = part.report
        chosen = next(s for s in report.strategies if (s.name, s.provider) == (report.best, report.yardstick))
        seconds = part.events * report.exact[report.yardstick]
        exact += seconds
        mixed += seconds / chosen.executed
        both += seconds / max(chosen.executed, 1.0)
        decided += part.events * sum(chosen.outcome.used)
    return WholeSpeedup(
        channels=len(parts),
        covered=number / events,
        decided=decided / number,
        factor=exact / mixed,
        factor_of_both=exact / both,
        yardsticks=list(dict.fromkeys(part.report.yardstick for part in parts)),
    )
