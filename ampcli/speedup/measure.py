"""`ampcli speedup`: surrogates measured; thresholds chosen on some points, certified and judged on others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from pydantic import FiniteFloat

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import choose_kind, covering
from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.inference.described import require_described
from ampcli.inference.predictor import Predictor
from ampcli.inference.seen import require_unseen
from ampcli.kinematics import FloatArray, with_beams
from ampcli.registry.manifest import Manifest
from ampcli.speedup.cascades import Candidate, Cascade, Points, Seconds, cascades, rank_candidates
from ampcli.speedup.certify import Weights, certified_scale, critical_scales
from ampcli.speedup.mixture import Mixture
from ampcli.speedup.observables import Bias, Bounds, bias, bounds, observables
from ampcli.speedup.scan import Scan, SignedErrors, scan_thresholds, signed_errors
from ampcli.speedup.spent import Spent, spent_on
from ampcli.speedup.stages import (
    Outcome,
    Stage,
    Unweighting,
    decide,
    exact_alone,
    outcome,
    two_stage_unweighting,
)
from ampcli.speedup.timing import (
    SurrogateTimes,
    check_seconds,
    combination_seconds,
    exact_seconds,
    surrogate_times,
    times_faster,
)
from ampcli.store.reader import Store
from ampcli.uncertainty.kind import UncertaintyKind

_JUDGES = 5  # one in so many test points judges, the others certify
_TOLERANCES = np.geomspace(1e-5, 1e-2, 13)
_EXECUTED_SECONDS = 0.5  # about, of a mixture: as many batches as take so long


class Strategy(Frozen):
    """One way to use the surrogates before an exact amplitude.

    Attributes:
        certified: whether thresholds keep the tolerance at 95 % confidence; if not, the exact amplitude is used alone.
        events_needed: so many events may certify the tolerance; None: no number can (a few weights carry too much).
        validation: thresholds as chosen on validation points.
        outcome: certified thresholds, on points that neither choice nor certificate has seen.
        executed: exact time over that of the mixture as a whole, run on these points.
        curve: tolerance asked for; tolerance and factor (from the parts) on these points.
    """

    name: str
    provider: str
    certified: bool
    events_needed: int | None
    validation: Outcome
    outcome: Outcome
    executed: FiniteFloat
    curve: list[tuple[FiniteFloat, FiniteFloat, FiniteFloat]]


class Report(Frozen):
    """What `ampcli speedup` found; times are seconds per event on one thread (or the device)."""

    models: list[str]
    """One or two, the one that is asked first in front."""
    candidates: list[Candidate]
    """Models and pairs that were compared on validation points, the best in front; those given, where two at most."""
    compared: list[str]
    """The models that the numbers of `candidates` stand for."""
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


def providers_of(
    store: Store, names: Sequence[str], on_step: Callable[[str], None] = lambda step: None
) -> dict[str, Provider]:
    """The exact amplitudes by these names; by none, all that cover the process.

    Raises:
        UsageError: a named one does not, or none at all.
    """
    made, process = store.plan.provider, store.process
    unchecked = "unchecked" in made.options
    kinds = [choose_kind(name, process, unchecked) for name in names] or covering(process, unchecked)
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
    on_step: Callable[[str], None] = lambda step: None,
) -> Report:
    """Time surrogates and exact amplitudes, and find what they give together.

    Args:
        predictors: one or two, the quicker one first; of more, the best one or two are taken.
        trainings: the networks of each, as they were trained (`trained_networks`).
        providers: exact amplitudes to compare with; the first is the yardstick.
        accuracy, tolerance: at most this share of events may be off by more than this |Delta|.
        batch: events in a batch when times are measured.

    Raises:
        UsageError: models for another process, without an uncertainty of their own, or of negative amplitudes.
    """
    for predictor in predictors:
        require_described(predictor.manifest, store)
        require_own_uncertainty(predictor)
    networks = [manifest for training in trainings for manifest in training]
    store, seen = require_unseen([*(p.manifest for p in predictors), *networks], store, "test")
    compared = [p.manifest.reference for p in predictors]
    validation = Points.of(predictors, store, "validation")
    final = np.resize(validation.momenta, (batch, *validation.momenta.shape[1:]))
    momenta = with_beams(final)
    exact = {}
    for name, provider in providers.items():
        on_step(f"timing {name}")
        exact[name] = exact_seconds(provider, momenta)
    yardstick = next(iter(exact))
    on_step("timing surrogates")
    times = [surrogate_times(p, final) for p in predictors]
    parts = Seconds(
        [t.total for t in times], check_seconds(providers[yardstick], momenta), combination_seconds(len(final))
    )
    candidates: list[Candidate] = []
    if len(predictors) > 2:
        on_step("ranking")
        candidates = rank_candidates(validation, parts, accuracy, tolerance, exact[yardstick])
        chosen = candidates[0].models
        predictors, times = [predictors[i] for i in chosen], [times[i] for i in chosen]
        trainings = [trainings[i] for i in chosen]
        parts = Seconds([t.total for t in times], parts.checks, parts.combination)
        validation = validation.of_models(chosen)
    unseen = Points.of(predictors, store, "test")
    judges = np.arange(len(unseen)) % _JUDGES == 0
    certifying, judging = unseen.rows(~judges), unseen.rows(judges)
    ways = {c.name: Way(c, validation, certifying, judging) for c in cascades(validation, parts)}
    strategies = []
    for name, seconds in exact.items():
        for way in ways.values():
            on_step(f"executing {way.cascade.name} over {name}")
            mixture = Mixture(predictors, way.cascade, [], providers[name])
            strategies.append(_strategy(way, name, mixture, judging.momenta, accuracy, tolerance, seconds, batch))
    best = max((s for s in strategies if s.provider == yardstick), key=lambda s: s.validation.factor)
    stages, thresholds = ways[best.name].judging, best.outcome.thresholds
    shown = thresholds if best.certified else best.validation.thresholds
    delta, relative = _mixture(stages, thresholds)
    spent = spent_on([manifest for each in trainings for manifest in each], store)
    factors = {s.provider: s.executed for s in strategies if s.name == best.name}
    return Report(
        models=[p.manifest.reference for p in predictors],
        candidates=candidates,
        compared=compared,
        batch=batch,
        accuracy=accuracy,
        tolerance=tolerance,
        points={"chose": len(validation), "certified": len(certifying), "judged": len(judging)},
        yardstick=yardstick,
        exact=exact,
        checks=parts.checks,
        combination=parts.combination,
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
        unweighting=_unweighting(store, unseen, times[-1].total, exact),
        seen=seen,
    )


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


class Way:
    """A cascade with what it does to the points that choose, certify and judge."""

    def __init__(self, cascade: Cascade, choosing: Points, certifying: Points, judging: Points) -> None:
        self.cascade = cascade
        self.weights = choosing.weight, certifying.weight, judging.weight
        self.choosing, self.certifying, self.judging = map(cascade.stages, (choosing, certifying, judging))

    def thresholds(self, accuracy: float, tolerance: float, seconds: float) -> tuple[list[float], list[float] | None]:
        """Those chosen, and those certified: the chosen ones times a scale (None: no scale keeps the tolerance)."""
        choosing, certifying, _ = self.weights
        chosen = self.cascade.thresholds(self.choosing, accuracy, tolerance, seconds, choosing)
        critical = critical_scales(self.certifying, chosen, accuracy)
        known = Weights.of(choosing, len(certifying), tolerance)
        scale = certified_scale(critical, certifying, known, tolerance)
        return chosen, None if scale is None else self.cascade.scaled(self.certifying, chosen, scale)

    def judged(self, thresholds: list[float] | None, accuracy: float, seconds: float) -> Outcome:
        """What thresholds give on the points that judge; without any, the exact amplitude alone."""
        if thresholds is None:
            return exact_alone(len(self.judging))
        return outcome(self.judging, thresholds, accuracy, seconds, self.weights[2])


def _strategy(
    way: Way,
    name: str,
    mixture: Mixture,
    final: FloatArray,
    accuracy: float,
    tolerance: float,
    seconds: float,
    batch: int,
) -> Strategy:
    curve = []
    for target in map(float, _TOLERANCES):
        _, thresholds = way.thresholds(accuracy, target, seconds)
        found = way.judged(thresholds, accuracy, seconds)
        curve.append((target, found.tolerance, found.factor))
    chosen, thresholds = way.thresholds(accuracy, tolerance, seconds)
    found = way.judged(thresholds, accuracy, seconds)
    executed = 1.0
    if thresholds is not None:
        mixture = replace(mixture, thresholds=thresholds)
        executed = _executed(mixture, final, seconds / found.factor, batch)
    choosing, certifying, _ = way.weights
    return Strategy(
        name=way.cascade.name,
        provider=name,
        certified=thresholds is not None,
        events_needed=Weights.of(choosing, len(certifying), tolerance).needed,
        validation=outcome(way.choosing, chosen, accuracy, seconds, choosing),
        outcome=found,
        executed=executed,
        curve=curve,
    )


def _executed(mixture: Mixture, final: FloatArray, expected: float, batch: int) -> float:
    """How many times faster a mixture runs than the exact amplitude, in whole batches of momenta (n, n_final, 4).

    Args:
        expected: seconds per event of the mixture; batches for about half a second are taken.
    """
    batches = max(min(len(final) // batch, round(_EXECUTED_SECONDS / (expected * batch))), 1)
    momenta = with_beams(np.resize(final, (batches * batch, *final.shape[1:])))
    one = momenta[:batch]
    return times_faster(
        lambda: mixture.run(momenta, batch), len(momenta), lambda: mixture.provider.evaluate(one), batch
    )


def _mixture(stages: Sequence[Stage], thresholds: Sequence[float]) -> tuple[Floats, Floats]:
    """Relative errors and predicted relative uncertainties (n,) where surrogates decide, 0 where they do not."""
    delta, relative = np.zeros(len(stages[0].delta)), np.zeros(len(stages[0].delta))
    for stage, accepted in zip(stages, decide(stages, thresholds), strict=True):
        delta[accepted] = stage.delta[accepted]
        relative[accepted] = stage.relative[accepted]
    return delta, relative


def break_even(spent: Spent, exact: float, factor: float) -> float | None:
    """Events after which exact amplitudes, at this price, and trainings are paid back; None: never."""
    saved = exact * (1 - 1 / factor)
    paid = (spent.events + spent.copies) * exact + spent.seconds
    return paid / saved if saved > 0 and math.isfinite(paid / saved) else None


def _unweighting(store: Store, test: Points, seconds: float, exact: dict[str, float]) -> dict[str, Unweighting] | None:
    """Only weighted points tell how often an event would be accepted."""
    if not store.plan.source.are_sampled or store.plan.source.are_unweighted:
        return None
    delta = test.predicted[-1] / test.exact - 1
    return {name: two_stage_unweighting(test.weight, delta, seconds, each) for name, each in exact.items()}
