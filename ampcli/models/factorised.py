"""A network that corrects kernel x reduced amplitude, or predicts the bare amplitude, with its own uncertainty.

ln|M|^2 = ln(F |M_reduced|^2) + mean + deviation x network (Amplitude Surrogates, Eqs. 10 to 12); the last output is the
logarithm of the uncertainty, trained with the heteroscedastic loss of Eq. 7.  With several radiations, |M|^2 is the sum
of their products with as many positive coefficients (Eq. 13), ln c_r = mean + deviation x network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.library.bundle import Value
from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes, shapes_of
from ampcli.models.likelihood import heteroscedastic_loss, heteroscedastic_slopes, relative_sigma
from ampcli.models.options import LikelihoodOptions
from ampcli.models.scaling import Standardiser
from ampcli.process import Process


def log_base(arrays: Arrays) -> Tensor | None:
    """ln of the sum of F |M_reduced|^2 over radiations, (n,); None for features without a reduced amplitude."""
    return _sum(_log_radiations(arrays))


def _sum(logs: Tensor | None) -> Tensor | None:
    """`log_base` of what `_log_radiations` found, which every use of the arrays asks for once."""
    return None if logs is None else logs.logsumexp(dim=1)


def _log_radiations(arrays: Arrays) -> Tensor | None:
    """ln(F |M_reduced|^2) of each of R radiations, (n, R)."""
    if "kernel" not in arrays:
        return None
    logs = arrays["kernel"].log() + arrays["reduced_amplitude"].log()
    return logs if logs.ndim == 2 else logs[:, None]


@dataclass(frozen=True)
class FactorisedAnsatz(Ansatz[LikelihoodOptions]):
    """Inputs are the block's `inputs` and ln(F |M_reduced|^2) of R radiations; the correction is standardised."""

    features: Standardiser
    correction: Standardiser
    beta: float
    """Weight sigma^(2 beta) of each point's gradient (beta-NLL, M. Seitzer et al., 2203.09168)."""
    radiations: int

    predicts_uncertainty: ClassVar[bool] = True
    takes_errors: ClassVar[bool] = True

    @property
    def n_inputs(self) -> int:
        return len(self.features.mean)

    @property
    def n_outputs(self) -> int:
        return self.radiations + 1

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: LikelihoodOptions) -> Self:
        radiations = (*shapes.get("kernel", ()), 1)[0]
        inputs = shapes["inputs"][0] + (radiations if "kernel" in shapes else 0)
        return cls(Standardiser.unfitted(inputs), Standardiser.unfitted(), options.beta, radiations)

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: LikelihoodOptions, one_unit: bool = False
    ) -> Self:
        logs = _log_radiations(arrays)
        features = Standardiser.of_momenta if one_unit else Standardiser.fit
        return replace(
            cls.unfitted(process, shapes_of(arrays), options),
            features=features(_features(arrays, logs)),
            correction=Standardiser.fit(_to_learn(amplitude, logs)),
        )

    def bundle(self) -> dict[str, Value]:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`)."""
        return {
            "mean": self.features.mean.numpy(),
            "deviation": self.features.deviation.numpy(),
            "correction": torch.stack([self.correction.mean, self.correction.deviation]).numpy(),
        }

    def inputs(self, arrays: Arrays) -> Tensor:
        return self._inputs(arrays, _log_radiations(arrays))

    def _inputs(self, arrays: Arrays, logs: Tensor | None) -> Tensor:
        return self.features.apply(_features(arrays, logs)).float()

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        logs = _log_radiations(arrays)
        target = self.correction.apply(_to_learn(amplitude, logs)).float()
        return Batch(self._inputs(arrays, logs), self._shares(arrays, logs).float(), target)

    def noise(self, arrays: Arrays, amplitude: Tensor, error: Tensor) -> Tensor:
        return (error / amplitude / self.correction.deviation).float()

    def _shares(self, arrays: Arrays, logs: Tensor | None) -> Tensor:
        """ln of each radiation's share in their sum, (n, R); (n, 0) for a single one."""
        if logs is None or self.radiations == 1:
            return self.correction.mean.new_empty((len(arrays["inputs"]), 0))
        return logs.log_softmax(dim=1)

    def _correction(self, outputs: Tensor, shares: Tensor) -> Tensor:
        """Standardised ln of the sum over radiations with their coefficients, less that without: (R, n)."""
        if self.radiations == 1:
            return outputs[..., 0]
        deviation = self.correction.deviation.to(outputs.dtype)
        return (shares + deviation * outputs[..., :-1]).logsumexp(dim=-1) / deviation

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        error = batch.target - self._correction(outputs, batch.terms)
        loss = heteroscedastic_loss(error, outputs[..., -1], self.beta, batch.noise)
        return loss, torch.zeros_like(loss)

    def slopes(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        if self.radiations > 1:
            return super().slopes(outputs, batch)
        error = batch.target - outputs[..., 0]
        loss, by_error, by_sigma = heteroscedastic_slopes(error, outputs[..., 1], self.beta, batch.noise)
        return loss, torch.zeros_like(loss), torch.stack([by_error.neg_(), by_sigma], dim=-1)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        logs = _log_radiations(arrays)
        logarithm = self.correction.undo(self._correction(outputs.double(), self._shares(arrays, logs)))
        base = _sum(logs)
        return (logarithm if base is None else logarithm + base).exp()

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return relative_sigma(outputs[..., -1], self.correction.deviation)


def _to_learn(amplitude: Tensor, logs: Tensor | None) -> Tensor:
    """ln of |M|^2 (n,) over the sum of the radiations, or of |M|^2 itself."""
    base = _sum(logs)
    return amplitude.log() if base is None else amplitude.log() - base


def _features(arrays: Arrays, logs: Tensor | None) -> Tensor:
    return arrays["inputs"] if logs is None else torch.cat([arrays["inputs"], logs], dim=1)
