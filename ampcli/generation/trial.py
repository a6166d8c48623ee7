"""A short run in memory: what it costs to draw points, and what share of those that are tried is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ampcli.amplitudes.protocol import Failure, FallibleProvider, Provider
from ampcli.generation.points import Points
from ampcli.kinematics import FloatArray

#: Points of a trial, where the amplitude is not too slow for so many.
ROWS = 2048

_FIRST = 16  # points whose amplitudes are computed first
_SECONDS = 1.0  # of amplitudes, after which no more are computed


@dataclass(frozen=True)
class Trial:
    """What a source of points did for some.

    Attributes:
        points: some that were drawn; their amplitudes are None where they are computed after drawing.
        tried: points of phase space.
        kept: how many of them would be rows of a store.
        seconds: for all that were tried, with the exact amplitudes that drawing needs.
        preparation: seconds that are expected before the first part.
        at_most: a run is going to be quicker, since the sampler was not adapted for the trial.
    """

    points: Points
    tried: int
    kept: float
    seconds: float
    preparation: float = 0.0
    at_most: bool = False


def timed_amplitudes(provider: Provider, momenta: FloatArray) -> tuple[FloatArray, float]:
    """|M|^2 of the first of some momenta (n, n_external, 4), n > 0, and the seconds for each.

    Slow amplitudes are computed of fewer: after a second no further ones are.

    Returns:
        (m,), m <= n, NaN where a library failed.
    """
    _values(provider, momenta[:_FIRST])  # what is made once is not counted
    found = [np.empty(0)]
    done, each, spent = 0, 0.0, 0.0
    while done < len(momenta) and spent < _SECONDS:
        batch = momenta[done : done + max(_FIRST, 3 * done)]
        begun = time.perf_counter()
        found.append(_values(provider, batch))
        seconds = time.perf_counter() - begun
        done, each, spent = done + len(batch), seconds / len(batch), spent + seconds
    return np.concatenate(found), each


def _values(provider: Provider, momenta: FloatArray) -> FloatArray:
    if isinstance(provider, FallibleProvider):
        found = provider.attempt(np.ascontiguousarray(momenta), lambda: None)
        return np.array([np.nan if isinstance(each, Failure) else each for each in found])
    return provider.evaluate(np.ascontiguousarray(momenta))
