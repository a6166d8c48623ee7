"""What a surrogate would cost and save, as a function of the number of its training events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import FiniteFloat

from ampcli.automation.learning import LearningCurve
from ampcli.records.base import Frozen
from ampcli.speedup.certify import WeightSpread
from ampcli.speedup.stages import Stage, outcome
from ampcli.speedup.thresholds import TiedThresholds
from ampcli.store.splits import SHARES
from ampcli.weighted import Floats

#: Of the test events, those that certify thresholds (`PredictedPoints.judged_apart`).
_CERTIFYING = 0.8
#: A surrogate that saves less than this share of all seconds is not worth the trouble.
LEAST_GAIN = 0.1


@dataclass(frozen=True)
class Trial:
    """A training on the largest number of trial events, and what is known from its smaller ones.

    Attributes:
        delta: predicted / exact - 1 of events that it was not trained on, (n,); relative: its uncertainties; weight:
            of the events.
        seconds: of a prediction; per_row: of a training, each time that it looks at an event.
        looks: how many events a training looks at in all, at least.
    """

    curve: LearningCurve
    delta: Floats
    relative: Floats
    weight: Floats
    seconds: float
    per_row: float
    looks: int
    least_epochs: int

    def epochs(self, training: int) -> int:
        """Of a training on so many events."""
        return max(math.ceil(self.looks / training), self.least_epochs)


@dataclass(frozen=True)
class Costs:
    """Seconds on one core.

    Attributes:
        exact: of an exact amplitude; check: of looking at an event's momenta first.
        per_event: exact amplitudes that each event of a store takes.
        generated: of each event of a store, its exact amplitudes included.
    """

    exact: float
    check: float
    per_event: float
    generated: float


class Row(Frozen):
    """A number of events of a store, and what is expected of a surrogate that is trained on them.

    Attributes:
        events: of the store; training: those that are trained on; epochs: of the training.
        error: mean |Delta|.
        exact_share: events that the exact amplitude has to do.
        factor: time of the exact amplitude over that of the mixture; 1: the tolerance cannot be certified.
        training_seconds: of the training; making_seconds: with the generation of its events.
        break_even: events that pay for its exact amplitudes and the training, as `ampcli speedup` counts; None: never.
        total: seconds for all events, trials not included; saved: share of those that exact amplitudes alone take.
    """

    events: int
    training: int
    epochs: int
    error: FiniteFloat
    exact_share: FiniteFloat
    factor: FiniteFloat
    training_seconds: FiniteFloat
    making_seconds: FiniteFloat
    break_even: FiniteFloat | None
    total: FiniteFloat
    saved: FiniteFloat


def forecast(
    trial: Trial, costs: Costs, wanted: float, accuracy: float, tolerance: float, sizes: Sequence[int]
) -> list[Row]:
    """What to expect of stores of these sizes.

    Errors and uncertainties of all events shrink together, as the learning curve says; thresholds are chosen as
    `ampcli speedup` does, within what as many test events can certify.

    Args:
        wanted: how many events are needed.
        accuracy, tolerance: at most this share of events may be off by more than this |Delta|.
    """
    return [_row(trial, costs, wanted, accuracy, tolerance, events) for events in sizes]


def _row(trial: Trial, costs: Costs, wanted: float, accuracy: float, tolerance: float, events: int) -> Row:
    training = round(events * SHARES["train"])
    error = float(trial.curve.at(training))
    shrunk = error / float(trial.curve.at(trial.curve.events[int(np.argmax(trial.curve.events))]))
    certifying = int(events * SHARES["test"] * _CERTIFYING)
    weights = np.resize(trial.weight, certifying)
    allowed = WeightSpread.of(trial.weight).counting(certifying, tolerance).allowed(weights, tolerance)
    factor, share = 1.0, 1.0
    if allowed is not None:
        stage = Stage(trial.delta * shrunk, trial.relative * shrunk, trial.seconds + costs.check)
        search = TiedThresholds.of([stage], [1.0], accuracy, trial.weight)
        found = outcome(
            [stage], search.best((allowed + 1) / (certifying + 1), costs.exact), accuracy, costs.exact, trial.weight
        )
        factor, share = found.factor, 1.0 - found.used[0]
    epochs = trial.epochs(training)
    seconds = trial.per_row * epochs * training
    making = seconds + costs.generated * events
    saved = costs.exact * (1 - 1 / factor)
    total = making + wanted * costs.exact / factor
    return Row(
        events=events,
        training=training,
        epochs=epochs,
        error=error,
        exact_share=share,
        factor=factor,
        training_seconds=seconds,
        making_seconds=making,
        break_even=(events * costs.per_event * costs.exact + seconds) / saved if saved > 0 else None,
        total=total,
        saved=1 - total / (wanted * costs.exact),
    )


def cheapest(rows: Sequence[Row]) -> Row:
    """The one that saves most."""
    return max(rows, key=lambda row: row.saved)
