"""The ansatz of colour strings: |M|^2 = sum_strings C E + spin-correlation terms, with its own uncertainty.

What the dipoles of FAME (Eq. 2.2) are for a single unresolved parton, the antennae E of `ampcli.factorisation.antennas`
are for any number of them at once: the coefficients stay smooth where several partons are soft or collinear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.factorisation.antennas import colour_strings
from ampcli.library.bundle import Value
from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes, shapes_of, unknown
from ampcli.models.likelihood import heteroscedastic_loss, relative_sigma
from ampcli.models.moments import median, smallest
from ampcli.models.options import LikelihoodOptions
from ampcli.models.scaling import Standardiser
from ampcli.process import Process

#: Outputs of the network are clamped to it before their sinh is taken.
LARGEST = 30.0


@dataclass(frozen=True)
class AntennaAnsatz(Ansatz[LikelihoodOptions]):
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

    predicts_uncertainty: ClassVar[bool] = True
    takes_errors: ClassVar[bool] = True

    @property
    def n_inputs(self) -> int:
        return len(self.features.mean)

    @property
    def n_outputs(self) -> int:
        return self.n_terms + 1

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: LikelihoodOptions) -> Self:
        return cls(
            features=Standardiser.unfitted(*shapes["inputs"]),
            target=Standardiser.unfitted(),
            s_pred=unknown(),
            s_coef=unknown(),
            n_terms=shapes["terms"][0],
            beta=options.beta,
        )

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: LikelihoodOptions, one_unit: bool = False
    ) -> Self:
        bare = cls.unfitted(process, shapes_of(arrays), options)
        strings = len(colour_strings(process.final_positions("gluon")))
        s_pred = smallest(amplitude)
        return replace(
            bare,
            features=Standardiser.fit(arrays["inputs"]),
            target=Standardiser.fit(torch.asinh(amplitude / s_pred)),
            s_pred=s_pred,
            s_coef=median(amplitude / arrays["terms"][:, :strings].sum(dim=1)) / 32,
        )

    def bundle(self) -> dict[str, Value]:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`)."""
        return {
            "mean": self.features.mean.numpy(),
            "deviation": self.features.deviation.numpy(),
            "antenna/scales": torch.stack([self.s_coef, self.target.deviation]).numpy(),
        }

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.features.apply(arrays["inputs"]).float()

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.target.apply(torch.asinh(amplitude / self.s_pred))
        return Batch(self.inputs(arrays), (arrays["terms"] * (self.s_coef / self.s_pred)).float(), target.float())

    def noise(self, arrays: Arrays, amplitude: Tensor, error: Tensor) -> Tensor:
        return (error / torch.hypot(amplitude, self.s_pred) / self.target.deviation).float()

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        fitted = torch.asinh((_sinh(outputs[..., :-1]) * batch.terms).sum(-1))
        fitted = (fitted - self.target.mean.float()) / self.target.deviation.float()
        loss = heteroscedastic_loss(fitted - batch.target, outputs[..., -1], self.beta, batch.noise)
        return loss, torch.zeros_like(loss)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return self.s_coef * (_sinh(outputs[..., :-1].double()) * arrays["terms"]).sum(-1)

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return relative_sigma(outputs[..., -1], self.target.deviation)


def _sinh(outputs: Tensor) -> Tensor:
    """Without overflow, which one bad step at a large learning rate could otherwise turn into the end of a training."""
    return torch.sinh(outputs.clamp(-LARGEST, LARGEST))
