"""What is to be best about the models that are chosen of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ampcli.errors import UsageError, setting
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.spent import Spent, break_even
from ampcli.speedup.stages import Outcome
from ampcli.speedup.unweighting import two_stage_unweighting
from ampcli.store.reader import Store


class Objective(StrEnum):
    """The largest speed-up of the mixture, that of two-stage unweighting, or the fewest events to pay trainings."""

    MIXTURE = "mixture"
    UNWEIGHTING = "unweighting"
    BREAK_EVEN = "break-even"

    @property
    def of_pairs(self) -> bool:
        """Whether two models may do better than one; one alone proposes events to be unweighted."""
        return self is not Objective.UNWEIGHTING

    def require_possible(self, store: Store) -> None:
        """Make sure that the store's events can tell.

        Raises:
            UsageError: unweighted or given events, where it needs weighted ones.
        """
        sampled = store.plan.source.are_sampled and not store.plan.source.are_unweighted
        if self is Objective.UNWEIGHTING and not sampled:
            raise UsageError(
                f"{setting('objective')} {self}: {store.path} has no weighted points, which tell how often an event "
                "would be accepted",
                "Choose another objective, or a store without unweighting.",
            )


@dataclass(frozen=True)
class Goal:
    """An objective over one exact amplitude.

    Attributes:
        points: that models are compared on.
        surrogates: seconds per event of each model.
        exact: seconds per event of the exact amplitude.
        spent: on the trainings of models, by their numbers.
    """

    objective: Objective
    points: PredictedPoints
    surrogates: Sequence[float]
    exact: float
    spent: Callable[[Sequence[int]], Spent]

    def value(self, models: Sequence[int], mixture: Outcome) -> float | None:
        """Of models whose mixture gives this: a factor, or events to pay back; None: never."""
        if self.objective is Objective.MIXTURE:
            return mixture.factor
        if self.objective is Objective.BREAK_EVEN:
            return break_even(self.spent(models), self.exact, mixture.factor)
        (model,) = models
        delta = self.points.predicted[model] / self.points.exact - 1
        return two_stage_unweighting(self.points.weight, delta, self.surrogates[model], self.exact).factor

    def loss(self, value: float | None) -> float:
        """Smaller is better."""
        if value is None:
            return float("inf")
        return value if self.objective is Objective.BREAK_EVEN else -value
