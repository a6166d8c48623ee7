"""Phase-space selections of e+e- -> jets: FAME's (Sec. 2.3, units as in docs/physics.md), and that of earlier work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray, dot, pair_positions
from ampcli.phasespace.jets import merging_scales

Cuts = Literal["durham", "jade"]
BoolArray = npt.NDArray[np.bool_]


def smallest_product(momenta: FloatArray) -> FloatArray:
    """The smallest 2 p_i.p_j in GeV^2 of all pairs; momenta (n, n_final, 4) in GeV -> (n,)."""
    p = np.moveaxis(momenta, (0, 1, 2), (2, 1, 0))
    smallest = np.full(p.shape[2], np.inf)
    for i, j in pair_positions(p.shape[1]):
        np.minimum(smallest, dot(p[:, i], p[:, j]), out=smallest)
    return 2.0 * smallest


@dataclass(frozen=True)
class Selection:
    """Smallest invariant and exclusive jets: min s_ij >= y_cut s and at least n_final - 1 jets at d_cut.

    The minimum runs over all pairs, the quark pair too; d_cut = max(0.01, 2 y_cut) s.  Cuts on s_ij alone, as in the
    JADE algorithm, are "jade"; of legs with masses, s_ij is 2 p_i.p_j.
    """

    sqrt_s: float
    y_cut: float
    cuts: Cuts = "durham"

    @property
    def d_cut(self) -> float:
        """Resolution of the exclusive clustering in GeV^2."""
        return max(0.01, 2.0 * self.y_cut) * self.sqrt_s**2

    def accepts(self, momenta: FloatArray) -> BoolArray:
        """Which events pass; momenta (n, n_final, 4) in GeV -> (n,)."""
        resolved = self.resolved(momenta)
        return resolved if self.cuts == "jade" else resolved & self.clusters(momenta)

    def resolved(self, momenta: FloatArray) -> BoolArray:
        """Which events have min s_ij >= y_cut s.

        By plain products: their error, 1e-16 s, is far below the cut, and known stores rest on which points pass.
        """
        return np.asarray(smallest_product(momenta) >= self.y_cut * self.sqrt_s**2)

    def clusters(self, momenta: FloatArray) -> BoolArray:
        """Which events have at least n_final - 1 exclusive jets: the second merging lies above d_cut."""
        return np.asarray(merging_scales(momenta, 2)[1] > self.d_cut)
