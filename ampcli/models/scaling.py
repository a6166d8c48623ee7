"""Standardisation shared by the kinds of models."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Standardiser:
    """Zero mean and unit deviation over the training split; broadcasts over the last dimension."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def fit(cls, values: Tensor) -> Standardiser:
        """Means and deviations of the columns of (..., columns), or of all values of a vector (n,)."""
        flat = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(-1, 1)
        deviation = flat.std(0, correction=0)
        deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
        if values.ndim == 1:
            return cls(flat.mean(0)[0], deviation[0])
        return cls(flat.mean(0), deviation)

    def apply(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.deviation

    def undo(self, values: Tensor) -> Tensor:
        return values * self.deviation + self.mean

    def to(self, device: torch.device) -> Standardiser:
        return Standardiser(self.mean.to(device), self.deviation.to(device))

    def scales(self, name: str) -> dict[str, Tensor]:
        return {f"{name}.mean": self.mean, f"{name}.deviation": self.deviation}

    @classmethod
    def restore(cls, scales: dict[str, Tensor], name: str) -> Standardiser:
        return cls(scales[f"{name}.mean"], scales[f"{name}.deviation"])


def standardised_momenta(standardiser: Standardiser, momenta: Tensor) -> Tensor:
    """(n, n_final, 4) -> (n, 4 n_final) float32, with 4 means and deviations shared by the legs (FAME, Sec. 2.4.1)."""
    return standardiser.apply(momenta).flatten(1).float()
