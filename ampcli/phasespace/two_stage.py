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
    """Largest weight of the first stage in pb, and largest ratio exact / surrogate of the second."""

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
            ratios.append(sampler.provider.evaluate(proposed.momenta) / proposed.predicted)
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
    weight max(s, s_max): on average s.  With the ratio r of exact to predicted amplitude it passes the second one with
    min(1, r/r_max), which multiplies its weight by max(r, r_max): on average s r, the exact weight, whatever the
    surrogate predicts.  A poor surrogate costs time only.
    """
    pieces: list[Drawn] = []
    done = tried = exact = passes = 0
    while done < rows:
        on_pass()
        proposed = _propose(sampler, surrogate, rng, grid, stages.s_max)
        passes += 1
        kept, amplitude = proposed.rows, np.empty(0)
        if len(kept):
            amplitude = sampler.provider.evaluate(np.ascontiguousarray(proposed.momenta))
        exact += len(kept)
        ratio = amplitude / proposed.predicted
        accepted = np.flatnonzero(rng.random(len(kept)) * stages.r_max < ratio)
        weight = proposed.weight[accepted] * np.maximum(ratio[accepted], stages.r_max)
        if done == 0 and passes > HOPELESS:
            raise UsageError(f"none of {tried} points became an event", "Loosen the cuts, or leave out --two-stage.")
        taken = min(rows - done, len(accepted))
        done += taken
        tried += BLOCK if done < rows else int(kept[accepted[taken - 1]]) + 1
        drawn = Drawn(proposed.momenta[accepted], proposed.x[accepted], amplitude[accepted], weight)
        pieces.append(drawn.chosen(np.arange(taken)))
    return joined(pieces), tried, exact
