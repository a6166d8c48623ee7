"""The adaptive grid of VEGAS: a map of the unit cube, one axis at a time, that flattens an integrand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray

_BINS = 64
_DAMPING = 0.75  # alpha of Lepage, J. Comput. Phys. 27 (1978) 192; smaller follows the integrand more slowly


@dataclass(frozen=True)
class VegasGrid:
    """Bin edges (axes, bins + 1) in [0, 1]; every bin is equally likely."""

    edges: FloatArray

    @classmethod
    def flat(cls, axes: int) -> VegasGrid:
        return cls(np.tile(np.linspace(0.0, 1.0, _BINS + 1), (axes, 1)))

    @property
    def axes(self) -> int:
        return len(self.edges)

    def map(self, u: FloatArray) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
        """Points of the unit cube (n, axes) to mapped points, their Jacobian (n,) and the bins they fell into."""
        bins = self.edges.shape[1] - 1
        scaled, chosen = u * bins, self.bins(u)
        axes = np.arange(self.axes)
        low = self.edges[axes, chosen]
        width = self.edges[axes, chosen + 1] - low
        return low + (scaled - chosen) * width, np.asarray((width * bins).prod(axis=1)), chosen

    def bins(self, u: FloatArray) -> npt.NDArray[np.int64]:
        """The bins into which points of the unit cube (n, axes) fall."""
        bins = self.edges.shape[1] - 1
        return np.asarray(np.minimum((u * bins).astype(np.int64), bins - 1))

    def refined(self, chosen: npt.NDArray[np.int64], weights: FloatArray) -> VegasGrid:
        """The grid for an integrand whose weights (with the Jacobian) were `weights` (n,) in the `chosen` bins."""
        bins = self.edges.shape[1] - 1
        edges = np.empty_like(self.edges)
        for axis, old in enumerate(self.edges):
            content = np.bincount(chosen[:, axis], weights=weights**2, minlength=bins)
            padded = np.pad(content, 1, mode="edge")
            smooth = (padded[:-2] + 6 * content + padded[2:]) / 8
            share = np.clip(smooth / smooth.sum(), 1e-12, 1 - 1e-12)
            importance = ((share - 1) / np.log(share)) ** _DAMPING
            reached = np.concatenate([[0.0], np.cumsum(importance)])
            edges[axis] = np.interp(np.linspace(0.0, reached[-1], bins + 1), reached, old)
        edges[:, 0], edges[:, -1] = 0.0, 1.0
        return VegasGrid(edges)
