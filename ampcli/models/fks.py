"""A network for every FKS pair, and one for the rest: the "ensemble" of earlier work.

S. Badger, J. Bullock, JHEP 06 (2020) 114 (2002.07516), Sec. 3, after S. Frixione, Z. Kunszt, A. Signer, Nucl. Phys.
B467 (1996) 399; what FAME compares with in Sec. 3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ampcli.errors import UsageError, setting
from ampcli.factorisation.momenta import invariant_products
from ampcli.kinematics import pair_positions
from ampcli.models.ansatz import Ansatz, Arrays, Batch, Shapes, shapes_of
from ampcli.models.options import FksOptions
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import Process


def partition(final: Tensor) -> tuple[Tensor, Tensor]:
    """S_ij = (1/s_ij) / sum_kl (1/s_kl) of all pairs, (n, pairs), and min s_ij / s, (n,).

    Args:
        final: massless outgoing momenta in GeV, (n, n_final, 4), at rest.
    """
    invariants = _invariants(final)
    smallest = invariants.amin(dim=1)
    inverse = smallest[:, None] / invariants  # without overflow for collinear pairs
    return inverse / inverse.sum(dim=1, keepdim=True), smallest


def _invariants(final: Tensor) -> Tensor:
    """s_ij / s of all pairs, (n, pairs)."""
    p = final.movedim((0, 1, 2), (2, 1, 0)).contiguous()
    products = invariant_products(p)
    first, second = torch.tensor(pair_positions(final.shape[1]), device=final.device).unbind(dim=1)
    return 2.0 * products[first, second].T / p[0].sum(0).square()[:, None]


@dataclass(frozen=True)
class FksAnsatz(Ansatz[FksOptions]):
    """Near points (min s_ij < near s): |M|^2 = sum over pairs of networks that learned S_ij |M|^2; others: one network.

    Every network is trained on its own region only, with the mean and deviation of its target there; the sum of their
    losses trains them independently of each other, with one common schedule.
    """

    mean_of_points: ClassVar[bool] = False  # each network's loss is a mean over its region in the batch

    momenta: MomentumInputs
    targets: Standardiser
    """Of the pairs' S_ij |M|^2 over near points, and of |M|^2 over the others: (pairs + 1,)."""
    whole: Standardiser
    """Of |M|^2 over all points."""
    near: float

    @property
    def n_inputs(self) -> int:
        return 4 * self.momenta.n_final

    @property
    def n_outputs(self) -> int:
        return len(self.targets.mean)

    @classmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: FksOptions) -> Self:
        return cls(
            momenta=MomentumInputs.unfitted(process.n_final, options.orient),
            targets=Standardiser.unfitted(math.comb(process.n_final, 2) + 1),
            whole=Standardiser.unfitted(),
            near=options.near,
        )

    @classmethod
    def fit(
        cls, process: Process, arrays: Arrays, amplitude: Tensor, options: FksOptions, one_unit: bool = False
    ) -> Self:
        """Raises UsageError if a region has no points."""
        if process.n_jets != process.n_final:
            raise UsageError(f'fks-ensemble needs massless outgoing partons, not those of "{process}"')
        shares, smallest = partition(arrays["momenta"])
        near = smallest < options.near
        if not near.any() or near.all():
            raise UsageError(
                f"{setting('near')} {options.near:g}: {int(near.sum())} of {len(near)} training "
                "points have min s_ij / s below",
                f"Choose a value between {float(smallest.min()):.2g} and {float(smallest.max()):.2g}.",
            )
        pairs = Standardiser.of_amplitudes(shares[near] * amplitude[near, None])
        far = Standardiser.of_amplitudes(amplitude[~near])
        return replace(
            cls.unfitted(process, shapes_of(arrays), options),
            momenta=MomentumInputs.fit(arrays["momenta"], options.orient),
            targets=Standardiser(
                torch.cat([pairs.mean, far.mean[None]]), torch.cat([pairs.deviation, far.deviation[None]])
            ),
            whole=Standardiser.of_amplitudes(amplitude),
        )

    def inputs(self, arrays: Arrays) -> Tensor:
        return self.momenta.inputs(arrays["momenta"])

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        """Terms are the S_ij of near points and 1 in the last column of others: each network's share of |M|^2."""
        return Batch(self.inputs(arrays), self._shares(arrays).float(), self.whole.apply(amplitude).float())

    def _shares(self, arrays: Arrays) -> Tensor:
        shares, smallest = partition(arrays["momenta"])
        near = (smallest < self.near).to(shares)[:, None]
        return torch.cat([shares * near, 1.0 - near], dim=1)

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        amplitude = batch.target * self.whole.deviation.float() + self.whole.mean.float()
        goal = (batch.terms * amplitude[..., None] - self.targets.mean.float()) / self.targets.deviation.float()
        far = batch.terms[..., -1:]
        region = torch.cat([(1.0 - far).expand_as(batch.terms[..., :-1]), far], dim=-1)
        squares = region * (outputs - goal).square()
        error = (squares.sum(-2) / region.sum(-2).clamp_min(1.0)).sum(-1)
        return error, torch.zeros_like(error)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        parts = self.targets.undo(outputs.double())
        smallest = _invariants(arrays["momenta"]).amin(dim=1)
        return torch.where(smallest < self.near, parts[..., :-1].sum(-1), parts[..., -1])
