"""A kind of model: a network corrects the singular factor of the features, and may be kept from correcting much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from pydantic import Field
from torch import Tensor

from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes, shapes_of
from ampcli.models.kinds import Choice, ModelKind
from ampcli.models.likelihood import heteroscedastic_loss, relative_sigma
from ampcli.models.options import Options
from ampcli.models.scaling import Standardiser
from ampcli.process import Process
from ampcli.records.settings import Settings


class TamedOptions(Options):
    tame: float = Field(0.0, ge=0, allow_inf_nan=False, description="Weight of the squared correction in the loss.")


@dataclass(frozen=True)
class TamedAnsatz(Ansatz[TamedOptions]):
    """ln|M|^2 = ln(base) + mean + deviation * network; the second output is the logarithm of the uncertainty."""

    features: Standardiser
    correction: Standardiser
    tame: float

    predicts_uncertainty = True

    @property
    def n_inputs(self) -> int:
        return len(self.features.mean)

    @property
    def n_outputs(self) -> int:
        return 2

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: TamedOptions) -> Self:
        return cls(Standardiser.unfitted(*shapes["inputs"]), Standardiser.unfitted(), options.tame)

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: TamedOptions, one_unit: bool = False
    ) -> Self:
        return replace(
            cls.unfitted(process, shapes_of(arrays), options),
            features=Standardiser.fit(arrays["inputs"]),
            correction=Standardiser.fit((amplitude / arrays["base"]).log()),
        )

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.features.apply(arrays["inputs"]).float()

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.correction.apply((amplitude / arrays["base"]).log()).float()
        return Batch(self.inputs(arrays), target.new_empty((len(target), 0)), target)

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        error = heteroscedastic_loss(batch.target - outputs[..., 0], outputs[..., 1], 0.0)
        return error, self.tame * outputs[..., 0].square().mean(-1)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return arrays["base"] * self.correction.undo(outputs[..., 0].double()).exp()

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return relative_sigma(outputs[..., 1], self.correction.deviation)


TAMED = ModelKind(
    name="tamed",
    ansatz=TamedAnsatz,
    options=TamedOptions,
    reads=("inputs", "base"),
    models=("tamed",),
    choose={"tamed": Choice(TamedOptions(), block="string", settings=Settings(batch_size=256, activation="gelu"))}.get,
    card="A network that corrects the singular factor of q q~ g.",
)
