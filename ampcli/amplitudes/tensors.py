"""Exact amplitudes of tensors, on the device where these lie."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider


@runtime_checkable
class TensorProvider(Protocol):
    """A provider that computes on GPUs, too."""

    def evaluate_tensor(self, momenta: Tensor) -> Tensor:
        """As `Provider.evaluate`, of a float64 tensor (n, n_external, 4), on the device where it lies; shape (n,)."""
        ...


def evaluate_tensor(provider: Provider, momenta: Tensor) -> Tensor:
    """|M|^2 of momenta (n, n_external, 4) in GeV; on the CPU where the provider can do no better: (n,), same device.

    Raises:
        UsageError: momenta that are not physical, naming the first bad event and why.
    """
    if isinstance(provider, TensorProvider):
        return provider.evaluate_tensor(momenta)
    return torch.from_numpy(provider.evaluate(momenta.cpu().numpy())).to(momenta.device)
