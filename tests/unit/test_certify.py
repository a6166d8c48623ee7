"""Thresholds that keep a tolerance for unseen events: the binomial limit, scales, weights, and how often they fail."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ampcli.speedup.candidates import rank_candidates
from ampcli.speedup.cascades import Seconds, cascades
from ampcli.speedup.certify import LEVEL, Weights, WeightSpread, certified_scale, critical_scales, most_wrong
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.stages import Stage, decide
from ampcli.speedup.thresholds import scaled

ACCURACY, EXACT = 0.03, 100e-6


def chance(n: int, p: float, k: int) -> float:
    """At most k of n."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize("n", [1, 2, 10, 59, 100, 700])
@pytest.mark.parametrize("tolerance", [1e-3, 0.01, 0.05, 0.3, 0.95])
def test_so_many_may_be_wrong(n, tolerance):
    found = most_wrong(n, tolerance)
    if found is None:
        assert (1 - tolerance) ** n > LEVEL
        return
    assert chance(n, tolerance, found) <= LEVEL < chance(n, tolerance, found + 1)


@pytest.mark.parametrize(
    ("n", "tolerance", "expected"),
    [(2995, 1e-3, 0), (2994, 1e-3, None), (10**6, 1e-5, 4), (25_000, 1e-4, None), (10**7, 1e-3, 9836)],
)
def test_so_many_of_large_numbers(n, tolerance, expected):
    assert most_wrong(n, tolerance) == pytest.approx(expected, abs=2)


