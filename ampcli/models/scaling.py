"""Standardisation shared by the kinds of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ampcli.factorisation.representative import oriented
from ampcli.models import moments

_ROUNDING = 1e-10


@dataclass(frozen=True)
class Standardiser:
    """Zero mean and unit deviation over the training split; broadcasts over the last dimension."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def fit(cls, values: Tensor) -> Standardiser:
        """Means and deviations of the columns of (..., columns), or of all values of a vector (n,)."""
        flat = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(-1, 1)
        mean, deviation = moments.mean_and_deviation(flat)
        # A column that is constant up to rounding (ln s at a fixed energy) must not become an input of order one.
        varies = deviation > _ROUNDING * (1.0 + mean.abs())
        deviation = torch.where(varies, deviation, torch.ones_like(deviation))
        if values.ndim == 1:
            return cls(mean[0], deviation[0])
        return cls(mean, deviation)

    @classmethod
    def of_amplitudes(cls, values: Tensor) -> Standardiser:
        """Of |M|^2 itself, (n,) or (n, columns), which may be small in its unit without being constant."""
        return cls(*moments.mean_and_deviation(values))

    @classmethod
    def of_momenta(cls, values: Tensor) -> Standardiser:
        """One unit for all columns of (n, columns): the root mean square."""
        return cls(torch.zeros_like(values[0]), moments.mean(values.square()).sqrt().expand_as(values[0]).contiguous())

    def apply(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.deviation

    def undo(self, values: Tensor) -> Tensor:
        return values * self.deviation + self.mean

    @classmethod
    def unfitted(cls, *shape: int) -> Standardiser:
        """Of so many columns, or of one value; NaN."""
        return cls(*torch.full((2, *shape), torch.nan, dtype=torch.float64))


@dataclass(frozen=True)
class MomentumInputs:
    """Network inputs from momenta: 4 means and deviations shared by the legs (FAME, Sec. 2.4.1).

    With `orient`, events are first turned about the beam axis until leg 0 has py = 0 and px > 0: unpolarised beams
    leave |M|^2 unchanged, so the network need not learn that symmetry from data.
    """

    standardiser: Standardiser
    n_final: int
    orient: bool

    @classmethod
    def fit(cls, momenta: Tensor, orient: bool) -> Self:
        """From the training split's momenta (n, n_final, 4)."""
        return cls(Standardiser.fit(oriented(momenta) if orient else momenta), momenta.shape[1], orient)

    def inputs(self, momenta: Tensor) -> Tensor:
        """(n, n_final, 4) float64 -> (n, 4 n_final) float32."""
        return self.standardiser.apply(oriented(momenta) if self.orient else momenta).flatten(1).float()

    @classmethod
    def unfitted(cls, n_final: int, orient: bool) -> Self:
        """Of so many outgoing legs; NaN."""
        return cls(Standardiser.unfitted(4), n_final, orient)
