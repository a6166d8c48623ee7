"""A network for the ratio to a reference amplitude, linear, so that values of either sign can be learned.

value = base x (mean + deviation x network); the last output is the logarithm of the uncertainty of the ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes, shapes_of
from ampcli.models.likelihood import heteroscedastic_loss, heteroscedastic_slopes, relative_sigma
from ampcli.models.options import LikelihoodOptions
from ampcli.models.scaling import Standardiser
from ampcli.process import Process

_TINY = 1e-30  # a ratio of 0 has no relative uncertainty


@dataclass(frozen=True)
class RatioAnsatz(Ansatz[LikelihoodOptions]):
    """Inputs are the block's `inputs`; the ratio to its `base` is standardised."""

    features: Standardiser
    ratio: Standardiser
    beta: float

    predicts_uncertainty: ClassVar[bool] = True
    takes_signs: ClassVar[bool] = True
    takes_errors: ClassVar[bool] = True

    @property
    def n_inputs(self) -> int:
        return len(self.features.mean)

    @property
    def n_outputs(self) -> int:
        return 2

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: LikelihoodOptions) -> Self:
        return cls(Standardiser.unfitted(*shapes["inputs"]), Standardiser.unfitted(), options.beta)

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: LikelihoodOptions, one_unit: bool = False
    ) -> Self:
        return replace(
            cls.unfitted(process, shapes_of(arrays), options),
            features=Standardiser.fit(arrays["inputs"]),
            ratio=Standardiser.of_amplitudes(amplitude / arrays["base"]),
        )

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.features.apply(arrays["inputs"]).float()

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.ratio.apply(amplitude / arrays["base"]).float()
        return Batch(self.inputs(arrays), target.new_empty((len(target), 0)), target)

    def noise(self, arrays: Arrays, amplitude: Tensor, error: Tensor) -> Tensor:
        return (error / arrays["base"] / self.ratio.deviation).float()

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        loss = heteroscedastic_loss(batch.target - outputs[..., 0], outputs[..., 1], self.beta, batch.noise)
        return loss, torch.zeros_like(loss)

    def slopes(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        error = batch.target - outputs[..., 0]
        loss, by_error, by_sigma = heteroscedastic_slopes(error, outputs[..., 1], self.beta, batch.noise)
        return loss, torch.zeros_like(loss), torch.stack([by_error.neg_(), by_sigma], dim=-1)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return self._ratio(outputs) * arrays["base"]

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return relative_sigma(outputs[..., 1], self.ratio.deviation) / self._ratio(outputs).abs().clamp_min(_TINY)

    def _ratio(self, outputs: Tensor) -> Tensor:
        return self.ratio.undo(outputs[..., 0].double())
