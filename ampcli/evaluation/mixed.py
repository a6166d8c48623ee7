"""`ampcli speedup`: one or two surrogates, measured, with thresholds from validation points, judged on test points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import FiniteFloat

from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.amplitudes.providers import make_provider
from ampcli.ensembles.covariance import combine_by_covariance, error_correlation
from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.evaluation.model import require_described
from ampcli.evaluation.observables import Bias, Bounds, bias, bounds, observables
from ampcli.evaluation.speedup import (
    Outcome,
    Stage,
    Unweighting,
    choose_thresholds,
    decide,
    outcome,
    two_stage_unweighting,
)
from ampcli.evaluation.timing import SurrogateTimes, exact_seconds, surrogate_times
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray
from ampcli.store.plan import GivenSource, HadronSource
from ampcli.store.reader import Split, Store

_TOLERANCES = np.geomspace(1e-5, 1e-2, 13)
_SLOW_EVENTS = 500  # pyamplicol is timed on so many
_RATIO = 1.4  # U2 / U1 of the paper


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
    batch: int
    accuracy: FiniteFloat
    tolerance: FiniteFloat
    exact: dict[str, FiniteFloat]
    surrogates: list[SurrogateTimes]
    strategies: list[Strategy]
    best: str
    bounds: Bounds
    biases: dict[str, Bias]
    break_even_events: dict[str, FiniteFloat | None]
    unweighting: dict[str, Unweighting] | None


@dataclass(frozen=True)
class _Points:
    """A split: momenta, exact amplitudes, event weights, and each surrogate's prediction and uncertainty (n,)."""

    momenta: FloatArray
    exact: Floats
    weight: Floats
    predicted: list[Floats]
    relative: list[Floats]

    @classmethod
    def of(cls, predictors: Sequence[Predictor], store: Store, split: Split) -> _Points:
        momenta, exact = store.read_split("momenta", split), store.read_split("amplitude", split)
        predicted, relative = [], []
        for predictor in predictors:
            amplitude, uncertainty = predictor.predict_final(momenta)
            if not (amplitude > 0).all():
                raise UsageError(f"{predictor.manifest.reference} predicts negative amplitudes", "Use a surrogate.")
            predicted.append(amplitude)
            relative.append(uncertainty / amplitude)
        return cls(momenta, exact, exact * store.read_split("weight", split), predicted, relative)

    def errors(self) -> torch.Tensor:
        return torch.from_numpy(np.stack([np.log(p / self.exact) for p in self.predicted]))

    def stage(self, surrogate: int, seconds: float) -> Stage:
        return Stage(self.predicted[surrogate] / self.exact - 1, self.relative[surrogate], seconds)

    def combined(self, correlation: torch.Tensor, seconds: float) -> Stage:
        amplitudes, relative = (torch.from_numpy(np.stack(a)) for a in (self.predicted, self.relative))
        both, uncertainty = combine_by_covariance(amplitudes, relative, correlation)
        return Stage(both.numpy() / self.exact - 1, uncertainty.numpy(), seconds)


def measure_speedup(
    predictors: Sequence[Predictor], store: Store, accuracy: float, tolerance: float, batch: int
) -> Report:
    """Time surrogates and exact amplitudes, and find what they give together.

    Args:
        predictors: one or two, the quicker one first.
        accuracy, tolerance: at most this fraction of events may be off by more than this |Delta|.
        batch: events in a batch when times are measured.

    Raises:
        UsageError: models for another process, or that predict negative amplitudes.
    """
    for predictor in predictors:
        require_described(predictor.manifest, store)
    validation, test = (_Points.of(predictors, store, split) for split in ("validation", "test"))
    final = np.resize(test.momenta, (batch, *test.momenta.shape[1:]))
    times = [surrogate_times(p, final) for p in predictors]
    exact = _exact_seconds(store, final)
    plans = _plans(validation, test, [t.total for t in times])
    strategies = [
        _strategy(name, provider, stages, ratio, accuracy, tolerance, seconds)
        for provider, seconds in exact.items()
        for name, (stages, ratio) in plans.items()
    ]
    best = max((s for s in strategies if s.provider == "pyamplicol"), key=lambda s: s.validation.factor)
    mixture, relative = _mixture(test, plans[best.name][0][1], best.outcome.thresholds)
    spent = sum(p.manifest.seconds or 0.0 for p in predictors)
    return Report(
        models=[p.manifest.reference for p in predictors],
        batch=batch,
        accuracy=accuracy,
        tolerance=tolerance,
        exact=exact,
        surrogates=times,
        strategies=strategies,
        best=best.name,
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
    seconds["pyamplicol"] = exact_seconds(make_provider("pyamplicol", store.process), final[:_SLOW_EVENTS])
    return seconds


_Stages = tuple[list[Stage], list[Stage]]  # on validation and on test points


def _plans(validation: _Points, test: _Points, seconds: list[float]) -> dict[str, tuple[_Stages, float | None]]:
    """Stages of every strategy, and the fixed ratio of thresholds if it has one."""
    single = [([validation.stage(i, s)], [test.stage(i, s)]) for i, s in enumerate(seconds)]
    plans: dict[str, tuple[_Stages, float | None]] = {f"surrogate {i}": (s, None) for i, s in enumerate(single, 1)}
    if len(seconds) == 2:
        correlation = error_correlation(validation.errors(), torch.from_numpy(np.stack(validation.relative)))
        together = tuple([points.combined(correlation, sum(seconds))] for points in (validation, test))
        plans["both"] = ((together[0], together[1]), None)
        sequence = tuple(
            [points.stage(0, seconds[0]), points.combined(correlation, seconds[1])] for points in (validation, test)
        )
        plans[f"1, then both, U2 = {_RATIO} U1"] = ((sequence[0], sequence[1]), _RATIO)
        plans["1, then both"] = ((sequence[0], sequence[1]), None)
    return plans


def _strategy(
    name: str, provider: str, stages: _Stages, ratio: float | None, accuracy: float, tolerance: float, seconds: float
) -> Strategy:
    validation, test = stages

    def at(target: float) -> tuple[Outcome, Outcome]:
        thresholds = choose_thresholds(validation, accuracy, target, seconds, ratio)
        seen, unseen = (outcome(stages, thresholds, accuracy, seconds) for stages in (validation, test))
        return seen, unseen

    curve = [(float(t), found.tolerance, found.factor) for t in _TOLERANCES for _, found in [at(float(t))]]
    seen, unseen = at(tolerance)
    return Strategy(name=name, provider=provider, validation=seen, outcome=unseen, curve=curve)


def _mixture(test: _Points, stages: list[Stage], thresholds: list[float]) -> tuple[Floats, Floats]:
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


def _unweighting(store: Store, test: _Points, seconds: float, exact: dict[str, float]) -> dict[str, Unweighting] | None:
    """Only weighted points tell how often an event would be accepted."""
    source = store.plan.source
    if isinstance(source, GivenSource) or (isinstance(source, HadronSource) and source.unweighted):
        return None
    delta = test.predicted[-1] / test.exact - 1
    return {name: two_stage_unweighting(test.weight, delta, seconds, each) for name, each in exact.items()}
