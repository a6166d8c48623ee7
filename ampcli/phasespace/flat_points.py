"""Flat e+e- points within a selection, in one compiled pass: map, cut on s_ij, clustering of those that pass it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray
from ampcli.phasespace.compiled.engine import phase_space
from ampcli.phasespace.selection import Selection


def flat_points(
    cube: FloatArray, selection: Selection, on: str | None = None
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Points of the unit cube through RAMBO (`ampcli.phasespace.rambo`) that are within a selection.

    Args:
        cube: (4, n_final, n) in [0, 1), coordinate first; n is a multiple of eight.
        on: the instruction set (default: the best); numbers do not depend on it.

    Returns:
        Which of the n they are (k,), and their momenta (k, n_final, 4) in GeV, E = |p| to rounding.
    """
    clustered = selection.cuts == "durham"
    kept, rows, momenta = phase_space(on).lepton_points(
        cube,
        sqrt_s=selection.sqrt_s,
        least_s=selection.y_cut * selection.sqrt_s**2,
        d_cut=selection.d_cut if clustered else 0.0,
    )
    return rows[:kept], momenta[:kept]
