"""What every class of collisions answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from ampcli.collisions.refined import Refined
from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.records.base import Frozen
from ampcli.records.region import Region

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

Energy = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]

Perturbation = Callable[[FloatArray, np.random.Generator], tuple[FloatArray, BoolArray]]
"""Events (n, n_final, 4) in GeV -> copies of them, and which of these are new, (n,)."""

Overlap = Literal["same", "seed", "unknown"]
"""How two sets of points may share some: row by row, at other rows, or who knows."""


class Collisions(Frozen):
    """The collisions that the points of a store are taken from, and what was asked of them: part of its plan."""

    kind: str

    if TYPE_CHECKING:  # fields of one class, properties of others

        @property
        def sqrt_s(self) -> float | None:
            """Centre-of-mass energy of all points in GeV; None where it varies from point to point."""

        @property
        def y_cut(self) -> float | None:
            """The cut on min s_ij / s; None where there is none."""

    @property
    def are_sampled(self) -> bool:
        """Whether the rows were drawn, so that sums over weight x |M|^2 are cross sections."""
        return True

    @property
    def have_flat_weights(self) -> bool:
        """Whether the weights are relative to flat phase space."""
        return False

    @property
    def are_unweighted(self) -> bool:
        """Whether rows were chosen among those drawn, by their weight or by what a model says of them."""
        return False

    @property
    def are_proposed(self) -> bool:
        """Whether a surrogate proposed them, and exact amplitudes accepted them."""
        return False

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """Arrays of the store besides momenta, amplitude and weight, and the shape of a row."""
        return {}

    @property
    @abstractmethod
    def described(self) -> str:
        """Beams, cuts and sampling in a line, for people."""

    @abstractmethod
    def jets(self, final: FloatArray, process: Process) -> IntArray:
        """Number of jets of events (n, n_final, 4) in GeV; shape (n,)."""

    @abstractmethod
    def outside(self, final: FloatArray, process: Process, region: Region) -> dict[str, BoolArray]:
        """Which events (n, n_final, 4) in GeV lie outside of what was asked of these, by reason; (n,) each.

        Args:
            region: where the points are that a model was trained on.
        """

    @abstractmethod
    def overlap(self, other: Collisions) -> Overlap | None:
        """How points of other collisions may be among these; None: they cannot."""

    @property
    def can_be_perturbed(self) -> bool:
        """Whether there is a way to make copies of events near them."""
        return False

    def perturbation(self, process: Process, size: float) -> Perturbation:
        """How to make copies of events near them, within the same cuts.

        Args:
            size: standard deviation of the shifts (`ampcli.phasespace.perturb`).

        Raises:
            UsageError: nobody knows how to shake these events.
        """
        raise UsageError(f"{setting('perturb')} needs a store with events of hadron beams", "Leave it out.")


class SampledCollisions(Collisions):
    """Collisions whose points are a function of a seed.

    Attributes:
        seed: of the points.
    """

    seed: int
    refined: Refined | None = None
    """Where the points are those that a model is unsure of."""

    def overlap(self, other: Collisions) -> Overlap | None:
        if not isinstance(other, SampledCollisions):
            return "unknown"
        return "seed" if (self.kind, self.seed) == (other.kind, other.seed) else None
