"""A trained network with its ansatz and features: momenta in, amplitude and bare uncertainty out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ampcli.errors import IntegrityError
from ampcli.features.blocks import FeatureBlock
from ampcli.inference.tensors import SCALE, require_parameters, scales_of
from ampcli.models.ansatz import Ansatz, Arrays
from ampcli.models.bayesian import MEMBERS, mixture
from ampcli.models.kinds import ansatz_class
from ampcli.models.mlp import Activation
from ampcli.models.network import Network, NetworkKind, make_network
from ampcli.registry.manifest import Manifest, Recalibration
from ampcli.uncertainty.recalibration import recalibrated


@dataclass
class TrainedNetwork:
    """One trained network with its ansatz and features, ready on a device."""

    network: Network
    layers: Any
    ansatz: Ansatz
    block: FeatureBlock | None
    typical: float = math.nan
    """68 % quantile of |Delta| on the validation split: the uncertainty of kinds that predict none."""
    recalibration: Recalibration | None = None

    @classmethod
    def build(
        cls,
        kind: str,
        block: FeatureBlock | None,
        architecture: Mapping[str, Any],
        tensors: dict[str, Tensor],
        device: torch.device,
    ) -> TrainedNetwork:
        """From a manifest's `architecture` and tensors: `parameters` (P,), `widths`, and the scales of the ansatz.

        Several networks that predict together (Bayesian ones) are one `TrainedNetwork`.
        """
        ansatz: Ansatz = ansatz_class(kind).restore(scales_of(tensors)).to(device)
        activation: Activation = "gelu" if architecture.get("activation") == "gelu" else "tanh"
        widths = tuple(int(width) for width in tensors["widths"])
        kind_of_network: NetworkKind = architecture.get("network", "mlp")
        particles = architecture.get("particles", [])
        if (widths[0], widths[-1]) != (ansatz.n_inputs, ansatz.n_outputs):
            raise IntegrityError(f"layers of the widths {widths} do not fit {ansatz.n_inputs} inputs")
        network = make_network(kind_of_network, widths, activation, architecture.get("residual") is True, particles)
        require_parameters(network.n_parameters, tensors)
        return cls(network, network.members(tensors["parameters"].to(device)), ansatz, block)

    @staticmethod
    def pack(network: Network, parameters: Tensor, ansatz: Ansatz) -> dict[str, Tensor]:
        """The tensors that `build` reads."""
        return {
            "parameters": parameters.detach().cpu().contiguous(),
            "widths": torch.tensor(network.widths),
            **{SCALE + name: t.cpu().contiguous() for name, t in ansatz.scales().items()},
        }

    def of(self, manifest: Manifest) -> TrainedNetwork:
        """With the uncertainties that a manifest describes."""
        quantile = manifest.metrics.get("quantile68_abs_delta")
        typical = math.nan if quantile is None else quantile.value
        return replace(self, typical=typical, recalibration=manifest.recalibration)

    @property
    def n_members(self) -> int:
        """How many networks predict together."""
        return MEMBERS if self.network.stochastic else 1

    def arrays(self, momenta: Tensor) -> dict[str, Tensor]:
        """Final-state momenta (n, n_final, 4) float64 with what the network's features make of them."""
        return {"momenta": momenta, **(self.block.compute(momenta) if self.block else {})}

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
