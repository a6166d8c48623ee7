"""A trained network with its ansatz and features: momenta in, amplitude and bare uncertainty out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ampcli.errors import IntegrityError
from ampcli.features.blocks import FeatureBlock
from ampcli.inference.compiled.engine import Member, bundle_of
from ampcli.inference.tensors import PARAMETERS, SCALE
from ampcli.models.ansatz import Ansatz, Arrays
from ampcli.models.bayesian import MEMBERS, mixture
from ampcli.models.kinds import KINDS
from ampcli.models.network import NETWORKS, Network
from ampcli.records.architecture import Architecture
from ampcli.registry.manifest import Manifest, Recalibration
from ampcli.uncertainty.recalibration import recalibrated


@dataclass
class TrainedNetwork:
    """One trained network with its ansatz and features, ready on a device."""

    parameters: Tensor
    """(P,) float32, on the device."""
    network: Network
    layers: Any
    ansatz: Ansatz[Any]
    block: FeatureBlock | None
    typical: float = math.nan
    """68 % quantile of |Delta| on the validation split: the uncertainty of kinds that predict none."""
    recalibration: Recalibration | None = None
    reads: tuple[str, ...] = ()
    """Arrays of the features that the kind of model reads."""

    @classmethod
    def build(
        cls,
        ansatz: Ansatz[Any],
        architecture: Architecture,
        block: FeatureBlock | None,
        parameters: Tensor,
        device: torch.device,
    ) -> TrainedNetwork:
        """The network of an architecture with its parameters (P,).

        Several networks that predict together (Bayesian ones) are one `TrainedNetwork`.

        Raises:
            UsageError: an unknown kind of network.
            IntegrityError: the architecture does not fit the ansatz, or the parameters are not as many as it has.
        """
        if (architecture.inputs, architecture.outputs) != (ansatz.n_inputs, ansatz.n_outputs):
            raise IntegrityError(
                f"a network with {architecture.inputs} inputs and {architecture.outputs} outputs does not fit "
                f"{ansatz.n_inputs} inputs and {ansatz.n_outputs} outputs"
            )
        network = NETWORKS[architecture.network].make(architecture)
        if len(parameters) != network.n_parameters:
            raise IntegrityError(
                f"its tensor {PARAMETERS} has {len(parameters)} numbers, its layers {network.n_parameters}"
            )
        there = parameters.to(device)
        return cls(there, network, network.members(there), ansatz.to(device), block)

    @staticmethod
    def pack(parameters: Tensor, ansatz: Ansatz[Any]) -> dict[str, Tensor]:
        """The tensors of a model, of its network and of its ansatz (`ampcli.inference.tensors`)."""
        return {
            PARAMETERS: parameters.detach().cpu().contiguous(),
            **{SCALE + name: t.cpu().contiguous() for name, t in ansatz.scales().items()},
        }

    def of(self, manifest: Manifest) -> TrainedNetwork:
        """As a manifest describes it."""
        quantile = manifest.metrics.get("quantile68_abs_delta")
        typical = math.nan if quantile is None else quantile.value
        reads = () if manifest.members else KINDS[manifest.kind].reads
        return replace(self, typical=typical, recalibration=manifest.recalibration, reads=reads)

    @property
    def n_members(self) -> int:
        """How many networks predict together."""
        return MEMBERS if self.network.stochastic else 1

    @cached_property
    def compiled(self) -> Member | None:
        """The network from momenta to amplitude in one compiled pass; None on a GPU, and for kinds without one."""
        if self.parameters.device.type != "cpu":
            return None
        content = bundle_of(self.network, self.ansatz, self.block)
        return None if content is None else Member({**content, "parameters": self.parameters.numpy()})

    def arrays(self, momenta: Tensor) -> dict[str, Tensor]:
        """Final-state momenta (n, n_final, 4) float64 with what the network's features make of them."""
        return {"momenta": momenta, **(self.block.compute(momenta) if self.block else {})}

    def predict_momenta(self, momenta: Tensor) -> tuple[Tensor, Tensor]:
        """As `predict`, of final-state momenta (n, n_final, 4) float64 in GeV.

        Raises:
            UsageError: a reduced event is not physical.
        """
        if self.compiled is None:
            return self.predict(self.arrays(momenta))
        amplitude, relative = self.compiled.predict(momenta)
        if not (
            sound := amplitude.isfinite() & relative.isfinite()
        ).all():  # torch says what is wrong, or finds infinity
            odd = torch.nonzero(~sound)[:, 0]
            amplitude[odd], relative[odd] = self.predict(self.arrays(momenta[odd]))
        return amplitude, relative

    @torch.no_grad()
    def predict(self, arrays: Arrays) -> tuple[Tensor, Tensor]:
        """|M|^2 of arrays of n points, float64, and its relative uncertainty as it was predicted: (n,) each."""
        inputs = self.ansatz.inputs(arrays)
        outputs = self.network.forward(self.layers, inputs.expand(self.n_members, -1, -1))
        amplitude, own = self.ansatz.amplitude(outputs, arrays), self.ansatz.relative_uncertainty(outputs)
        if self.n_members > 1 and own is not None:
            amplitude, own = mixture(amplitude, own)
        amplitude = amplitude[0]
        return amplitude, torch.full_like(amplitude, self.typical) if own is None else own[0]

    def honest(self, relative: Tensor) -> Tensor:
        """Predicted relative uncertainties (n,), recalibrated where the model is."""
        return relative if self.recalibration is None else recalibrated(relative, self.recalibration)
