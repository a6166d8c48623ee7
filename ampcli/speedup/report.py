"""What `ampcli speedup` writes."""

from __future__ import annotations

from pydantic import FiniteFloat

from ampcli.phasespace.observables import Bias
from ampcli.records.base import Frozen
from ampcli.speedup.bounds import Bounds
from ampcli.speedup.candidates import Candidate
from ampcli.speedup.objective import Objective
from ampcli.speedup.scan import Scan, SignedErrors
from ampcli.speedup.spent import Spent
from ampcli.speedup.stages import Outcome
from ampcli.speedup.timing import SurrogateTimes
from ampcli.speedup.unweighting import Unweighting


class Strategy(Frozen):
    """One way to use the surrogates before an exact amplitude.

    Attributes:
        certified: whether thresholds keep the tolerance at 95 % confidence; if not, the exact amplitude is used alone.
        events_needed: so many events may certify the tolerance; None: no number can (a few weights carry too much).
        validation: thresholds as chosen on validation points.
        outcome: certified thresholds, on points that neither choice nor certificate has seen.
        executed: exact time over that of the mixture as a whole, run on these points.
        curve: tolerance asked for; tolerance and factor (from the parts) on these points.
        asks: numbers (of `Report.models`) of the surrogates that each stage knows.
        correlation: of the errors of two, by which a stage that knows both combines them.
        name: which surrogates are asked, and in which order.
        provider: of the exact amplitude.
    """

    name: str
    provider: str
    asks: list[list[int]]
    correlation: list[list[FiniteFloat]] | None
    certified: bool
    events_needed: int | None
    validation: Outcome
    outcome: Outcome
    executed: FiniteFloat
    curve: list[tuple[FiniteFloat, FiniteFloat, FiniteFloat]]


class Report(Frozen):
    """What `ampcli speedup` found; times are seconds per event on one thread (or the device).

    Attributes:
        batch: events in a batch for the times.
        accuracy: largest |Delta| that counts as right.
        tolerance: share of the events that may be further off.
        exact: by provider.
        combination: of the predictions of two surrogates.
        surrogates: of the models, in their order.
        strategies: for every provider.
        best: name of the strategy that is best over the yardstick.
        scan: of thresholds, for the plot.
        signed: errors of what surrogates decide, for the plot.
        bounds: on what errors do to any observable.
        biases: of histograms, by variable.
        spent: on the training.
        break_even_events: by provider, events after which the training is paid back; None: never.
        unweighting: in two stages, by provider; None: the points have no weights.
    """

    models: list[str]
    """One or two, the one that is asked first in front."""
    candidates: list[Candidate]
    """Models and pairs that were compared on validation points, the best in front; those given, where two at most."""
    compared: list[str]
    """The models that the numbers of `candidates` stand for."""
    objective: Objective
    """What the models were chosen for, where more than two were compared."""
    batch: int
    accuracy: FiniteFloat
    tolerance: FiniteFloat
    points: dict[str, int]
    """That chose (validation split), certified and judged (parts of the test split)."""
    yardstick: str
    """The exact amplitude over which models, pairs and the best strategy were chosen."""
    exact: dict[str, FiniteFloat]
    checks: FiniteFloat
    """Of momenta: part of exact times, and of mixtures."""
    combination: FiniteFloat
    surrogates: list[SurrogateTimes]
    strategies: list[Strategy]
    best: str
    scan: Scan
    signed: SignedErrors
    bounds: Bounds
    biases: dict[str, Bias]
    spent: Spent
    break_even_events: dict[str, FiniteFloat | None]
    unweighting: dict[str, Unweighting] | None
    seen: list[str]
    """What has to be said about points that the models may have seen before."""

    @property
    def uncertified(self) -> str | None:
        """In words, what could certify the tolerance where no threshold of some strategy keeps it."""
        needed = [s.events_needed for s in self.strategies if not s.certified]
        if not needed:
            return None
        # the same for all: it follows from weights and tolerance
        enough = "no number of events like these" if needed[0] is None else f"{needed[0]} events"
        return f"no threshold: {enough} can certify this: exact amplitudes alone"
