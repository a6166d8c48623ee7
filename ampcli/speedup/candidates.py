"""Which of many models, alone or in pairs, save most time."""

from __future__ import annotations

import itertools
from pathlib import Path

from ampcli.errors import NotFoundError, UsageError
from ampcli.inference.described import require_described
from ampcli.inference.seen import require_unseen
from ampcli.models.kinds import KINDS
from ampcli.records.base import Frozen
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import names, resolve
from ampcli.speedup.cascades import Seconds, cascades
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.stages import Outcome, Stage, outcome
from ampcli.store.reader import Store


class Candidate(Frozen):
    """One or two models (numbers from 0, the first one is asked first), a strategy, and what it gives on validation."""

    models: list[int]
    strategy: str
    validation: Outcome


def surrogates_for(store: Store, root: Path) -> list[str]:
    """The latest versions of all models of a registry that describe a store, whose test points they did not see, and
    that predict their own uncertainty.

    Raises:
        NotFoundError: there is none.
    """
    found = []
    for name in names(root):
        manifest = read_manifest(resolve(root, name))
        if manifest.members or not KINDS[manifest.kind].predicts_uncertainty:
            continue
        try:
            require_described(manifest, store)
            require_unseen([manifest], store, "test")
        except UsageError:
            continue
        found.append(manifest.reference)
    if not found:
        raise NotFoundError(
            f"the registry {root} has no surrogate of {store.plan.process} with these parameters",
            "Train one with `ampcli train --model fg1+`, or name the models.",
        )
    return found


def rank_candidates(
    validation: PredictedPoints, seconds: Seconds, accuracy: float, tolerance: float, exact_seconds: float
) -> list[Candidate]:
    """Every model alone and every ordered pair, each with its best strategy, from the largest speed-up on.

    Args:
        accuracy: |Delta| from which on a decision counts as wrong.
        tolerance: the largest share of the points' weight that is decided wrongly.
        exact_seconds: of the exact amplitude, per event.
    """
    n = len(seconds.surrogates)
    alone: dict[tuple[int, ...], Stage] = {}
    candidates = []
    for models in [*([i] for i in range(n)), *(list(pair) for pair in itertools.permutations(range(n), 2))]:
        known = alone if len(models) == 1 else dict(alone)  # what is known of pairs is forgotten after each
        outcomes = {}
        for cascade in cascades(validation, seconds, models)[2 if len(models) == 2 else 0 :]:  # alone: had its turn
            stages = cascade.stages(validation, known)
            thresholds = cascade.search(stages, accuracy, validation.weight).best(tolerance, exact_seconds)
            outcomes[cascade.name] = outcome(stages, thresholds, accuracy, exact_seconds, validation.weight)
        best = max(outcomes, key=lambda name: outcomes[name].factor)
        candidates.append(Candidate(models=models, strategy=best, validation=outcomes[best]))
    # A pair that gains nothing is more than is needed.
    return sorted(candidates, key=lambda candidate: (-candidate.validation.factor, len(candidate.models)))
