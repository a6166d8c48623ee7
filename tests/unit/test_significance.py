"""Differences of two models on the same points."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.errors import UsageError
from ampcli.evaluation.significance import paired


def test_a_common_scatter_drops_out(rng: np.random.Generator) -> None:
    common = rng.exponential(1.0, 4000)
    found = paired(common, common + 0.01 + 0.001 * rng.normal(size=4000))
    assert found.difference == pytest.approx(-0.01, abs=1e-4)
    assert found.error == pytest.approx(0.001 / np.sqrt(4000), rel=0.05)
    assert found.sigma < -100
    assert found.closer > 0.99
    assert found.closer_sigma > 60


def test_errors_are_those_of_repeated_samples(rng: np.random.Generator) -> None:
    """Two models alike: differences scatter by their error, and signs by theirs, weights or not."""
    for weight in (None, rng.exponential(1.0, 500)):
        many = [paired(rng.normal(size=500), -rng.normal(size=500), weight) for _ in range(400)]
        assert np.std([each.sigma for each in many]) == pytest.approx(1.0, abs=0.12)
        assert np.std([each.closer_sigma for each in many]) == pytest.approx(1.0, abs=0.12)
        assert np.mean([each.sigma for each in many]) == pytest.approx(0.0, abs=0.2)


def test_the_same_model_twice_and_too_few_points(rng: np.random.Generator) -> None:
    delta = rng.normal(size=101)
    found = paired(delta, -delta)
    assert (found.difference, found.sigma, found.closer, found.closer_sigma) == (0.0, 0.0, 0.5, 0.0)
    with pytest.raises(UsageError, match="one point"):
        paired(delta[:1], delta[:1])
