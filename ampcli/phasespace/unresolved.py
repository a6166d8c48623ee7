"""Which partons of an event are unresolved: the regions of FAME, Sec. 3.3 and Table 2."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, massless_product, pair_positions
from ampcli.phasespace.jets import jets_of_partons
from ampcli.phasespace.selection import Selection
from ampcli.process import Process

BoolArray = npt.NDArray[np.bool_]

#: Unresolved emissions of the jets of an event, in ascending order, and the region's colour in the paper.
_CLUSTERS = {(1, 1): "pink", (2,): "purple", (1, 2): "blue"}

#: Colours in the order of the paper, and what they mean.
REGIONS = {
    "white": "resolved",
    "pink": "single + single",
    "purple": "double",
    "blue": "double + single",
    "grey": "more unresolved",
    "red": "min s_ij below the cut",
}


def unresolved_regions(final: FloatArray, process: Process, selection: Selection) -> Mapping[str, BoolArray]:
    """The regions of events, (n,) each; red may overlap with the others, white is what none of them holds.

    pink: two jets of two partons each; purple: one jet of three; blue: one of three and one of two; grey: anything
    more; red: min s_ij < y_cut s.  Jets are those of the selection's exclusive clustering.  The quark pair has no
    singularity: its s_ij does not count, nor does a jet of quark and antiquark alone.

    Args:
        final: (n, n_final, 4) in GeV.
    """
    quarks = (*process.final_positions("quark"), *process.final_positions("antiquark"))
    jets = jets_of_partons(final, selection.d_cut)
    found = {name: np.zeros(len(final), dtype=bool) for name in REGIONS}
    patterns, event_pattern = np.unique(jets, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        members = [np.flatnonzero(pattern == jet).tolist() for jet in np.unique(pattern)]
        emissions = tuple(sorted(len(m) - 1 for m in members if len(m) > 1 and set(m) != set(quarks)))
        if emissions not in ((), (1,)):
            found[_CLUSTERS.get(emissions, "grey")][event_pattern.ravel() == number] = True
    found["red"] = singular_invariant(final, process) < selection.y_cut * selection.sqrt_s**2
    found["white"] = ~np.any([flags for name, flags in found.items() if name != "white"], axis=0)
    return found


def singular_invariant(final: FloatArray, process: Process) -> FloatArray:
    """Smallest s_ij in GeV^2 of the pairs that can be singular, all but the quark pair: (n, n_final, 4) -> (n,)."""
    quarks = {*process.final_positions("quark"), *process.final_positions("antiquark")}
    p = np.moveaxis(final, (0, 1, 2), (2, 1, 0))
    smallest = np.full(len(final), np.inf)
    for pair in pair_positions(process.n_final):
        if set(pair) != quarks:
            np.minimum(smallest, 2.0 * massless_product(p[:, pair[0]], p[:, pair[1]]), out=smallest)
    return smallest
