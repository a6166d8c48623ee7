"""Exclusive e+e- kt (Durham) clustering of final-state partons.

S. Catani et al., Phys. Lett. B269 (1991) 432: d_ij = 2 min(E_i^2, E_j^2) (1 - cos theta_ij), E-scheme.  All events of
a batch are clustered at once; tests compare with FastJet, event by event.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, pair_positions

IntArray = npt.NDArray[np.int64]


def merging_scales(momenta: FloatArray, mergings: int | None = None) -> FloatArray:
    """Largest Durham distance so far after each merging, in GeV^2.

    Args:
        momenta: (n, n_final, 4) final-state partons in GeV.
        mergings: how many mergings to follow (default: down to one jet).

    Returns:
        (mergings, n); row m is FastJet's `exclusive_dmerge_max(n_final - m - 1)`: at a resolution d_cut the
        event has more than n_final - m - 1 jets when it exceeds d_cut.
    """
    steps = momenta.shape[1] - 1 if mergings is None else mergings
    scales = np.empty((steps, len(momenta)))
    for step, (scale, _) in enumerate(_clustering(momenta, steps)):
        scales[step] = scale
    return scales


def exclusive_jets(momenta: FloatArray, d_cut: float) -> IntArray:
    """Number of exclusive jets at the resolution `d_cut` (GeV^2); (n, n_final, 4) -> (n,)."""
    return np.asarray(1 + (merging_scales(momenta) > d_cut).sum(axis=0))


def jets_of_partons(momenta: FloatArray, d_cut: float) -> IntArray:
    """The number (from 0) of the exclusive jet that each parton belongs to; (n, n_final, 4) -> (n, n_final)."""
    n, legs = momenta.shape[:2]
    jets = np.tile(np.arange(legs), (n, 1))
    for step, (scale, closest) in enumerate(_clustering(momenta, legs - 1)):
        merging = np.flatnonzero(scale <= d_cut)
        jets[merging] = _places(legs - step)[closest[merging, None], jets[merging]]
    return jets


def _clustering(momenta: FloatArray, steps: int) -> Iterator[tuple[FloatArray, IntArray]]:
    """Of each merging, the largest distance so far and which pair merges (as `pair_positions`); (n,) each."""
    p = np.moveaxis(momenta, (0, 1, 2), (2, 1, 0))
    largest: FloatArray | None = None
    for step in range(steps):
        distance, closest = _closest_pair(p)
        largest = distance if largest is None else np.maximum(distance, largest)
        yield largest, closest
        if step + 1 < steps:
            p = _merged(p, closest)


def _closest_pair(p: FloatArray) -> tuple[FloatArray, IntArray]:
    energy2 = p[0] * p[0]
    direction = p[1:] / np.sqrt(p[1] * p[1] + p[2] * p[2] + p[3] * p[3])
    smallest = np.full(p.shape[2], np.inf)
    closest = np.zeros(p.shape[2], dtype=np.int64)
    for number, (i, j) in enumerate(pair_positions(p.shape[1])):
        one_minus_cos = 1.0 - direction[0, i] * direction[0, j]
        one_minus_cos -= direction[1, i] * direction[1, j]
        one_minus_cos -= direction[2, i] * direction[2, j]
        one_minus_cos *= np.minimum(energy2[i], energy2[j])
        np.copyto(closest, number, where=one_minus_cos < smallest)
        np.minimum(smallest, one_minus_cos, out=smallest)
    return 2.0 * smallest, closest


@lru_cache
def _partners(n: int) -> tuple[IntArray, IntArray]:
    """For each pair: its two legs (2, pairs), and the legs it leaves alone (n - 2, pairs)."""
    pairs = pair_positions(n)
    others = [[k for k in range(n) if k not in pair] for pair in pairs]
    return np.array(pairs).T, np.array(others, dtype=np.int64).reshape(len(pairs), n - 2).T


@lru_cache
def _places(n: int) -> IntArray:
    """For each pair of n legs, where each leg is after its merging (`_merged`): (pairs, n)."""
    pairs, others = _partners(n)
    places = np.zeros((pairs.shape[1], n), dtype=np.int64)
    for number, rest in enumerate(others.T):
        places[number, rest] = 1 + np.arange(n - 2)
    return places


def _merged(p: FloatArray, closest: IntArray) -> FloatArray:
    legs, n = p.shape[1:]
    pairs, others = _partners(legs)
    columns = p.reshape(4, legs * n)  # `take` of columns is several times faster than indexing legs and events
    event = np.arange(n)
    first, second = pairs[:, closest] * n + event
    merged = np.empty((4, legs - 1, n))
    np.add(columns.take(first, axis=1), columns.take(second, axis=1), out=merged[:, 0])
    merged[:, 1:] = columns.take(others[:, closest] * n + event, axis=1)
    return merged
