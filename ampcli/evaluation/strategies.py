"""Ways to use one or two surrogates before the exact amplitude, and which models of many do best.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 5.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ampcli.ensembles.covariance import combine_by_covariance, error_correlation
from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats, Frozen
from ampcli.evaluation.speedup import Outcome, Stage, choose_thresholds, outcome
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray
from ampcli.store.reader import Split, Store

_RATIO = 1.4  # U2 / U1 of the paper


@dataclass(frozen=True)
class Points:
    """A split: momenta, exact amplitudes, event weights, and each surrogate's prediction and uncertainty (n,)."""

    momenta: FloatArray
    exact: Floats
    weight: Floats
    predicted: list[Floats]
    relative: list[Floats]

    @classmethod
    def of(cls, predictors: Sequence[Predictor], store: Store, split: Split) -> Points:
        momenta, exact = store.read_split("momenta", split), store.read_split("amplitude", split)
        predicted, relative = [], []
        for predictor in predictors:
            amplitude, uncertainty = predictor.predict_final(momenta)
            if not (amplitude > 0).all():
                raise UsageError(f"{predictor.manifest.reference} predicts negative amplitudes", "Use a surrogate.")
            predicted.append(amplitude)
            relative.append(uncertainty / amplitude)
        return cls(momenta, exact, exact * store.read_split("weight", split), predicted, relative)

    def of_models(self, chosen: Sequence[int]) -> Points:
        """The same points with some of the surrogates, in this order."""
        return Points(
            self.momenta,
            self.exact,
            self.weight,
            [self.predicted[i] for i in chosen],
            [self.relative[i] for i in chosen],
        )

    def errors(self) -> torch.Tensor:
        return torch.from_numpy(np.stack([np.log(p / self.exact) for p in self.predicted]))

    def stage(self, surrogate: int, seconds: float) -> Stage:
        return Stage(self.predicted[surrogate] / self.exact - 1, self.relative[surrogate], seconds)

    def combined(self, correlation: torch.Tensor, seconds: float) -> Stage:
        amplitudes, relative = (torch.from_numpy(np.stack(a)) for a in (self.predicted, self.relative))
        both, uncertainty = combine_by_covariance(amplitudes, relative, correlation)
        return Stage(both.numpy() / self.exact - 1, uncertainty.numpy(), seconds)


Stages = tuple[list[Stage], list[Stage]]  # on validation and on test points


def make_plans(validation: Points, test: Points, seconds: list[float]) -> dict[str, tuple[Stages, float | None]]:
    """Stages of every strategy, and the fixed ratio of thresholds if it has one."""
    single = [([validation.stage(i, s)], [test.stage(i, s)]) for i, s in enumerate(seconds)]
    plans: dict[str, tuple[Stages, float | None]] = {f"surrogate {i}": (s, None) for i, s in enumerate(single, 1)}
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


class Candidate(Frozen):
    """One or two models (numbers from 0, the first one is asked first), a strategy, and what it gives on validation."""

    models: list[int]
    strategy: str
    validation: Outcome


def rank_candidates(
    validation: Points, seconds: Sequence[float], accuracy: float, tolerance: float, exact_seconds: float
) -> list[Candidate]:
    """Every model alone and every ordered pair, each with its best strategy, from the largest speed-up on."""
    n = len(seconds)
    chosen = [[i] for i in range(n)] + [list(pair) for pair in itertools.permutations(range(n), 2)]
    found = []
    for models in chosen:
        points = validation.of_models(models)
        outcomes = {}
        for name, (stages, ratio) in make_plans(points, points, [seconds[i] for i in models]).items():
            thresholds = choose_thresholds(stages[0], accuracy, tolerance, exact_seconds, ratio)
            outcomes[name] = outcome(stages[0], thresholds, accuracy, exact_seconds)
        best = max(outcomes, key=lambda name: outcomes[name].factor)
        found.append(Candidate(models=models, strategy=best, validation=outcomes[best]))
    # A pair whose second model is never asked is its first model alone.
    return sorted(found, key=lambda candidate: (-candidate.validation.factor, len(candidate.models)))
