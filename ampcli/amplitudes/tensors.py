"""Exact amplitudes on the device where momenta lie, and on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.device import choose_device
from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord


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


@dataclass(frozen=True)
class OnDevice(Provider):
    """Another provider whose amplitudes are computed on a device, where its numbers may differ in the last digits."""

    provider: Provider
    device: torch.device

    @property
    def process(self) -> Process:  # type: ignore[override]
        return self.provider.process

    @property
    def fault(self) -> str | None:
        return self.provider.fault

    def identity(self) -> ProviderRecord:
        record = self.provider.identity()
        return record.model_copy(update={"options": {**record.options, "device": self.device.type}})

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        values = evaluate_tensor(self.provider, torch.from_numpy(momenta).to(self.device))
        return values.cpu().numpy()


def on_device(provider: Provider, device: str) -> Provider:
    """A provider that computes on a device.

    Args:
        device: "cpu", "cuda", or "auto": a GPU where there is one and the provider makes use of it.

    Raises:
        UsageError: no GPU where one is asked for, or a provider that makes no use of it; an unknown device.
    """
    chosen = choose_device(device)
    if chosen.type == "cpu":
        return provider
    if isinstance(provider, TensorProvider):
        return OnDevice(provider, chosen)
    if device == "auto":
        return provider
    raise UsageError(
        f"the provider {provider.identity().name} computes on CPUs alone",
        f"Leave out {setting('device')}, or say {setting('device')} cpu.",
    )
