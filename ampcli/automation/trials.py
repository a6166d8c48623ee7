"""Small trainings that tell what larger ones are going to be worth."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.amplitudes.protocol import Provider
from ampcli.automation.ansaetze import Ansaetze
from ampcli.automation.forecast import Trial
from ampcli.automation.learning import LearningCurve
from ampcli.chain import Chain
from ampcli.evaluation.ansatz import measure_ansatz
from ampcli.features.blocks import kind_of
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray, with_beams
from ampcli.records.base import Frozen
from ampcli.registry.manifest import Manifest
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.timing import exact_seconds, times_faster
from ampcli.store.reader import Store

#: Events that the first trial of a model looks at in all, however often at each.
LOOKS = 1_000_000
#: Times as many that the trials of the best model look at, and the training of the surrogate at least: errors fall with
#: both, the number of events and how long a training looks at them.
LONGER = 3
#: Of the surrogate, at least.
LEAST_EPOCHS = 30
#: Networks that are tried, the first one for all models, the others for the best of them.
PRESETS = ("fast", "residual")
_FEWER = 4  # by what the events of the smaller training of each model are fewer
_MORE = 2  # the same of one training more, of the best model
_BATCH = 2048  # events, when times are measured
_SECONDS = 0.5  # of a batch of slow amplitudes
_ROUNDS = 3  # of five comparisons each


class Tried(Frozen):
    """What came of the trainings of one model.

    Attributes:
        spread: standard deviation of ln(exact / ansatz) without a network, where there is an ansatz.
        seconds: of a prediction, per event.
        model: as for `train --model`.
        features: it was trained on.
        preset: of its network.
        curve: error by number of events.
    """

    model: str
    features: str
    preset: str
    spread: FiniteFloat | None
    seconds: FiniteFloat
    curve: LearningCurve


@dataclass(frozen=True)
class Trials:
    """Trainings on the events of one store, in a registry of their own.

    Attributes:
        provider: of the exact amplitudes, with its seconds per event.
    """

    chain: Chain
    path: Path
    store: Store
    registry: Path
    provider: Provider
    exact: float

    @cached_property
    def points(self) -> int:
        """Training events of the largest ones."""
        return len(self.store.split_rows("train"))

    def every(self, found: Ansaetze) -> dict[str, Trial]:
        """The quick network on all models, each on two numbers of events."""
        self.chain("features", self.path, *dict.fromkeys(found.features.values()))
        sizes = (self.points // _FEWER, self.points)
        return {model: self.trained(model, PRESETS[0], sizes, LOOKS) for model in found.features}

    def best(self, model: str) -> dict[str, Trial]:
        """Of one model, more numbers of events, and the other networks; by their names."""
        sizes = [self.points // part for part in (_FEWER, _MORE, 1)]
        return {preset: self.trained(model, preset, sizes, LONGER * LOOKS) for preset in PRESETS}

    def trained(self, model: str, preset: str, sizes: Sequence[int], looks: int) -> Trial:
        """Trainings of one model on these numbers of events, and what the largest one says of other events.

        Args:
            looks: events that each training looks at in all.
        """
        errors = []
        for size in sizes:
            epochs = -(-looks // size)
            name = f"{_slug(model)}-{preset}-{size}x{epochs}"
            taken = ("--training-points", size, "--epochs", epochs, "--preset", preset, "--threads", 1)
            self.chain("train", self.path, "--model", model, "--name", name, *taken, "--registry", self.registry, "-q")
            predictor = load_predictor(f"{name}@1", self.registry, "cpu")
            points = _unseen(predictor, self.store)
            delta = points.predicted[0] / points.exact - 1
            errors.append(weighted.mean(np.abs(delta), points.weight))
        return Trial(
            curve=LearningCurve.through(list(sizes), errors),
            delta=delta,
            relative=points.relative[0],
            weight=points.weight,
            seconds=self.exact / self._times_faster(predictor, points.momenta[:_BATCH]),
            per_row=_seconds_per_row(predictor.manifest, sizes[-1]),
            looks=looks,
            least_epochs=LEAST_EPOCHS,
        )

    def _times_faster(self, predictor: Predictor, final: FloatArray) -> float:
        """A prediction than an exact amplitude, both timed in turn on outgoing momenta, over some seconds."""
        few = with_beams(final[: max(min(int(_SECONDS / self.exact), len(final)), 1)])
        found = [
            times_faster(
                lambda: predictor.predict_final(final), len(final), lambda: self.provider.evaluate(few), len(few)
            )
            for _ in range(_ROUNDS)
        ]
        return statistics.median(found)

    @property
    def seconds(self) -> float:
        """What they took so far."""
        return self.chain.seconds(self.path)

    def described(self, model: str, features: str, preset: str, trial: Trial) -> Tried:
        """A trial for people and files."""
        return Tried(
            model=model,
            features=features,
            preset=preset,
            spread=measure_ansatz(self.store, features, "test").quality.deviation
            if kind_of(features).undoes_emissions(features)
            else None,
            seconds=trial.seconds,
            curve=trial.curve,
        )


def measured_seconds(provider: Provider, store: Store) -> float:
    """Of an exact amplitude, per event."""
    momenta = with_beams(store.read("momenta", slice(0, _BATCH)))
    one = exact_seconds(provider, momenta[:1])
    if one > _SECONDS:
        return one
    few = exact_seconds(provider, momenta[: max(min(int(_SECONDS / one), 64), 1)])
    return exact_seconds(provider, np.resize(momenta, (max(min(int(_SECONDS / few), _BATCH), 1), *momenta.shape[1:])))


def _unseen(predictor: Predictor, store: Store) -> PredictedPoints:
    """Validation and test points together: few are wrong by much, and these decide."""
    first, second = (PredictedPoints.of([predictor], store, split) for split in ("validation", "test"))
    return PredictedPoints(
        np.concatenate([first.momenta, second.momenta]),
        np.concatenate([first.exact, second.exact]),
        np.concatenate([first.weight, second.weight]),
        [np.concatenate([first.predicted[0], second.predicted[0]])],
        [np.concatenate([first.relative[0], second.relative[0]])],
    )


def _seconds_per_row(manifest: Manifest, rows: int) -> float:
    """Of a training, each time that it looks at an event."""
    assert manifest.training is not None
    assert manifest.seconds is not None
    return manifest.seconds / (manifest.training.epochs_done * rows)


def _slug(model: str) -> str:
    """A model's name as part of another."""
    return model.replace("+", "-plus")
