"""Which of many models, alone or in pairs, save most time."""

from __future__ import annotations

import itertools

from pydantic import FiniteFloat

from ampcli.errors import NotFoundError, UsageError
from ampcli.inference.described import require_described
from ampcli.inference.seen import require_unseen
from ampcli.models.kinds import KINDS
from ampcli.records.base import Frozen
from ampcli.registry.manifest import Manifest
from ampcli.registry.search import Registry, newest
from ampcli.registry.sets import read_entry
from ampcli.speedup.cascades import Seconds, cascades
from ampcli.speedup.objective import Goal
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.stages import Outcome, Stage, outcome
from ampcli.store.reader import Store


class Candidate(Frozen):
    """One or two models (numbers from 0, the first one is asked first), a strategy, and what it gives on validation.

    Attributes:
        value: of the objective: a factor, or events to pay back; None: never.
        models: numbers of one or two in `compared`, from 0, the one that is asked first in front.
        strategy: how two are used.
        validation: what thresholds give on validation points.
    """

    models: list[int]
    strategy: str
    validation: Outcome
    value: FiniteFloat | None


def surrogates_for(store: Store, registry: Registry) -> list[str]:
    """The latest versions of all models of a registry (`Registry.own`) that describe a store, whose test points they
    did not see, and that predict their own uncertainty.

    Raises:
        NotFoundError: there is none.
    """
    found = []
    for folder in newest(registry.own):
        manifest = read_entry(folder)
        if not isinstance(manifest, Manifest) or manifest.members or not KINDS[manifest.kind].predicts_uncertainty:
            continue
        try:
            require_described(manifest, store)
            require_unseen([manifest], store, "test")
        except UsageError:
            continue
        found.append(manifest.reference)
    if not found:
        raise NotFoundError(
            f"{registry} has no surrogate of {store.plan.process} with these parameters",
            "Train one with `ampcli train --model fg1+`, or name the models.",
        )
    return found


def rank_candidates(
    validation: PredictedPoints,
    seconds: Seconds,
    accuracy: float,
    tolerance: float,
    exact_seconds: float,
    goal: Goal | None = None,
) -> list[Candidate]:
    """Every model alone and every ordered pair, each with its best strategy, the best in front.

    Args:
        goal: what they are ranked by; not given: the speed-up of the mixture.
        accuracy: |Delta| from which on a decision counts as wrong.
        tolerance: the largest share of the points' weight that is decided wrongly.
        exact_seconds: of the exact amplitude, per event.
    """
    n, pairs = len(seconds.surrogates), goal is None or goal.objective.of_pairs
    alone: dict[tuple[int, ...], Stage] = {}
    candidates = []
    ordered = itertools.permutations(range(n), 2) if pairs else ()
    for models in [*([i] for i in range(n)), *map(list, ordered)]:
        known = alone if len(models) == 1 else dict(alone)  # what is known of pairs is forgotten after each
        outcomes = {}
        for cascade in cascades(validation, seconds, models)[2 if len(models) == 2 else 0 :]:  # alone: had its turn
            stages = cascade.stages(validation, known)
            thresholds = cascade.search(stages, accuracy, validation.weight).best(tolerance, exact_seconds)
            outcomes[cascade.name] = outcome(stages, thresholds, accuracy, exact_seconds, validation.weight)
        best = max(outcomes, key=lambda name: outcomes[name].factor)
        value = outcomes[best].factor if goal is None else goal.value(models, outcomes[best])
        candidates.append(Candidate(models=models, strategy=best, validation=outcomes[best], value=value))

    def order(candidate: Candidate) -> tuple[float, int]:  # a pair that gains nothing is more than is needed
        loss = -candidate.validation.factor if goal is None else goal.loss(candidate.value)
        return loss, len(candidate.models)

    return sorted(candidates, key=order)
