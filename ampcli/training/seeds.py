"""Seeds of replicas."""

from __future__ import annotations

import numpy as np

from ampcli.errors import UsageError, setting

_MOST_REPLICAS = 10_000


def recipe_seeds(seed: int, replicas: int) -> tuple[int, ...]:
    """Seeds of the replicas: the given one and those after it."""
    if replicas < 1:
        raise UsageError(f"{setting('replicas')} {replicas}: at least one is needed")
    if replicas > _MOST_REPLICAS:
        raise UsageError(f"{setting('replicas')} {replicas}: at most {_MOST_REPLICAS} train at once")
    if seed < 0:
        raise UsageError(f"{setting('seed')} {seed}: seeds are non-negative integers")
    return tuple(range(seed, seed + replicas))


def network_seed(seed: int) -> int:
    """The seed of a replica's first weights, apart from those of its shuffles."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
