"""The factorisation-aware ansatz: |M|^2 = sum_ijk C_ijk D_ij,k + spin-correlation terms (FAME, Eqs. 2.2 to 2.8)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes, shapes_of, unknown
from ampcli.models.moments import mean, smallest
from ampcli.models.options import FameOptions
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import Process


@dataclass(frozen=True)
class FameAnsatz(Ansatz[FameOptions]):
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

    @property
    def n_inputs(self) -> int:
        return 4 * self.momenta.n_final + len(self.log_recoil.mean)

    @property
    def n_outputs(self) -> int:
        return self.n_dipoles + 2 * self.n_azimuths

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: FameOptions) -> Self:
        n_azimuths = math.comb(len(process.final_positions("gluon")), 2)
        return cls(
            momenta=MomentumInputs.unfitted(process.n_final, options.orient or "rest_momenta" in shapes),
            log_recoil=Standardiser.unfitted(shapes["recoil"][0] if options.recoil else 0),
            target=Standardiser.unfitted(),
            s_pred=unknown(),
            s_dipole=unknown(),
            n_dipoles=shapes["dipoles"][0] - 2 * n_azimuths,
            n_azimuths=n_azimuths if options.spin else 0,
            penalty=options.penalty,
        )

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: FameOptions, one_unit: bool = False
    ) -> Self:
        bare = cls.unfitted(process, shapes_of(arrays), options)
        log_recoil, columns = Standardiser.fit(arrays["recoil"].log()), len(bare.log_recoil.mean)
        s_pred = smallest(amplitude)
        return replace(
            bare,
            momenta=MomentumInputs.fit(_momenta(arrays), bare.momenta.orient),
            log_recoil=Standardiser(log_recoil.mean[:columns], log_recoil.deviation[:columns]),
            target=Standardiser.fit(torch.asinh(amplitude / s_pred)),
            s_pred=s_pred,
            s_dipole=mean(arrays["dipoles"][:, : bare.n_dipoles]),
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


def _momenta(arrays: Arrays) -> Tensor:
    """Those of the rest frame: of the store itself, or where the frame moves along the beams, of the features."""
    return arrays.get("rest_momenta", arrays["momenta"])
