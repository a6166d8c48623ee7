"""Averages over weighted samples: whole weights repeat rows, equal weights change nothing, closed forms, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ampcli import weighted


@pytest.fixture
def sample(rng):
    """Values with ties, and whole weights, some of them 0."""
    return np.round(rng.normal(size=501), 1), rng.integers(0, 4, 501).astype(float)


def repeated(values, weight):
    return np.repeat(values, weight.astype(int))


AVERAGES = {
    "mean": weighted.mean,
    "median": weighted.median,
    "deviation": weighted.deviation,
    "share": lambda values, weight: weighted.share(values > 0.3, weight)[0],
}


@pytest.mark.parametrize("name", AVERAGES)
def test_whole_weights_repeat_rows(sample, name):
    values, weight = sample
    assert AVERAGES[name](values, weight) == pytest.approx(AVERAGES[name](repeated(values, weight), None), rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_quantiles_of_whole_weights(sample, level):
    values, weight = sample
    expected = np.quantile(repeated(values, weight), level, method="inverted_cdf")
    assert weighted.quantile(values, level, weight) == expected


def test_the_median_of_even_numbers():
    values = np.array([3.0, 1.0, 2.0, 9.0])
    assert weighted.median(values, np.array([1.0, 2.0, 1.0, 0.0])) == 1.5  # 1 1 2 3
    assert weighted.median(values, np.array([0.1, 0.2, 0.1, 0.0])) == 1.5
    assert weighted.median(values, np.array([2.0, 1.0, 1.0, 1.0])) == 3.0


FUNCTIONS = {
    **AVERAGES,
    "mean_error": weighted.mean_error,
    "median_error": weighted.median_error,
    "share's error": lambda values, weight: weighted.share(values > 0.3, weight)[1],
    "effective": lambda values, weight: weighted.effective_number(weight, len(values)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equal_weights_change_nothing(sample, name):
    """To the last bit after `significant`, and to rounding (the median's error: to its neighbours) before it."""
    values, _ = sample
    same = np.full(len(values), 0.37)
    plain = FUNCTIONS[name](values, None)
    assert FUNCTIONS[name](values, weighted.significant(same)) == plain
    assert FUNCTIONS[name](values, same) == pytest.approx(plain, rel=1e-9 if name != "median_error" else 0.5)


def test_effective_numbers():
    assert weighted.effective_number(np.array([1.0, 1.0, 0.0]), 3) == 2
    assert weighted.effective_number(np.array([3.0, 1.0]), 2) == pytest.approx(16 / 10)
    assert weighted.effective_number(np.zeros(3), 3) == 0
    assert weighted.significant(np.array([2.0, 2.0])) is None
    assert weighted.significant(None) is None
    assert weighted.significant(np.array([2.0, 4.0])).tolist() == [0.5, 1.0]


def test_too_few_for_an_error():
    one = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    values = np.arange(5.0)
    assert weighted.mean_error(values, one) is None
    assert weighted.median_error(values, one) is None
    value, error = weighted.share(values > 2, one)
    assert value == 0
    assert error == pytest.approx(0.25)  # 1/(2n) / (1 + 1/n), n = 1


def test_errors_are_those_of_repeated_samples(rng):
    """Log-normal weights that know the values: 1-sigma errors hold what they say, spreads agree."""
    pulls = {"mean": [], "median": [], "share": []}
    for _ in range(1000):
        values = rng.normal(size=1000)
        weight = np.exp(0.5 * values + 0.5 * rng.normal(size=1000))  # the weighted values are normal about 1/2
        pulls["mean"].append((weighted.mean(values, weight) - 0.5) / weighted.mean_error(values, weight))
        pulls["median"].append((weighted.median(values, weight) - 0.5) / weighted.median_error(values, weight))
        found, error = weighted.share(values > 2.0, weight)
        pulls["share"].append((found - 0.5 * math.erfc(1.5 / math.sqrt(2))) / error)
    for name, found in pulls.items():
        assert np.std(found) == pytest.approx(1, abs=0.1), name
        assert np.mean(np.abs(found) < 1) == pytest.approx(0.683, abs=0.05), name
