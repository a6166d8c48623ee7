"""Results of Monte Carlo integration as pairs (value, error), and their comparison."""

from __future__ import annotations

import math

import numpy as np

from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import HadronSampler

Result = tuple[float, float]


def mean_and_error(values: FloatArray, tried: int) -> Result:
    """The mean over all points tried, of which those that are missing count as 0."""
    mean = float(values.sum()) / tried
    return mean, math.sqrt(max(float((values**2).sum()) / tried - mean**2, 0) / tried)


def adapted_cross_section(sampler: HadronSampler, seed: int, rows: int) -> Result:
    """In pb, from so many weighted points of a sampler that adapts first."""
    rng = np.random.default_rng(seed)
    drawn, tried = sampler.draw(rng, rows, sampler.adapt(rng), False, lambda: None)
    assert len(drawn.weight) == rows
    return mean_and_error(drawn.weight, tried)


def compare(one: Result, other: Result, precision: float, sigmas: float = 4.0) -> None:
    """Two results agree, and to the precision that was meant."""
    error = math.hypot(one[1], other[1])
    assert abs(one[0] - other[0]) < sigmas * error, (one, other)
    assert error < precision * abs(one[0]), (one, other)
