"""`ampcli speedup`: surrogates measured; models and thresholds chosen on validation points, judged on test points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import FiniteFloat

from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.amplitudes.providers import make_provider
from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.evaluation.observables import Bias, Bounds, bias, bounds, observables
from ampcli.evaluation.scan import Scan, SignedErrors, scan_thresholds, signed_errors
from ampcli.evaluation.speedup import (
    Outcome,
    Stage,
    Unweighting,
    choose_thresholds,
    decide,
    outcome,
    two_stage_unweighting,
)
from ampcli.evaluation.strategies import Candidate, Points, Stages, make_plans, rank_candidates
from ampcli.evaluation.timing import SurrogateTimes, exact_seconds, surrogate_times
from ampcli.inference.described import require_described
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray
from ampcli.store.plan import GivenSource, HadronSource
from ampcli.store.reader import Store

_TOLERANCES = np.geomspace(1e-5, 1e-2, 13)
_SLOW_EVENTS = 500  # pyamplicol is timed on so many


class Strategy(Frozen):
    """One way to use the surrogates: thresholds chosen on validation points, outcome on test points."""

    name: str
    provider: str
    validation: Outcome
    outcome: Outcome
    curve: list[tuple[FiniteFloat, FiniteFloat, FiniteFloat]]
    """Tolerance asked for, tolerance and factor on the test points."""


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
    exact: dict[str, FiniteFloat]
    surrogates: list[SurrogateTimes]
    strategies: list[Strategy]
    best: str
    scan: Scan
    signed: SignedErrors
    bounds: Bounds
    biases: dict[str, Bias]
    break_even_events: dict[str, FiniteFloat | None]
    unweighting: dict[str, Unweighting] | None


def measure_speedup(
    predictors: Sequence[Predictor], store: Store, accuracy: float, tolerance: float, batch: int
) -> Report:
    """Time surrogates and exact amplitudes, and find what they give together.

    Args:
        predictors: one or two, the quicker one first; of more, the best one or two are taken.
        accuracy, tolerance: at most this fraction of events may be off by more than this |Delta|.
        batch: events in a batch when times are measured.

    Raises:
        UsageError: models for another process, or that predict negative amplitudes.
    """
    for predictor in predictors:
        require_described(predictor.manifest, store)
    compared = [p.manifest.reference for p in predictors]
    validation = Points.of(predictors, store, "validation")
    final = np.resize(validation.momenta, (batch, *validation.momenta.shape[1:]))
    times = [surrogate_times(p, final) for p in predictors]
    exact = _exact_seconds(store, final)
    candidates: list[Candidate] = []
    if len(predictors) > 2:
        candidates = rank_candidates(validation, [t.total for t in times], accuracy, tolerance, exact["pyamplicol"])
        chosen = candidates[0].models
        predictors, times = [predictors[i] for i in chosen], [times[i] for i in chosen]
        validation = validation.of_models(chosen)
    test = Points.of(predictors, store, "test")
    plans = make_plans(validation, test, [t.total for t in times])
    strategies = [
        _strategy(name, provider, stages, ratio, accuracy, tolerance, seconds)
        for provider, seconds in exact.items()
        for name, (stages, ratio) in plans.items()
    ]
    best = max((s for s in strategies if s.provider == "pyamplicol"), key=lambda s: s.validation.factor)
    stages = plans[best.name][0][1]
    mixture, relative = _mixture(test, stages, best.outcome.thresholds)
    spent = sum(p.manifest.seconds or 0.0 for p in predictors)
    return Report(
        models=[p.manifest.reference for p in predictors],
        candidates=candidates,
        compared=compared,
        batch=batch,
        accuracy=accuracy,
        tolerance=tolerance,
        exact=exact,
        surrogates=times,
        strategies=strategies,
        best=best.name,
        scan=scan_thresholds(stages, best.outcome.thresholds, exact["pyamplicol"]),
        signed=signed_errors(stages, best.outcome.thresholds),
        bounds=bounds(test.weight, relative),
        biases={
            name: bias(values, test.weight, mixture)
            for name, values in observables(test.momenta, store.process).items()
        },
        break_even_events={
            provider: _break_even(store.rows * seconds + spent, seconds, _factor(strategies, best.name, provider))
            for provider, seconds in exact.items()
        },
        unweighting=_unweighting(store, test, times[-1].total, exact),
    )


def _exact_seconds(store: Store, final: FloatArray) -> dict[str, float]:
    """Seconds per event of every provider that has the amplitude."""
    seconds = {}
    if find_quark_line(store.process):
        parameters = store.plan.provider.parameters if store.plan.provider.name == "native" else None
        seconds["native"] = exact_seconds(make_provider("native", store.process, parameters), final)
    unchecked = "unchecked" in store.plan.provider.options
    foreign = make_provider("pyamplicol", store.process, unchecked=unchecked)
    seconds["pyamplicol"] = exact_seconds(foreign, final[:_SLOW_EVENTS])
    return seconds


def _strategy(
    name: str, provider: str, stages: Stages, ratio: float | None, accuracy: float, tolerance: float, seconds: float
) -> Strategy:
    validation, test = stages

    def at(target: float) -> tuple[Outcome, Outcome]:
        thresholds = choose_thresholds(validation, accuracy, target, seconds, ratio)
        seen, unseen = (outcome(stages, thresholds, accuracy, seconds) for stages in (validation, test))
        return seen, unseen

    curve = [(float(t), found.tolerance, found.factor) for t in _TOLERANCES for _, found in [at(float(t))]]
    seen, unseen = at(tolerance)
    return Strategy(name=name, provider=provider, validation=seen, outcome=unseen, curve=curve)


def _mixture(test: Points, stages: list[Stage], thresholds: list[float]) -> tuple[Floats, Floats]:
    """Event weights with the surrogates' amplitudes where they decide, and their relative uncertainties there."""
    mixed, relative = test.weight.copy(), np.zeros(len(test.weight))
    for stage, accepted in zip(stages, decide(stages, thresholds), strict=True):
        mixed[accepted] *= 1.0 + stage.delta[accepted]
        relative[accepted] = stage.relative[accepted]
    return mixed, relative


def _factor(strategies: list[Strategy], name: str, provider: str) -> float:
    return next(s.outcome.factor for s in strategies if (s.name, s.provider) == (name, provider))


def _break_even(spent: float, exact: float, factor: float) -> float | None:
    """Events after which data (at the exact amplitude's cost) and training are paid back; None: never."""
    saved = exact * (1 - 1 / factor)
    return spent / saved if saved > 0 and math.isfinite(spent) else None


def _unweighting(store: Store, test: Points, seconds: float, exact: dict[str, float]) -> dict[str, Unweighting] | None:
    """Only weighted points tell how often an event would be accepted."""
    source = store.plan.source
    if isinstance(source, GivenSource) or (isinstance(source, HadronSource) and source.unweighted):
        return None
    delta = test.predicted[-1] / test.exact - 1
    return {name: two_stage_unweighting(test.weight, delta, seconds, each) for name, each in exact.items()}
