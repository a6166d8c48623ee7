"""Events that a map of random numbers makes, before anything else is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray
from ampcli.phasespace.vegas import VegasGrid


@dataclass(frozen=True)
class Candidates:
    """Events within the cuts.

    Attributes:
        rows: which of the points tried they are (k,), ascending.
        momenta: (k, n_external, 4) in GeV, beams along +-z.
        x: momentum fractions (k, 2).
        volume: (k,) of dx1 dx2 dPhi, in GeV^(2 n_final - 4); times the Jacobian, its mean over all points tried
            integrates phase space.
        jacobian: of the grid, (k,).
        half_ht: half the sum of all outgoing transverse masses (k,) in GeV, where the map knows it.
        guide: what |M|^2 is like, up to a constant (k,), where the map knows it.
    """

    rows: npt.NDArray[np.int64]
    momenta: FloatArray
    x: FloatArray
    volume: FloatArray
    jacobian: FloatArray
    half_ht: FloatArray | None = None
    guide: FloatArray | None = None

    def chosen(self, rows: npt.NDArray[np.int64]) -> Candidates:
        """Some of these."""
        return Candidates(
            self.rows[rows],
            self.momenta[rows],
            self.x[rows],
            self.volume[rows],
            self.jacobian[rows],
            self.half_ht[rows] if self.half_ht is not None else None,
            self.guide[rows] if self.guide is not None else None,
        )


class EventMap(Protocol):
    """A map of random numbers to partonic events within cuts on jets."""

    @property
    def axes(self) -> int:
        """Random numbers that an event takes."""
        ...

    def choices(self, rng: np.random.Generator, n: int) -> npt.NDArray[np.integer]:
        """What n events take beside them."""
        ...

    def candidates(self, cube: FloatArray, choices: npt.NDArray[np.integer], grid: VegasGrid) -> Candidates:
        """Events of points of the unit cube (n, axes) that go through a grid."""
        ...
