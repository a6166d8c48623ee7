"""A plain network on momenta, trained on log|M|^2: what factorisation is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes
from ampcli.models.options import MomentumOptions
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import Process


@dataclass(frozen=True)
class PlainAnsatz(Ansatz[MomentumOptions]):
    """ln|M|^2 = mean + deviation * network(momenta)."""

    momenta: MomentumInputs
    target: Standardiser

    @property
    def n_inputs(self) -> int:
        return 4 * self.momenta.n_final

    @property
    def n_outputs(self) -> int:
        return 1

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: MomentumOptions) -> Self:
        return cls(MomentumInputs.unfitted(process.n_final, options.orient), Standardiser.unfitted())

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: MomentumOptions, one_unit: bool = False
    ) -> Self:
        return cls(MomentumInputs.fit(arrays["momenta"], options.orient), cls.standardiser(amplitude))

    @classmethod
    def standardiser(cls, amplitude: Tensor) -> Standardiser:
        """Of the target."""
        return Standardiser.fit(amplitude.log())

    def standardised(self, amplitude: Tensor) -> Tensor:
        """What the network learns."""
        return self.target.apply(amplitude.log())

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.momenta.inputs(arrays["momenta"])

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.standardised(amplitude).float()
        return Batch(self.inputs(arrays), target.new_empty((len(target), 0)), target)

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        error = (outputs[..., 0] - batch.target).square().mean(-1)
        return error, error.new_zeros(error.shape)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return self.target.undo(outputs[..., 0].double()).exp()
