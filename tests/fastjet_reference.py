"""Exclusive e+e- kt jets by FastJet (M. Cacciari, G.P. Salam, G. Soyez, Eur. Phys. J. C72 (2012) 1896)."""

from __future__ import annotations

from typing import Any

import awkward
import fastjet
import numpy as np

from ampcli.kinematics import FloatArray
from ampcli.phasespace.jets import IntArray


def fastjet_exclusive_jets(momenta: FloatArray, d_cut: float) -> IntArray:
    """As `ampcli.phasespace.jets.exclusive_jets`."""
    return np.asarray(_clustered(momenta).n_exclusive_jets(d_cut), dtype=np.int64)


def fastjet_jets(momenta: FloatArray, d_cut: float) -> IntArray:
    """As `ampcli.phasespace.jets.jets_of_partons`, with numbers of its own."""
    counts = fastjet_exclusive_jets(momenta, d_cut)
    found = np.zeros(momenta.shape[:2], dtype=np.int64)
    for count in np.unique(counts):
        events = np.flatnonzero(counts == count)
        jets = _clustered(momenta[events]).exclusive_jets_constituent_index(int(count)).to_list()
        for event, members in zip(events, jets, strict=True):
            for jet, legs in enumerate(members):
                found[event, legs] = jet
    return found


def _clustered(momenta: FloatArray) -> Any:
    legs = {name: awkward.from_regular(momenta[..., k]) for k, name in enumerate(("E", "px", "py", "pz"))}
    definition = fastjet.JetDefinition0Param(fastjet.ee_kt_algorithm)
    return fastjet.ClusterSequence(awkward.zip(legs, with_name="Momentum4D"), definition)
