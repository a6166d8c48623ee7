"""A network that corrects kernel x reduced amplitude, or predicts the bare amplitude, with its own uncertainty.

ln|M|^2 = ln(F |M_reduced|^2) + mean + deviation x network (Amplitude Surrogates, Eqs. 10 to 12); the second output is
the logarithm of the uncertainty, trained with the heteroscedastic loss of Eq. 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.models.ansatz import Arrays, Batch, Settings
from ampcli.models.scaling import Standardiser
from ampcli.process import Process

#: The predicted ln(sigma / deviation) stays within these, so that no single point can dominate a batch.
_LOG_SIGMA = (-12.0, 4.0)


def log_base(arrays: Arrays) -> Tensor | None:
    """ln(F |M_reduced|^2), (n,); None for features without a reduced amplitude."""
    if "kernel" not in arrays:
        return None
    return arrays["kernel"].log() + arrays["reduced_amplitude"].log()


@dataclass(frozen=True)
class FactorisedAnsatz:
    """Inputs are the block's `inputs` and ln(F |M_reduced|^2); the correction is standardised."""

    features: Standardiser
    correction: Standardiser
    beta: float = 0.0
    """Weight sigma^(2 beta) of each point's gradient (beta-NLL, M. Seitzer et al., 2203.09168)."""

    kind: ClassVar[str] = "factorised"
    block: ClassVar[str | None] = None  # chosen in the recipe

    @property
    def n_inputs(self) -> int:
        return len(self.features.mean)

    @property
    def n_outputs(self) -> int:
        return 2

    @classmethod
    def fit(cls, process: Process, arrays: Arrays, amplitude: Tensor, settings: Settings) -> Self:
        base = log_base(arrays)
        correction = amplitude.log() if base is None else amplitude.log() - base
        return cls(Standardiser.fit(_features(arrays)), Standardiser.fit(correction), settings.beta)

    def scales(self) -> dict[str, Tensor]:
        return {**self.features.scales("features"), **self.correction.scales("correction")}

    @classmethod
    def restore(cls, scales: Mapping[str, Tensor]) -> Self:
        return cls(Standardiser.restore(scales, "features"), Standardiser.restore(scales, "correction"))

    def to(self, device: torch.device) -> Self:
        return replace(self, features=self.features.to(device), correction=self.correction.to(device))

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.features.apply(_features(arrays)).float()

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        base = log_base(arrays)
        correction = amplitude.log() if base is None else amplitude.log() - base
        target = self.correction.apply(correction).float()
        return Batch(self.inputs(arrays), target.new_empty((len(target), 0)), target)

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        log_sigma = outputs[..., 1].clamp(*_LOG_SIGMA)
        squares = (batch.target - outputs[..., 0]).square()
        terms = 0.5 * squares * torch.exp(-2 * log_sigma) + log_sigma
        if self.beta > 0 and terms.requires_grad:  # validation is judged by the likelihood itself
            terms = terms * torch.exp(2 * self.beta * log_sigma.detach())
        loss = terms.mean(-1)
        return loss, torch.zeros_like(loss)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        logarithm = self.correction.undo(outputs[..., 0].double())
        base = log_base(arrays)
        return (logarithm if base is None else logarithm + base).exp()

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return self.correction.deviation * torch.exp(outputs[..., 1].double().clamp(*_LOG_SIGMA))


def _features(arrays: Arrays) -> Tensor:
    base = log_base(arrays)
    return arrays["inputs"] if base is None else torch.cat([arrays["inputs"], base[:, None]], dim=1)
