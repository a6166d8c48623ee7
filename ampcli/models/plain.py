"""A plain network on momenta, trained on log|M|^2: what factorisation is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.models.ansatz import Arrays, Batch, Settings, Shapes
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import Process


@dataclass(frozen=True)
class PlainAnsatz:
    """ln|M|^2 = mean + deviation * network(momenta)."""

    momenta: MomentumInputs
    target: Standardiser

    kind: ClassVar[str] = "plain"
    block: ClassVar[str | None] = None
    predicts_uncertainty: ClassVar[bool] = False

    @property
    def n_inputs(self) -> int:
        return 4 * self.momenta.n_final

    @property
    def n_outputs(self) -> int:
        return 1

    @classmethod
    def fit(cls, process: Process, arrays: Arrays, amplitude: Tensor, settings: Settings) -> Self:
        return cls(MomentumInputs.fit(arrays["momenta"], settings.orient), Standardiser.fit(amplitude.log()))

    def scales(self) -> dict[str, Tensor]:
        return {**self.momenta.scales(), **self.target.scales("target")}

    @classmethod
    def template(cls, process: Process, shapes: Shapes, settings: Settings) -> dict[str, Tensor]:
        return {**MomentumInputs.template(process.n_final), **Standardiser.template("target")}

    @classmethod
    def restore(cls, scales: Mapping[str, Tensor]) -> Self:
        return cls(MomentumInputs.restore(scales), Standardiser.restore(scales, "target"))

    def to(self, device: torch.device) -> Self:
        return replace(self, momenta=self.momenta.to(device), target=self.target.to(device))

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.momenta.inputs(arrays["momenta"])

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.target.apply(amplitude.log()).float()
        return Batch(self.inputs(arrays), target.new_empty((len(target), 0)), target)

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        error = (outputs[..., 0] - batch.target).square().mean(-1)
        return error, torch.zeros_like(error)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return self.target.undo(outputs[..., 0].double()).exp()

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return None
