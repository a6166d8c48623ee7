"""Random trajectories through phase space: straight lines in the unit cube, mapped by RAMBO (FAME, App. C)."""

from __future__ import annotations

import numpy as np

from ampcli.kinematics import FloatArray
from ampcli.phasespace.rambo import rambo


def trajectories(count: int, points: int, n_final: int, sqrt_s: float, seed: int) -> FloatArray:
    """Momenta along `count` trajectories, in GeV: (count, points, n_final, 4).

    The k-th of `points` events lies at (k + 1/2) / points between the two random ends.  No region is left out.  A
    trajectory depends on the seed and its number alone, not on `count`.
    """
    position = ((np.arange(points) + 0.5) / points)[:, None, None]
    found = np.empty((count, points, n_final, 4))
    for number in range(count):
        ends = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,))).random((2, n_final, 4))
        found[number] = rambo(ends[0] + position * (ends[1] - ends[0]), sqrt_s)
    return found
