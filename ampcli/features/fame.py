"""The block ``fame``: recoil factors, dipoles with spin-correlation terms, azimuths (FAME, Secs. 2.3, 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from ampcli.factorisation.azimuth import spin_correlation, splitting_azimuth
from ampcli.factorisation.dipoles import final_final
from ampcli.factorisation.momenta import invariant_products
from ampcli.factorisation.permutations import relevant_permutations
from ampcli.process import Process


class FameBlock:
    """recoil (n, n_rel), dipoles (n, n_rel + 2 n_phi) = [dipoles | cos terms | sin terms], azimuth (n, n_phi)."""

    name = "fame"
    version = 1

    def __init__(self, process: Process, alpha_s: float = 0.118) -> None:
        self.permutations = relevant_permutations(process)
        self.options = {"alpha_s": alpha_s}

    @property
    def n_dipoles(self) -> int:
        return len(self.permutations.triples)

    @property
    def n_azimuths(self) -> int:
        return len(self.permutations.gluon_pairs)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "recoil": (self.n_dipoles,),
            "dipoles": (self.n_dipoles + 2 * self.n_azimuths,),
            "azimuth": (self.n_azimuths,),
        }

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        alpha_s = self.options["alpha_s"]
        p = momenta.movedim((0, 1, 2), (2, 1, 0)).contiguous()
        products = invariant_products(p)
        recoil = p.new_empty((self.n_dipoles, p.shape[2]))
        dipoles = p.new_empty((self.n_dipoles + 2 * self.n_azimuths, p.shape[2]))
        azimuth = p.new_empty((self.n_azimuths, p.shape[2]))
        for row, ((i, j, k), kind) in enumerate(zip(self.permutations.triples, self.permutations.kinds, strict=True)):
            dipoles[row], recoil[row] = final_final(kind, products[i, j], products[i, k], products[j, k], alpha_s)
        for row, (i, j) in enumerate(self.permutations.gluon_pairs):
            cosine, sine = splitting_azimuth(p[:, i], p[:, j])
            azimuth[row] = torch.atan2(sine, cosine)
            cos_row, sin_row = self.n_dipoles + row, self.n_dipoles + self.n_azimuths + row
            dipoles[cos_row], dipoles[sin_row] = spin_correlation(cosine, sine, products[i, j], alpha_s)
        return {
            "recoil": recoil.T.contiguous(),
            "dipoles": dipoles.T.contiguous(),
            "azimuth": azimuth.T.contiguous(),
        }
