"""Two-stage unweighting: a quick surrogate proposes, the exact amplitude decides.

K. Danziger, T. Janßen, S. Schumann, F. Siegert, 2109.11964; with factorisation-aware networks 2301.13562.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ampcli.errors import UsageError
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import BLOCK, HOPELESS, Drawn, HadronSampler, excess_threshold, joined
from ampcli.phasespace.vegas import VegasGrid

#: Amplitudes of events (n, n_external, 4) by the surrogate: positive and finite, (n,).
Surrogate = Callable[[FloatArray], FloatArray]

_PILOT = 4000  # events that the first stage accepts, from which the second one's maximum follows
_PILOT_PASSES = 40


@dataclass(frozen=True)
class Stages:
    """Largest weight of the first stage in pb, and how many times that the second one takes for its largest."""

    s_max: float
    r_max: float


@dataclass
class _Proposed:
    """Survivors of the first stage: events with the weight that it gave them, and the surrogate's amplitudes."""

    rows: np.ndarray
    momenta: FloatArray
    x: FloatArray
    weight: FloatArray
    predicted: FloatArray


def _propose(
    sampler: HadronSampler, surrogate: Surrogate, rng: np.random.Generator, grid: VegasGrid, s_max: float
) -> _Proposed:
    """One block through the first stage."""
    kept, momenta, x, factor = sampler.proposals(rng, grid)
    predicted = surrogate(momenta) if len(kept) else np.empty(0)
    weight = factor * predicted
    accepted = np.flatnonzero(rng.random(len(kept)) * s_max < weight)
    return _Proposed(
        kept[accepted],
        momenta[accepted],
        x[accepted],
        np.maximum(weight[accepted], s_max),
        predicted[accepted],
    )


def choose_stages(
    sampler: HadronSampler, surrogate: Surrogate, rng: np.random.Generator, grid: VegasGrid, share: float
) -> Stages:
    """Maxima with this share of the cross section in excess weights, half of it from each stage."""
    weights = []
    for _ in range(_PILOT_PASSES):
        _, momenta, _, factor = sampler.proposals(rng, grid)
        weights.append(factor * surrogate(momenta) if len(momenta) else np.empty(0))
    s_max = excess_threshold(np.concatenate(weights), share / 2)
    ratios: list[FloatArray] = []
    found = passes = 0
    while found < _PILOT and passes < HOPELESS:
        proposed = _propose(sampler, surrogate, rng, grid, s_max)
        passes += 1
        found += len(proposed.rows)
        if len(proposed.rows):
            exact = sampler.provider.evaluate(proposed.momenta)
            ratios.append(proposed.weight / s_max * exact / proposed.predicted)
    if not ratios:
        raise UsageError("no point passes the first stage of the unweighting", "Generate without --two-stage.")
    return Stages(s_max, excess_threshold(np.concatenate(ratios), share / 2))


def draw_two_stage(
    sampler: HadronSampler,
    surrogate: Surrogate,
    stages: Stages,
    rng: np.random.Generator,
    rows: int,
    grid: VegasGrid,
    on_pass: Callable[[], None],
) -> tuple[Drawn, int, int]:
    """Events, how many points were tried, and how many exact amplitudes that took.

    A point with the surrogate's weight s passes the first stage with probability min(1, s/s_max) and then has the
    weight max(s, s_max): on average s.  The ratio r of exact to predicted amplitude makes it v = max(s, s_max) r, on
    average the exact weight, whatever the surrogate predicts; the second stage accepts v with probability
    min(1, v/v_max), v_max = s_max r_max, and leaves it the weight max(v, v_max).  A poor surrogate costs time only.
    """
    pieces: list[Drawn] = []
    done = tried = exact = passes = 0
    v_max = stages.s_max * stages.r_max
    while done < rows:
        on_pass()
        proposed = _propose(sampler, surrogate, rng, grid, stages.s_max)
        passes += 1
        kept, amplitude = proposed.rows, np.empty(0)
        if len(kept):
            amplitude = sampler.provider.evaluate(np.ascontiguousarray(proposed.momenta))
        exact += len(kept)
        weight = proposed.weight * amplitude / proposed.predicted
        accepted = np.flatnonzero(rng.random(len(kept)) * v_max < weight)
        weight = np.maximum(weight[accepted], v_max)
        if done == 0 and passes > HOPELESS:
            raise UsageError(f"none of {tried} points became an event", "Loosen the cuts, or leave out --two-stage.")
        taken = min(rows - done, len(accepted))
        done += taken
        tried += BLOCK if done < rows else int(kept[accepted[taken - 1]]) + 1
        drawn = Drawn(proposed.momenta[accepted], proposed.x[accepted], amplitude[accepted], weight)
        pieces.append(drawn.chosen(np.arange(taken)))
    return joined(pieces), tried, exact
