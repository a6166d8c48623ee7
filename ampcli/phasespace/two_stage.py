"""Two-stage unweighting: a quick surrogate proposes, the exact amplitude decides.

K. Danziger, T. Janßen, S. Schumann, F. Siegert, 2109.11964; with factorisation-aware networks 2301.13562.

A point with the exact weight w and the surrogate's weight s passes the first stage with probability
p = min(1, s/s_max), and then has the weight v = w/p: on average w, whatever the surrogate predicts.  The second stage
accepts it with probability min(1, v/v_max), and leaves it the weight max(v, v_max).  So the share of the cross section
above the maxima is that of max(w - p v_max, 0): it is measured in exact weights, and a prediction that is too large,
by any factor, costs an exact amplitude and nothing else.  One that is too small raises v_max, or the excess.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import BLOCK, HOPELESS, Adaptation, Drawn, HadronSampler, joined, largest_weight

#: Amplitudes of events (n, n_external, 4) by the surrogate: positive and finite, (n,).
Surrogate = Callable[[FloatArray], FloatArray]

#: What a tried point (phase space, densities, surrogate) costs in exact amplitudes of the kind that two stages are for.
PROPOSAL_COST = 0.05

#: Points with exact amplitudes that the maxima are chosen from.
PILOT = 12_000

_PILOT_PASSES = 512  # at most for them
_FEW = 30  # points that would tell nothing
_PILOT_MAXIMUM = 0.3  # of the first stage, in units of the reference: low, so that what is underpredicted is seen
_MAXIMA = np.geomspace(0.1, 10.0, 41)  # of the first stage that are compared, in the same units


@dataclass(frozen=True)
class Cost:
    """Points tried and exact amplitudes, per event."""

    points: float
    exact: float

    @property
    def total(self) -> float:
        """In exact amplitudes."""
        return PROPOSAL_COST * self.points + self.exact


@dataclass(frozen=True)
class Stages:
    """Largest weight of the first stage in pb, and how many times that the second one takes for its largest."""

    s_max: float
    r_max: float


@dataclass(frozen=True)
class Choice:
    """The best maxima, what an event is expected to cost with them, and what one costs directly."""

    stages: Stages
    cost: Cost
    direct: Cost

    @property
    def worth_it(self) -> bool:
        """By counts alone, so that another machine decides alike."""
        return self.cost.total < self.direct.total


@dataclass
class _Proposed:
    """Survivors of the first stage: events, the surrogate's weights in pb, and what |M|^2 is multiplied by."""

    rows: np.ndarray
    momenta: FloatArray
    x: FloatArray
    predicted: FloatArray
    factor: FloatArray
    within: int
    """How many points of the block lie within the cuts and were not thinned out."""

    def exact(self, sampler: HadronSampler) -> FloatArray:
        """|M|^2, (n,)."""
        return sampler.provider.evaluate(np.ascontiguousarray(self.momenta)) if len(self.rows) else np.empty(0)


def _propose(
    sampler: HadronSampler, surrogate: Surrogate, rng: np.random.Generator, adaptation: Adaptation, s_max: float
) -> _Proposed:
    """One block through the first stage."""
    kept, momenta, x, factor = sampler.proposals(rng, adaptation)
    predicted = factor * surrogate(momenta) if len(kept) else np.empty(0)
    rows = np.flatnonzero(rng.random(len(kept)) * s_max < predicted)
    return _Proposed(kept[rows], momenta[rows], x[rows], predicted[rows], factor[rows], len(kept))


def choose_stages(
    sampler: HadronSampler,
    surrogate: Surrogate,
    rng: np.random.Generator,
    adaptation: Adaptation,
    share: float,
    reference: float,
    on_points: Callable[[int], None] = lambda points: None,
) -> Choice | None:
    """The cheapest maxima with this share of the cross section in excess weights; None: the pilot finds too little.

    Args:
        reference: a large exact weight in pb, about the one to unweight by directly.
        on_points: told of exact amplitudes, about `PILOT` of them.
    """
    pilot = _PILOT_MAXIMUM * reference
    weights: list[FloatArray] = []
    predictions: list[FloatArray] = []
    passes = within = found = 0
    while found < PILOT and passes < _PILOT_PASSES:
        proposed = _propose(sampler, surrogate, rng, adaptation, pilot)
        weights.append(proposed.factor * proposed.exact(sampler))
        predictions.append(proposed.predicted)
        on_points(len(proposed.rows))
        passes, within, found = passes + 1, within + proposed.within, found + len(proposed.rows)
    weight, predicted = np.concatenate(weights), np.concatenate(predictions)
    if np.count_nonzero(weight) < _FEW:
        return None
    tried = passes * BLOCK
    copies = 1 / np.minimum(predicted / pilot, 1.0)  # so many tried points does a survivor stand for
    accepted = (1 - share) * (copies * weight).sum() / tried  # events per tried point are this by the largest weight
    w_max = largest_weight(weight, share, copies)
    direct = Cost(w_max / accepted, w_max / accepted * within / tried)
    choices = []
    for s_max in (_MAXIMA * reference).tolist():
        chance = np.minimum(predicted / s_max, 1.0)
        v_max = largest_weight(weight / chance, share, copies * chance)
        points = v_max / accepted
        cost = Cost(points, points * (copies * chance).sum() / tried)
        choices.append(Choice(Stages(s_max, v_max / s_max), cost, direct))
    return min(choices, key=lambda choice: choice.cost.total)


def draw_two_stage(
    sampler: HadronSampler,
    surrogate: Surrogate,
    stages: Stages,
    rng: np.random.Generator,
    rows: int,
    adaptation: Adaptation,
    on_pass: Callable[[], None],
) -> tuple[Drawn, int, int]:
    """Events, how many points were tried, and how many exact amplitudes that took."""
    pieces: list[Drawn] = []
    done = tried = exact = passes = 0
    v_max = stages.s_max * stages.r_max
    while done < rows:
        on_pass()
        proposed = _propose(sampler, surrogate, rng, adaptation, stages.s_max)
        passes += 1
        kept, amplitude = proposed.rows, proposed.exact(sampler)
        exact += len(kept)
        weight = proposed.factor * amplitude / np.minimum(proposed.predicted / stages.s_max, 1.0)
        accepted = np.flatnonzero(rng.random(len(kept)) * v_max < weight)
        weight = np.maximum(weight[accepted], v_max)
        if done == 0 and passes > HOPELESS:
            raise UsageError(
                f"none of {tried} points became an event", f"Loosen the cuts, or leave out {setting('two_stage')}."
            )
        taken = min(rows - done, len(accepted))
        done += taken
        tried += BLOCK if done < rows else int(kept[accepted[taken - 1]]) + 1
        drawn = Drawn(proposed.momenta[accepted], proposed.x[accepted], amplitude[accepted], weight)
        pieces.append(drawn.chosen(np.arange(taken)))
    return joined(pieces), tried, exact
