"""The factorisation-aware ansatz: |M|^2 = sum_ijk C_ijk D_ij,k + spin-correlation terms (FAME, Eqs. 2.2 to 2.8)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.models.ansatz import Arrays, Batch, Settings, Shapes, any_of, exactly
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import Process


@dataclass(frozen=True)
class FameAnsatz:
    """C_i = S_pred / S_dipole sinh(c_i), fitted to asinh(|M|^2 / S_pred).

    Without recoil inputs `log_recoil` has no columns, without spin correlations `n_azimuths` is 0 (ablations).
    `penalty` is J S_pred, without a dimension: the penalty's terms are the |C_i D_i| / S_pred.
    """

    momenta: MomentumInputs
    log_recoil: Standardiser
    target: Standardiser
    s_pred: Tensor
    s_dipole: Tensor
    n_dipoles: int
    n_azimuths: int
    penalty: float

    kind: ClassVar[str] = "fame"
    block: ClassVar[str | None] = "fame"
    predicts_uncertainty: ClassVar[bool] = False

    @property
    def n_inputs(self) -> int:
        return 4 * self.momenta.n_final + len(self.log_recoil.mean)

    @property
    def n_outputs(self) -> int:
        return self.n_dipoles + 2 * self.n_azimuths

    @classmethod
    def fit(cls, process: Process, arrays: Arrays, amplitude: Tensor, settings: Settings) -> Self:
        n_azimuths = math.comb(len(process.final_positions("gluon")), 2)
        n_dipoles = arrays["dipoles"].shape[1] - 2 * n_azimuths
        log_recoil = Standardiser.fit(arrays["recoil"].log())
        if not settings.recoil:
            log_recoil = Standardiser(log_recoil.mean[:0], log_recoil.deviation[:0])
        s_pred = amplitude.min()
        return cls(
            momenta=MomentumInputs.fit(_momenta(arrays), settings.orient or "rest_momenta" in arrays),
            log_recoil=log_recoil,
            target=Standardiser.fit(torch.asinh(amplitude / s_pred)),
            s_pred=s_pred,
            s_dipole=arrays["dipoles"][:, :n_dipoles].mean(),
            n_dipoles=n_dipoles,
            n_azimuths=n_azimuths if settings.spin else 0,
            penalty=settings.penalty,
        )

    def scales(self) -> dict[str, Tensor]:
        sizes = [self.n_dipoles, self.n_azimuths]
        return {
            **self.momenta.scales(),
            **self.log_recoil.scales("log_recoil"),
            **self.target.scales("target"),
            "s_pred": self.s_pred,
            "s_dipole": self.s_dipole,
            "penalty": torch.tensor(self.penalty, dtype=torch.float64),
            "sizes": torch.tensor(sizes, dtype=torch.float64),
        }

    @classmethod
    def template(cls, process: Process, shapes: Shapes, settings: Settings) -> dict[str, Tensor]:
        n_azimuths = math.comb(len(process.final_positions("gluon")), 2)
        n_dipoles = shapes["dipoles"][0] - 2 * n_azimuths
        (n_recoil,) = shapes["recoil"] if settings.recoil else (0,)
        return {
            **MomentumInputs.template(process.n_final),
            **Standardiser.template("log_recoil", n_recoil),
            **Standardiser.template("target"),
            "s_pred": any_of(),
            "s_dipole": any_of(),
            "penalty": any_of(),
            "sizes": exactly(n_dipoles, n_azimuths if settings.spin else 0),
        }

    @classmethod
    def restore(cls, scales: Mapping[str, Tensor]) -> Self:
        n_dipoles, n_azimuths = (int(size) for size in scales["sizes"])
        return cls(
            momenta=MomentumInputs.restore(scales),
            log_recoil=Standardiser.restore(scales, "log_recoil"),
            target=Standardiser.restore(scales, "target"),
            s_pred=scales["s_pred"],
            s_dipole=scales["s_dipole"],
            n_dipoles=n_dipoles,
            n_azimuths=n_azimuths,
            penalty=float(scales["penalty"]),
        )

    def to(self, device: torch.device) -> Self:
        return replace(
            self,
            momenta=self.momenta.to(device),
            log_recoil=self.log_recoil.to(device),
            target=self.target.to(device),
            s_pred=self.s_pred.to(device),
            s_dipole=self.s_dipole.to(device),
        )

    def inputs(self, arrays: Arrays) -> Tensor:
        momenta = self.momenta.inputs(_momenta(arrays))
        recoil = arrays["recoil"][:, : len(self.log_recoil.mean)]
        return torch.cat([momenta, self.log_recoil.apply(recoil.log()).float()], dim=1)

    def _terms(self, arrays: Arrays) -> Tensor:
        """The terms of the sum that have a coefficient, (n, n_outputs)."""
        return arrays["dipoles"][:, : self.n_outputs]

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        target = self.target.apply(torch.asinh(amplitude / self.s_pred))
        return Batch(self.inputs(arrays), (self._terms(arrays) / self.s_dipole).float(), target.float())

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        contributions = torch.sinh(outputs) * batch.terms
        fitted = torch.asinh(contributions.sum(-1))
        fitted = (fitted - self.target.mean.float()) / self.target.deviation.float()
        error = (fitted - batch.target).square().mean(-1)
        penalty = (self._penalty_weights(batch.terms) * contributions.abs()).sum(-1).mean(-1)
        return error, self.penalty * penalty

    def _penalty_weights(self, terms: Tensor) -> Tensor:
        # D_i^-2 / sum_j D_j^-2.  A cos or sin term may vanish anywhere; its size is that of the pair's strength,
        # the length of (cos, sin), so that no weight diverges.
        dipoles, cosine, sine = torch.split(terms, [self.n_dipoles, self.n_azimuths, self.n_azimuths], dim=-1)
        strength2 = cosine.square() + sine.square()
        inverse = 1.0 / torch.cat([dipoles.square(), strength2, strength2], dim=-1)
        return inverse / inverse.sum(-1, keepdim=True)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        coefficients = torch.sinh(outputs.double()) * (self.s_pred / self.s_dipole)
        return (coefficients * self._terms(arrays)).sum(-1)

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        return None


def _momenta(arrays: Arrays) -> Tensor:
    """Those of the rest frame: of the store itself, or where the frame moves along the beams, of the features."""
    return arrays.get("rest_momenta", arrays["momenta"])
