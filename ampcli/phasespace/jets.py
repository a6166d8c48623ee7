"""Exclusive e+e- kt (Durham) clustering of final-state partons.

S. Catani et al., Phys. Lett. B269 (1991) 432: d_ij = 2 min(E_i^2, E_j^2) (1 - cos theta_ij), E-scheme.
`merging_scales` is a batched transcription, because clustering through FastJet's Python interface takes longer
than a four-jet matrix element (docs/physics.md); FastJet decides every event that lies on the edge of a cut,
and the tests compare the two event by event.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, pair_positions

IntArray = npt.NDArray[np.int64]

#: Events whose merging scale is this close (relative) to d_cut are given to FastJet.
EDGE = 1e-9


def merging_scales(momenta: FloatArray, mergings: int | None = None) -> FloatArray:
    """Largest Durham distance so far after each merging, in GeV^2.

    Args:
        momenta: (n, n_final, 4) final-state partons in GeV.
        mergings: how many mergings to follow (default: down to one jet).

    Returns:
        (mergings, n); row m is FastJet's `exclusive_dmerge_max(n_final - m - 1)`: at a resolution d_cut the
        event has more than n_final - m - 1 jets when it exceeds d_cut.
    """
    p = np.moveaxis(momenta, (0, 1, 2), (2, 1, 0))
    steps = p.shape[1] - 1 if mergings is None else mergings
    scales = np.empty((steps, p.shape[2]))
    for step in range(steps):
        distance, closest = _closest_pair(p)
        scales[step] = distance if step == 0 else np.maximum(distance, scales[step - 1])
        if step + 1 < steps:
            p = _merged(p, closest)
    return scales


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


def exclusive_jets(momenta: FloatArray, d_cut: float) -> IntArray:
    """Number of exclusive jets at the resolution `d_cut` (GeV^2); (n, n_final, 4) -> (n,)."""
    scales = merging_scales(momenta)
    jets = np.asarray(1 + (scales > d_cut).sum(axis=0))
    on_edge = np.flatnonzero((np.abs(scales - d_cut) <= EDGE * d_cut).any(axis=0))
    if len(on_edge):
        jets[on_edge] = fastjet_exclusive_jets(momenta[on_edge], d_cut)
    return jets


def fastjet_exclusive_jets(momenta: FloatArray, d_cut: float) -> IntArray:
    """`exclusive_jets` by FastJet (M. Cacciari, G.P. Salam, G. Soyez, Eur. Phys. J. C72 (2012) 1896)."""
    with _banner_on_stderr():
        return np.asarray(_clustered(momenta).n_exclusive_jets(d_cut), dtype=np.int64)


def fastjet_jets(momenta: FloatArray, d_cut: float) -> IntArray:
    """The number (from 0) of the exclusive jet that each parton belongs to, by FastJet; (n, legs, 4) -> (n, legs)."""
    counts = fastjet_exclusive_jets(momenta, d_cut)
    found = np.zeros(momenta.shape[:2], dtype=np.int64)
    for count in np.unique(counts):
        events = np.flatnonzero(counts == count)
        with _banner_on_stderr():
            jets = _clustered(momenta[events]).exclusive_jets_constituent_index(int(count)).to_list()
        for event, members in zip(events, jets, strict=True):
            for jet, legs in enumerate(members):
                found[event, legs] = jet
    return found


def _clustered(momenta: FloatArray) -> Any:
    import awkward
    import fastjet

    legs = {name: awkward.from_regular(momenta[..., k]) for k, name in enumerate(("E", "px", "py", "pz"))}
    definition = fastjet.JetDefinition0Param(fastjet.ee_kt_algorithm)
    return fastjet.ClusterSequence(awkward.zip(legs, with_name="Momentum4D"), definition)


@contextmanager
def _banner_on_stderr() -> Iterator[None]:
    # FastJet prints its banner from C++ at the first clustering; standard output belongs to our results.
    flush_c_streams = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        flush_c_streams(None)
        os.dup2(saved, 1)
        os.close(saved)
