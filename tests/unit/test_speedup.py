"""Thresholds, tolerances, speed-up factors, bounds, and the combination of models by their covariance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from ampcli.cli.numbers import parse_tolerance
from ampcli.errors import UsageError
from ampcli.phasespace.observables import bias, observables
from ampcli.process import parse_process
from ampcli.speedup.bounds import bounds
from ampcli.speedup.candidates import rank_candidates
from ampcli.speedup.cascades import Cascade, Seconds, cascades
from ampcli.speedup.certify import WeightSpread
from ampcli.speedup.judged import JudgedCascade
from ampcli.speedup.objective import Goal, Objective
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.scan import scan_thresholds, signed_errors
from ampcli.speedup.spent import Spent, break_even
from ampcli.speedup.stages import Stage, decide, outcome
from ampcli.speedup.thresholds import FreeThresholds
from ampcli.speedup.unweighting import two_stage_unweighting
from ampcli.uncertainty.covariance import combine_by_covariance, error_correlation

N = 20_000
EXACT, FIRST, SECOND = 100e-6, 2e-6, 10e-6


@pytest.fixture
def stages(rng) -> list[Stage]:
    """A quick surrogate and a better, slower one; errors are Gaussian with the predicted widths."""
    wide, narrow = np.exp(rng.normal(-4.0, 0.8, N)), np.exp(rng.normal(-5.0, 0.8, N))
    return [
        Stage(rng.normal(0, wide), wide, FIRST),
        Stage(rng.normal(0, narrow), narrow, SECOND),
    ]


EQUAL = np.ones(N)


def best_ratio(stages, ratio, tolerance, weights=EQUAL):
    cascade = Cascade("", tuple((i,) for i in range(len(stages))), (), None, ratio)
    return cascade.search(stages, 0.03, weights).best(tolerance, EXACT)


def points_of(stages) -> PredictedPoints:
    predicted = [np.maximum(1 + stage.delta, 1e-3) for stage in stages]
    return PredictedPoints(np.zeros((N, 1, 4)), EQUAL, EQUAL, predicted, [stage.relative for stage in stages])


def brute_force(stages, thresholds, accuracy):
    seconds = wrong = 0.0
    used = [0] * len(stages)
    for event in range(N):
        for number, (stage, threshold) in enumerate(zip(stages, thresholds, strict=True)):
            seconds += stage.seconds
            if stage.relative[event] < threshold:
                wrong += abs(stage.delta[event]) > accuracy
                used[number] += 1
                break
        else:
            seconds += EXACT
    return EXACT / (seconds / N), wrong / N, [u / N for u in used]


@pytest.mark.parametrize("thresholds", [(0.0, 0.0), (0.01, 0.02), (0.05, 0.001), (10.0, 10.0)])
def test_outcome_is_what_a_loop_over_events_finds(stages, thresholds):
    found = outcome(stages, thresholds, 0.03, EXACT, EQUAL)
    factor, tolerance, used = brute_force(stages, thresholds, 0.03)
    assert found.factor == pytest.approx(factor, rel=1e-9)
    assert found.tolerance == pytest.approx(tolerance, abs=1e-12)
    assert found.used == pytest.approx(used, abs=1e-12)


def test_limits_of_the_factor(stages):
    assert outcome(stages[:1], [1e9], 0.03, EXACT, EQUAL).factor == pytest.approx(EXACT / FIRST)
    assert outcome(stages[:1], [0.0], 0.03, EXACT, EQUAL).factor == pytest.approx(EXACT / (EXACT + FIRST))
    assert outcome(stages, [0.0, 1e9], 0.03, EXACT, EQUAL).factor == pytest.approx(EXACT / (FIRST + SECOND))


def test_every_point_is_decided_once(stages):
    first, second = decide(stages, [0.01, 0.01])
    assert not (first & second).any()
    np.testing.assert_array_equal(first | second, (stages[0].relative < 0.01) | (stages[1].relative < 0.01))


@pytest.mark.parametrize("tolerance", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_largest_threshold_within_a_tolerance(stages, rng, tolerance, weighted):
    stage, weights = stages[0], rng.exponential(1.0, N) if weighted else EQUAL
    [threshold] = best_ratio([stage], None, tolerance, weights)
    wrong = np.abs(stage.delta) > 0.03
    allowed = tolerance * weights.sum()
    assert weights[wrong & (stage.relative < threshold)].sum() <= allowed
    next_wrong = stage.relative[wrong & (stage.relative >= threshold)].min()
    assert weights[wrong & (stage.relative <= next_wrong)].sum() > allowed
    found = outcome([stage], [threshold], 0.03, EXACT, weights)
    assert found.tolerance == pytest.approx(weights[wrong & (stage.relative < threshold)].sum() / weights.sum())


@pytest.mark.parametrize("ratio", [None, 1.4])
@pytest.mark.parametrize("number", [1, 2])
def test_points_are_sorted_once_for_all_tolerances_and_prices(stages, ratio, number, monkeypatch):
    tolerances, prices = (1e-4, 1e-3, 1e-2), (EXACT, 10 * EXACT)
    stages = stages[:number]
    cascade = Cascade("", tuple((i,) for i in range(number)), (), None, ratio)
    asked = list(itertools.product(tolerances, prices))
    expected = [cascade.search(stages, 0.03, EQUAL).best(*each) for each in asked]
    search = cascade.search(stages, 0.03, EQUAL)
    for name in ("argsort", "sort", "partition", "quantile"):
        monkeypatch.delattr(np, name)
    assert [search.best(*each) for each in asked] == expected
    assert len({tuple(thresholds) for thresholds in expected}) >= len(tolerances)


def test_what_was_certified_is_not_certified_again(stages, monkeypatch):
    points = points_of(stages)
    known = {1e-3: WeightSpread.of(EQUAL).counting(N, 1e-3)}
    asked = []
    monkeypatch.setattr("ampcli.speedup.judged.certified_scale", lambda *given: asked.append(given) or 0.5)
    [cascade] = cascades(points, Seconds([FIRST]), [0])
    judged = JudgedCascade(cascade, points, points, points, 0.03, known)
    for price in (EXACT, 10 * EXACT):
        [chosen] = judged.chosen(1e-3, price)
        assert judged.certified([chosen], 1e-3) == [pytest.approx(chosen / 2)]
    assert len(asked) == 1
    judged.certified([0.9 * chosen], 1e-3)
    assert len(asked) == 2


def test_a_surrogate_that_is_never_wrong_decides_everything():
    ones = np.ones(10)
    stage = Stage(np.zeros(10), np.linspace(0.1, 1.0, 10), FIRST)
    [threshold] = best_ratio([stage], None, 1e-3, ones)
    assert (stage.relative < threshold).all()
    always_wrong = Stage(np.ones(10), np.linspace(0.1, 1.0, 10), FIRST)
    [threshold] = best_ratio([always_wrong], None, 1e-3, ones)
    assert not (always_wrong.relative < threshold).any()


def test_free_thresholds_are_the_best_of_the_grid(stages, rng):
    weights = rng.exponential(1.0, N)
    first, second = (Stage(s.delta[:400], s.relative[:400], s.seconds) for s in stages)
    found = FreeThresholds.of(first, second, 0.03, weights[:400]).best(5e-3, EXACT)
    outcomes = [
        outcome([first, second], [one, other], 0.03, EXACT, weights[:400])
        for one in first.grid
        for other in second.grid
    ]
    best = max(o.factor for o in outcomes if o.tolerance <= 5e-3)
    mine = outcome([first, second], found, 0.03, EXACT, weights[:400])
    assert mine.tolerance <= 5e-3
    assert mine.factor == pytest.approx(best, rel=1e-12)


def test_two_surrogates_beat_each_alone_and_free_thresholds_beat_tied_ones(stages):
    def factor(chosen, thresholds):
        found = outcome(chosen, thresholds, 0.03, EXACT, EQUAL)
        assert found.tolerance <= 1e-3
        return found.factor

    free = factor(stages, best_ratio(stages, None, 1e-3))
    assert free > 0.99 * factor(stages, best_ratio(stages, 1.4, 1e-3))  # free ones lie on a grid
    assert free > factor(stages[:1], best_ratio(stages[:1], None, 1e-3))
    assert free > factor(stages[1:], best_ratio(stages[1:], None, 1e-3))


def test_two_stage_unweighting(rng):
    weights = rng.exponential(1.0, N) ** 2
    perfect = two_stage_unweighting(weights, np.zeros(N), FIRST, EXACT)
    assert perfect.first_efficiency == pytest.approx(perfect.exact_efficiency)
    assert perfect.second_efficiency == pytest.approx(1 / (1 - 0.003), rel=1e-9)  # all ratios are one
    per_event = (FIRST / perfect.first_efficiency + EXACT) / perfect.second_efficiency
    assert perfect.factor == pytest.approx(EXACT / perfect.exact_efficiency / per_event)
    poor = two_stage_unweighting(weights, np.exp(rng.normal(0, 0.5, N)) - 1, FIRST, EXACT)
    assert poor.second_efficiency < perfect.second_efficiency
    assert poor.factor < perfect.factor


def test_bounds_hold_for_any_observable(rng):
    weights, delta = rng.uniform(0.5, 1.5, N), rng.uniform(0, 0.02, N)
    found = bounds(weights, delta, delta / 3)
    assert found.effective_events == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    same_sign = (weights * (1 + delta)).sum() / weights.sum() - 1
    independent = (weights * (1 + delta * rng.choice([-1, 1], N))).sum() / weights.sum() - 1
    assert same_sign <= found.correlated == delta.max()
    assert abs(independent) <= 5 * found.uncorrelated < found.correlated
    assert found.predicted == pytest.approx(delta.max() / 3)
    assert (1 - found.beyond) ** N == pytest.approx(0.05)  # none of N exceeds the largest


def test_bias_of_a_histogram(rng):
    values, weights = rng.exponential(1.0, N), np.ones(N)
    assert bias(values, weights, weights).largest == 0.0
    shifted = bias(values, weights, 1.01 * weights)
    assert shifted.largest == pytest.approx(0.01, rel=1e-9)
    assert shifted.rms == pytest.approx(0.01, rel=1e-9)
    assert shifted.rms_in_errors == pytest.approx(0.01 * np.sqrt(N / 30), rel=0.05)
    assert shifted.bins == 30


def test_observables():
    final = np.array([[[200.0, 30, 0, 100], [50.0, 0, 30, 40], [130.0, -50, 0, 120], [50.0, 0, -30, 40]]])
    found = observables(final, parse_process("d d~ > z g g g"))
    assert found["pt_jet1"] == pytest.approx([50.0])
    assert found["pt_z"] == pytest.approx([30.0])
    assert found["h_t"] == pytest.approx([np.hypot(30, 91.188) + 30 + 50 + 30])
    pair = final[0, 2] + final[0, 1]
    assert found["m_jj"] == pytest.approx([np.sqrt(pair[0] ** 2 - (pair[1:] ** 2).sum())])


# The combination by covariance against the matrices of Eqs. 14 to 17, event by event.
def test_combination_by_covariance(rng):
    correlation = torch.tensor([[1.0, 0.6, 0.2], [0.6, 1.0, 0.3], [0.2, 0.3, 1.0]], dtype=torch.float64)
    amplitudes, relative = torch.tensor(rng.uniform(1, 2, (3, 50))), torch.tensor(rng.uniform(0.01, 0.3, (3, 50)))
    combined, uncertainty = combine_by_covariance(amplitudes, relative, correlation)
    for event in range(50):
        sigma = relative[:, event].numpy()
        inverse = np.linalg.inv(correlation.numpy() * np.outer(sigma, sigma))
        weights = inverse.sum(axis=1) / inverse.sum()
        assert combined[event].item() == pytest.approx(np.exp(weights @ amplitudes[:, event].log().numpy()), rel=1e-12)
        assert uncertainty[event].item() == pytest.approx(inverse.sum() ** -0.5, rel=1e-12)


def test_equal_independent_models_average(rng):
    amplitudes = torch.tensor(rng.uniform(1, 2, (4, 20)))
    combined, uncertainty = combine_by_covariance(amplitudes, torch.full((4, 20), 0.1).double(), torch.eye(4).double())
    torch.testing.assert_close(combined, amplitudes.log().mean(0).exp())
    torch.testing.assert_close(uncertainty, torch.full((20,), 0.05).double())


def test_the_better_combination_of_correlated_errors(rng):
    common, own = rng.normal(size=N), rng.normal(size=(2, N))
    sigma = np.array([[0.02], [0.03]]) * rng.uniform(0.5, 2.0, (2, N))
    errors = sigma * (np.sqrt(0.5) * common + np.sqrt(0.5) * own)
    correlation = error_correlation(torch.tensor(errors), torch.tensor(sigma))
    assert correlation[0, 1].item() == pytest.approx(0.5, abs=0.03)
    combined, uncertainty = combine_by_covariance(torch.tensor(np.exp(errors)), torch.tensor(sigma), correlation)
    pull = combined.log() / uncertainty
    assert pull.std().item() == pytest.approx(1.0, abs=0.03)
    assert combined.log().std() < errors.std(axis=1).min()


def test_a_singular_correlation_is_made_regular(rng):
    errors = torch.tensor(rng.normal(size=(1, N))).repeat(3, 1)  # three times the same model
    correlation = error_correlation(errors, torch.ones_like(errors))
    assert torch.linalg.eigvalsh(correlation)[0].item() == pytest.approx(1e-2, rel=1e-6)
    sigma = torch.tensor(rng.uniform(0.001, 0.5, (3, N)))
    combined, uncertainty = combine_by_covariance(errors.exp() * 1e-9, sigma, correlation)
    assert (combined > 0).all()
    assert torch.isfinite(combined).all()
    assert torch.isfinite(uncertainty).all()


def test_members_that_are_not_positive_give_no_nan():
    amplitudes = torch.tensor([[1.0, -1.0], [1.0, 2.0]], dtype=torch.float64)
    combined, _ = combine_by_covariance(amplitudes, torch.full((2, 2), 0.1).double(), torch.eye(2).double())
    assert (combined > 0).all()


@pytest.mark.parametrize(
    "text", ["", "0.03", "0.03:", ":1e-3", "0:1e-3", "0.03:0", "0.03:1", "a:b", "nan:1e-3", "inf:0.1"]
)
def test_wrong_tolerances(text):
    with pytest.raises(UsageError, match="--tolerance"):
        parse_tolerance("--tolerance", text)


def test_tolerance():
    assert parse_tolerance("--tolerance", "0.03:1e-3") == (0.03, 0.001)


def test_scanned_thresholds_are_outcomes(stages, rng):
    weights = rng.exponential(1.0, N)
    chosen = [0.01, 0.014]
    found = scan_thresholds(stages, chosen, EXACT, weights)
    assert found.ratio == pytest.approx(1.4)
    for step in (0, 17, 39):
        thresholds = [found.thresholds[step], found.thresholds[step] * 1.4]
        used = decide(stages, thresholds)
        wrong = sum(weights[rows & (np.abs(s.delta) > 0.05)].sum() for s, rows in zip(stages, used, strict=True))
        assert found.tolerance["5%"][step] == pytest.approx(wrong / weights.sum())
        left = 1 - used[0].mean()
        seconds = FIRST + left * SECOND + (left - used[1].mean()) * EXACT
        assert found.factor[step] == pytest.approx(EXACT / seconds)
    assert scan_thresholds(stages[:1], [0.01], EXACT, weights).ratio is None


def test_signed_errors_count_every_decided_point(stages):
    thresholds = [0.01, 0.01]
    found = signed_errors(stages, thresholds)
    decided = decide(stages, thresholds)
    delta = np.concatenate([stage.delta[rows] for stage, rows in zip(stages, decided, strict=True)])
    assert sum(found.above) == np.count_nonzero(delta > 0)
    assert sum(found.below) == np.count_nonzero(delta <= 0)
    inside = (np.log10(np.abs(delta)) >= found.edges[30]) & (np.log10(np.abs(delta)) < found.edges[31])
    assert found.above[30] + found.below[30] == np.count_nonzero(inside)


def test_the_best_of_many_models(stages, rng):
    wide = np.exp(rng.normal(-3.0, 0.2, N))
    useless = Stage(rng.normal(0, wide), wide, FIRST)
    points = points_of([useless, *stages])
    found = rank_candidates(points, Seconds([FIRST, FIRST, SECOND]), 0.03, 1e-3, EXACT)
    assert len(found) == 3 + 6
    factors = [candidate.validation.factor for candidate in found]
    assert factors == sorted(factors, reverse=True)
    assert found[0].models == [1, 2]
    alone = next(candidate for candidate in found if candidate.models == [1])
    assert alone.strategy == "surrogate 1"
    assert alone.validation.thresholds == best_ratio([stages[0]], None, 1e-3)


@pytest.mark.parametrize("objective", Objective)
def test_the_best_of_many_models_for_an_objective(stages, objective):
    """The second is quick, the third precise; to train the third took most."""
    wide = Stage(4 * stages[0].delta, 4 * stages[0].relative, FIRST)
    points, seconds = points_of([wide, *stages]), Seconds([FIRST, FIRST, SECOND])
    prices = [10.0, 20.0, 5000.0]
    spent = {i: Spent(events=1000, copies=0, at_most=False, seconds=prices[i], unknown=[]) for i in range(3)}
    goal = Goal(objective, points, seconds.surrogates, EXACT, lambda models: spent[max(models)])
    found = rank_candidates(points, seconds, 0.03, 1e-3, EXACT, goal)
    best = {candidate.models[0]: candidate for candidate in found if len(candidate.models) == 1}
    if objective is Objective.UNWEIGHTING:
        assert len(found) == 3
        expected = {
            i: two_stage_unweighting(EQUAL, points.predicted[i] - 1, seconds.surrogates[i], EXACT).factor
            for i in range(3)
        }
        assert found[0].value == max(expected.values())
    elif objective is Objective.BREAK_EVEN:
        assert len(found) == 3 + 6
        expected = {i: break_even(spent[i], EXACT, best[i].validation.factor) for i in range(3)}
        assert found[0].models in ([0], [1], [0, 1], [1, 0])  # not the dearest
    else:
        expected = {i: best[i].validation.factor for i in range(3)}
        assert found == rank_candidates(points, seconds, 0.03, 1e-3, EXACT)
    assert {i: candidate.value for i, candidate in best.items()} == expected
    losses = [goal.loss(candidate.value) for candidate in found]
    assert losses == sorted(losses)


def test_an_objective_that_is_never_reached_is_the_worst(stages):
    goal = Goal(Objective.BREAK_EVEN, points_of(stages), [FIRST, SECOND], EXACT, lambda models: None)
    assert goal.loss(None) > goal.loss(1e300)


def test_cascades_pay_for_checks_and_for_combinations(stages):
    points = points_of(stages)
    found = {c.name: c for c in cascades(points, Seconds([FIRST, SECOND], 1e-6, 3e-6), [0, 1])}
    assert {name: c.seconds for name, c in found.items()} == {
        "surrogate 1": (FIRST + 1e-6,),
        "surrogate 2": (SECOND + 1e-6,),
        "both": (pytest.approx(FIRST + SECOND + 4e-6),),
        "1, then both, U2 = 1.4 U1": (FIRST + 1e-6, SECOND + 3e-6),
        "1, then both": (FIRST + 1e-6, SECOND + 3e-6),
    }
    first, both = found["1, then both"].stages(points)
    np.testing.assert_allclose(first.delta, points.predicted[0] - 1)
    np.testing.assert_allclose(both.delta, found["both"].stages(points)[0].delta)
    assert (both.relative < np.minimum(*points.relative) * 1.01).all()


def test_points_of_some_models(stages):
    points = points_of(stages)
    other = points.of_models([1])
    np.testing.assert_array_equal(other.predicted[0], points.predicted[1])
    assert len(other.relative) == 1
    some = points.rows(np.array([3, 5]))
    np.testing.assert_array_equal(some.relative[1], points.relative[1][[3, 5]])
