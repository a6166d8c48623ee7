"""`ampcli speedup`: surrogates measured; thresholds chosen on some points, certified and judged on others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import PROVIDERS, choose_kind, covering, kind_named
from ampcli.errors import UsageError, setting
from ampcli.inference.described import require_described
from ampcli.inference.predictor import Predictor
from ampcli.inference.seen import require_unseen
from ampcli.kinematics import with_beams
from ampcli.phasespace.observables import bias, observables
from ampcli.progress import Bars, unseen
from ampcli.registry.manifest import Manifest
from ampcli.speedup.bounds import bounds
from ampcli.speedup.candidates import Candidate, rank_candidates
from ampcli.speedup.cascades import Seconds, cascades
from ampcli.speedup.certify import WeightSpread
from ampcli.speedup.judged import JudgedCascade
from ampcli.speedup.mixture import Mixture
from ampcli.speedup.objective import Goal, Objective
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.report import Report
from ampcli.speedup.scan import scan_thresholds, signed_errors
from ampcli.speedup.spent import break_even, spent_on
from ampcli.speedup.stages import decided_errors
from ampcli.speedup.strategy import TOLERANCES, measure_strategy
from ampcli.speedup.timing import (
    check_seconds,
    combination_seconds,
    exact_seconds,
    surrogate_times,
)
from ampcli.speedup.unweighting import Unweighting, two_stage_unweighting
from ampcli.store.reader import Split, Store
from ampcli.uncertainty.kind import UncertaintyKind


def providers_of(
    store: Store, names: Sequence[str], on_step: Callable[[str], None] = lambda step: None
) -> dict[str, Provider]:
    """The exact amplitudes by these names; by none, all that cover the process, or the store's where these are others.

    Raises:
        UsageError: a named one does not, or none at all.
    """
    made, process = store.plan.provider, store.process
    if made.model is not None and (foreign := [name for name in names if name != made.exact_name]):
        raise UsageError(
            f"{foreign[0]} has no amplitudes of the UFO model {made.model}, which are those of the store",
            f"Leave out {setting('provider')}.",
        )
    unchecked = "unchecked" in made.options
    own = PROVIDERS.find(made.exact_name.partition(":")[0])  # None: of a package that is not installed
    alone = made.model is not None or (own is not None and own.alone)
    others = [kind_named(made.exact_name)] if alone else covering(process, unchecked)
    kinds = [choose_kind(name, process, unchecked) for name in names] or others
    found, refused = {}, None
    for kind in kinds:
        on_step(f"preparing {kind.name} (which may make its code first: minutes)")
        # Those of the store, where they are its own: other masses cost as much, but fail the check of momenta.
        parameters = made.parameters if kind.parameters and kind.name == made.name else {}
        try:
            provider = kind.make(process, parameters, unchecked)
            provider.identity()
            found[kind.name] = provider
        except UsageError as error:
            refused = error
            if names:
                raise
    if not found:
        raise refused or UsageError(f'no provider covers "{process}"')
    return found


def measure_speedup(
    predictors: Sequence[Predictor],
    trainings: Sequence[Sequence[Manifest]],
    store: Store,
    providers: Mapping[str, Provider],
    accuracy: float,
    tolerance: float,
    batch: int,
    objective: Objective = Objective.MIXTURE,
    on_step: Callable[[str], None] = lambda step: None,
    bars: Bars = unseen,
) -> Report:
    """Time surrogates and exact amplitudes, and find what they give together.

    Args:
        predictors: one or two, the quicker one first; of more, the best one or two are taken.
        trainings: the networks of each, as they were trained (`trained_networks`).
        providers: exact amplitudes to compare with; the first is the yardstick.
        accuracy, tolerance: at most this share of events may be off by more than this |Delta|.
        batch: events in a batch when times are measured.
        objective: what the best one or two of more models are best at; the store must tell (`require_possible`).
        on_step: told what comes next.
        bars: show how far it is.

    Raises:
        UsageError: models for another process, without an uncertainty of their own, or of negative amplitudes.
    """
    for predictor in predictors:
        require_described(predictor.manifest, store)
        require_own_uncertainty(predictor)
    networks = [manifest for training in trainings for manifest in training]
    store, seen = require_unseen([*(p.manifest for p in predictors), *networks], store, "test")
    compared = [p.manifest.reference for p in predictors]
    validation = _predicted(predictors, store, "validation", bars)
    final = np.resize(validation.momenta, (batch, *validation.momenta.shape[1:]))
    momenta = with_beams(final)
    exact = {}
    with bars("amplitudes", len(providers)) as advance:
        for name, provider in providers.items():
            on_step(f"timing {name}")
            exact[name] = exact_seconds(provider, momenta)
            advance(1)
    yardstick = next(iter(exact))
    on_step("timing surrogates")
    times = []
    with bars("surrogates", len(predictors)) as advance:
        for predictor in predictors:
            times.append(surrogate_times(predictor, final))
            advance(1)
    checks, combination = check_seconds(providers[yardstick], momenta), combination_seconds(batch)
    parts = Seconds([t.total for t in times], checks, combination)
    candidates: list[Candidate] = []
    if len(predictors) > 2:
        on_step("ranking")
        goal = Goal(
            objective,
            validation,
            parts.surrogates,
            exact[yardstick],
            lambda models: spent_on([manifest for i in models for manifest in trainings[i]], store),
        )
        candidates = rank_candidates(validation, parts, accuracy, tolerance, exact[yardstick], goal)
        chosen = candidates[0].models
        predictors, times = [predictors[i] for i in chosen], [times[i] for i in chosen]
        trainings = [trainings[i] for i in chosen]
        parts = Seconds([t.total for t in times], checks, combination)
        validation = validation.of_models(chosen)
    test = _predicted(predictors, store, "test", bars)
    certifying, judging = test.judged_apart()
    spread = WeightSpread.of(validation.weight)
    counting = {target: spread.counting(len(certifying), target) for target in {*TOLERANCES, tolerance}}
    ways = {
        cascade.name: JudgedCascade(cascade, validation, certifying, judging, accuracy, counting)
        for cascade in cascades(validation, parts, range(len(predictors)))
    }
    strategies = []
    with bars("strategies", len(exact) * len(ways)) as advance:
        for name, seconds in exact.items():
            for way in ways.values():
                on_step(f"executing {way.cascade.name} over {name}")
                mixture = Mixture(predictors, way.cascade, [], providers[name])
                strategies.append(measure_strategy(way, name, mixture, judging.momenta, tolerance, seconds, batch))
                advance(1)
    best = max((s for s in strategies if s.provider == yardstick), key=lambda s: s.validation.factor)
    stages, thresholds = ways[best.name].judging, best.outcome.thresholds
    shown = thresholds if best.certified else best.validation.thresholds
    delta, relative = decided_errors(stages, thresholds)
    spent = spent_on([manifest for each in trainings for manifest in each], store)
    factors = {s.provider: s.executed for s in strategies if s.name == best.name}
    return Report(
        models=[p.manifest.reference for p in predictors],
        candidates=candidates,
        compared=compared,
        objective=objective,
        batch=batch,
        accuracy=accuracy,
        tolerance=tolerance,
        points={"chose": len(validation), "certified": len(certifying), "judged": len(judging)},
        yardstick=yardstick,
        exact=exact,
        checks=checks,
        combination=combination,
        surrogates=times,
        strategies=strategies,
        best=best.name,
        scan=scan_thresholds(stages, shown, exact[yardstick], judging.weight),
        signed=signed_errors(stages, thresholds),
        bounds=bounds(judging.weight, delta, relative),
        biases={
            name: bias(values, judging.weight, judging.weight * (1 + delta))
            for name, values in observables(judging.momenta, store.process).items()
        },
        spent=spent,
        break_even_events={
            provider: break_even(spent, seconds, factors[provider]) for provider, seconds in exact.items()
        },
        unweighting=_unweighting(store, test, times[-1].total, exact),
        seen=seen,
    )


def _predicted(predictors: Sequence[Predictor], store: Store, split: Split, bars: Bars) -> PredictedPoints:
    with bars("points", len(store.split_rows(split)) * len(predictors)) as advance:
        return PredictedPoints.of(predictors, store, split, advance)


def require_own_uncertainty(predictor: Predictor) -> None:
    """Make sure that a model says of each event how sure it is.

    Raises:
        UsageError: it does not.
    """
    if predictor.uncertainty_kind is not UncertaintyKind.OWN:
        raise UsageError(
            f"{predictor.manifest.reference} has no uncertainty of its own for each event, so that thresholds on it "
            "mean nothing",
            "Use models such as fg1+ or fame+, or combine them with `ampcli ensemble --combine covariance`.",
        )


def _unweighting(
    store: Store, test: PredictedPoints, seconds: float, exact: dict[str, float]
) -> dict[str, Unweighting] | None:
    """Only weighted points tell how often an event would be accepted."""
    if not store.plan.source.are_sampled or store.plan.source.are_unweighted:
        return None
    delta = test.predicted[-1] / test.exact - 1
    return {name: two_stage_unweighting(test.weight, delta, seconds, each) for name, each in exact.items()}
