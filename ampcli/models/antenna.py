"""The ansatz of colour strings: |M|^2 = sum_strings C E + spin-correlation terms, with its own uncertainty.

What the dipoles of FAME (Eq. 2.2) are for a single unresolved parton, the antennae E of `ampcli.factorisation.antennas`
are for any number of them at once: the coefficients stay smooth where several partons are soft or collinear.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.models.ansatz import Arrays, Batch, Settings, Shapes, any_of, exactly
from ampcli.models.likelihood import heteroscedastic_loss, relative_sigma
from ampcli.models.scaling import Standardiser
from ampcli.process import Process

_LARGEST = 30.0


@dataclass(frozen=True)
class AntennaAnsatz:
    """C = S_coef sinh(c), fitted to asinh(|M|^2 / S_pred) as in FAME (Eqs. 2.5, 2.6).

    S_coef is 1/32 of the median of |M|^2 / sum E, so that most c are about 4: networks with c of order one, where sinh
    is no exponential yet, were 1.5 times less accurate.

    The last output is the logarithm of the uncertainty of that target, which is one of ln|M|^2 where |M|^2 >> S_pred.
    """

    features: Standardiser
    target: Standardiser
    s_pred: Tensor
    s_coef: Tensor
    n_terms: int
    beta: float

    kind: ClassVar[str] = "antenna"
    block: ClassVar[str | None] = "antenna"
    predicts_uncertainty: ClassVar[bool] = True

    @property
    def n_inputs(self) -> int:
        return len(self.features.mean)

    @property
    def n_outputs(self) -> int:
        return self.n_terms + 1

    @classmethod
    def fit(cls, process: Process, arrays: Arrays, amplitude: Tensor, settings: Settings) -> Self:
        n_terms = arrays["terms"].shape[1]
        n_azimuths = math.comb(len(process.final_positions("gluon")), 2)
        s_pred = amplitude.min()
        return cls(
            features=Standardiser.fit(arrays["inputs"]),
            target=Standardiser.fit(torch.asinh(amplitude / s_pred)),
            s_pred=s_pred,
            s_coef=(amplitude / arrays["terms"][:, : n_terms - 2 * n_azimuths].sum(dim=1)).median() / 32,
            n_terms=n_terms,
            beta=settings.beta,
        )

    def scales(self) -> dict[str, Tensor]:
        return {
            **self.features.scales("features"),
            **self.target.scales("target"),
            "s_pred": self.s_pred,
            "s_coef": self.s_coef,
            "n_terms": torch.tensor(float(self.n_terms), dtype=torch.float64),
        }

    @classmethod
    def template(cls, process: Process, shapes: Shapes, settings: Settings) -> dict[str, Tensor]:
        return {
            **Standardiser.template("features", *shapes["inputs"]),
            **Standardiser.template("target"),
            "s_pred": any_of(),
            "s_coef": any_of(),
            "n_terms": exactly(*shapes["terms"])[0],
        }

    @classmethod
    def restore(cls, scales: Mapping[str, Tensor]) -> Self:
        """For predictions: the loss' beta, which they do not need, is not kept."""
        return cls(
            features=Standardiser.restore(scales, "features"),
            target=Standardiser.restore(scales, "target"),
            s_pred=scales["s_pred"],
            s_coef=scales["s_coef"],
            n_terms=int(scales["n_terms"]),
            beta=0.0,
        )

    def to(self, device: torch.device) -> Self:
        return replace(
            self,
            features=self.features.to(device),
            target=self.target.to(device),
            s_pred=self.s_pred.to(device),
            s_coef=self.s_coef.to(device),
        )

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.features.apply(arrays["inputs"]).float()

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.target.apply(torch.asinh(amplitude / self.s_pred))
        return Batch(self.inputs(arrays), (arrays["terms"] * (self.s_coef / self.s_pred)).float(), target.float())

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        fitted = torch.asinh((_sinh(outputs[..., :-1]) * batch.terms).sum(-1))
        fitted = (fitted - self.target.mean.float()) / self.target.deviation.float()
        loss = heteroscedastic_loss(fitted - batch.target, outputs[..., -1], self.beta)
        return loss, torch.zeros_like(loss)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return self.s_coef * (_sinh(outputs[..., :-1].double()) * arrays["terms"]).sum(-1)

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return relative_sigma(outputs[..., -1], self.target.deviation)


def _sinh(outputs: Tensor) -> Tensor:
    """Without overflow, which one bad step at a large learning rate could otherwise turn into the end of a training."""
    return torch.sinh(outputs.clamp(-_LARGEST, _LARGEST))