def test_events_that_are_needed():
    assert WeightSpread.of(np.ones(50)).counting(100, 1e-3).needed == 2995
    others = np.repeat([1.0, 4.0], [990, 10])
    needed = WeightSpread.of(others).counting(10**4, 1e-2).needed
    for n, enough in ((2 * needed, True), (needed // 2, False)):
        known = WeightSpread.of(others).counting(n, 1e-2)
        assert (known.needed, known.equal) == (needed, False)
        assert (known.allowed(np.ones(n), 1e-2) is not None) == enough
    heavy = np.concatenate([np.ones(999), [1e6]])  # one event carries nearly everything
    assert WeightSpread.of(heavy).counting(10**6, 1e-2) == Weights(needed=None, equal=False)
    hopeless = WeightSpread.of(heavy).counting(10**4, 1e-2)
    assert certified_scale(np.full(10**4, np.inf), np.ones(10**4), hopeless, 1e-2) is None


def two_stages(rng, n: int) -> list[Stage]:
    widths = np.exp(rng.normal([[-4.0], [-5.0]], 0.8, (2, n)))
    return [Stage(rng.normal(0, width), width, 1e-6) for width in widths]


def test_the_scale_from_which_an_event_is_decided_wrongly(rng):
    stages = two_stages(rng, 300)
    thresholds = [0.02, 0.005]
    found = critical_scales(stages, thresholds, ACCURACY)
    scales = np.geomspace(1e-3, 1e3, 500)
    seen = np.zeros(300, dtype=bool)
    for below, scale in itertools.pairwise(scales):
        for stage, rows in zip(stages, decide(stages, [scale * u for u in thresholds]), strict=True):
            seen |= rows & (np.abs(stage.delta) > ACCURACY)
        assert not seen[found >= scale].any()
        # A second stage may be wrong at scales that lie between two of these.
        assert (seen | (np.isfinite(found) & (np.abs(stages[0].delta) <= ACCURACY)))[found < below].all()
    assert np.isfinite(found).any()
    assert np.isinf(found).any()
    assert np.isinf(critical_scales(stages, [0.0, 0.0], ACCURACY)).all()


def test_certified_thresholds_decide_as_many_wrongly_as_allowed(rng):
    n, tolerance = 20_000, 2e-3
    stage = two_stages(rng, n)[0]
    critical = critical_scales([stage], [1.0], ACCURACY)
    equal = WeightSpread.of(np.ones(9)).counting(n, tolerance)
    scale = certified_scale(critical, np.ones(n), equal, tolerance)
    [threshold] = scaled([stage], [1.0], scale)
    wrong = np.count_nonzero((np.abs(stage.delta) > ACCURACY) & (stage.relative < threshold))
    assert wrong == most_wrong(n, tolerance)
    assert certified_scale(critical[:1000], np.ones(1000), equal, tolerance) is None
    assert certified_scale(np.full(n, np.inf), np.ones(n), equal, tolerance) == math.inf
    [threshold] = scaled([stage], [1.0], math.inf)
    assert (stage.relative < threshold).all()


# Surrogates with widths of a finite population and Gaussian errors of ln|M|^2: true rates are sums over the population.
POPULATION = 20_000


def rate(widths):
    low, high = (math.log1p(side) / math.sqrt(2) for side in (-ACCURACY, ACCURACY))
    grid = np.geomspace(1e-5, 10, 2000)
    erf = np.vectorize(math.erf)
    return np.interp(widths, grid, 1 - 0.5 * (erf(high / grid) - erf(low / grid)))


def draw(rng, widths, n: int) -> PredictedPoints:
    some = widths[:, rng.integers(0, POPULATION, n)]
    predicted = np.exp(some * rng.normal(size=some.shape))
    return PredictedPoints(np.empty((n, 0, 4)), np.ones(n), np.ones(n), list(predicted), list(some))


@pytest.mark.parametrize("tolerance", [5e-3, 1e-4])
def test_unseen_events_exceed_a_tolerance_in_one_sample_of_twenty_at_most(rng, tolerance):
    widths = np.exp(rng.normal([[-4.4], [-4.0], [-4.8]], 0.7, (3, POPULATION)))
    rates = rate(widths)
    seconds = Seconds([2e-6, 1e-6, 4e-6])
    exceeded = {"certified": 0, "chosen": 0}
    repeats, n, nothing = 100 if tolerance > 1e-3 else 10, 2000, 0
    for _ in range(repeats):
        choosing, certifying = draw(rng, widths, n), draw(rng, widths, n)
        candidates = [c for c in rank_candidates(choosing, seconds, ACCURACY, tolerance, EXACT) if c.strategy != "both"]
        models = candidates[0].models[:1]  # of the best: the one that is asked first, alone
        [cascade] = cascades(choosing, seconds, models)
        chosen = cascade.search(cascade.stages(choosing), ACCURACY, np.ones(n)).best(tolerance, EXACT)
        critical = critical_scales(cascade.stages(certifying), chosen, ACCURACY)
        scale = certified_scale(critical, np.ones(n), WeightSpread.of(np.ones(n)).counting(n, tolerance), tolerance)

        def true_rate(thresholds, model=models[0]):
            return rates[model][widths[model] < thresholds[0]].sum() / POPULATION

        exceeded["chosen"] += true_rate(chosen) > tolerance
        nothing += scale is None
        if scale is not None:
            exceeded["certified"] += true_rate([scale * chosen[0]]) > tolerance
    assert exceeded["certified"] <= 12  # P(more of 100 at 5 %) = 0.2 %
    if tolerance * n < 3:
        assert nothing == repeats
    else:
        assert nothing == 0
        assert exceeded["chosen"] > 30


def test_weights_count(rng):
    """Heavy events are wrong more often; the weighted share is what must stay within the tolerance."""
    n, tolerance, repeats = 4000, 0.02, 100
    sizes = np.linspace(0, 1, 2001)[:-1]
    exceeded = by_number = certified = 0
    for _ in range(repeats):
        relative, heavy = rng.random(n), rng.random(n) < 0.02
        weights = np.where(heavy, 8.0, 1.0)
        chance_of_wrong = np.where(heavy, 0.5, 0.01) * relative
        stage = Stage(np.where(rng.random(n) < chance_of_wrong, 1.0, 0.0), relative, 1e-6)
        critical = critical_scales([stage], [1.0], ACCURACY)
        true = 0.5 * sizes**2 * (0.02 * 8 * 0.5 + 0.98 * 0.01) / (0.02 * 8 + 0.98)
        limit = sizes[np.flatnonzero(true <= tolerance)[-1]]
        other = np.where(rng.random(n) < 0.02, 8.0, 1.0)
        scale = certified_scale(critical, weights, WeightSpread.of(other).counting(n, tolerance), tolerance)
        certified += scale is not None
        exceeded += scale is not None and scale > limit
        equal = WeightSpread.of(np.ones(9)).counting(n, tolerance)
        by_number += certified_scale(critical, np.ones(n), equal, tolerance) > limit
    assert certified == repeats
    assert exceeded <= 12  # P(more of 100 at 5 %) = 0.2 %
    assert by_number > 0.9 * repeats
