"""The block ``fame`` of processes with incoming partons: dipoles of all four configurations (docs/physics.md)."""

from __future__ import annotations

import torch
from torch import Tensor

from ampcli.factorisation.azimuth import spin_correlation, splitting_azimuth
from ampcli.factorisation.dipoles import DIPOLES
from ampcli.factorisation.hadron_dipoles import hadron_dipoles
from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.kinematics import longitudinal_rest, pair_positions
from ampcli.process import Process


def partonic_rest_frame(final: Tensor, masses: tuple[float, ...]) -> Tensor:
    """Outgoing momenta (n, n_final, 4) in GeV, boosted along the beams to total p_z = 0."""
    _, pz = longitudinal_rest(final)
    transverse = final[..., 1:3]
    energy = (transverse.square().sum(dim=2) + pz.square() + final.new_tensor(masses).square()).sqrt()
    return torch.cat([energy[..., None], transverse, pz[..., None]], dim=2)


class HadronFameBlock:
    """recoil (n, n_dip + pairs): y, 1 - x, u or v of each dipole, then p_l.p_m [GeV^2] of all external legs;
    dipoles (n, n_dip + 2 n_phi) = [dipoles | cos terms | sin terms] in GeV^-2; azimuth (n, n_phi) of the gluon pairs in
    the partonic rest frame; rest_momenta (n, n_final, 4): outgoing, in that frame.

    All are invariant under boosts along the beams, and under rotations about them but for rest_momenta, which turn.
    """

    name = "fame"
    version = 2  # incoming partons had final-state dipoles only in version 1

    def __init__(self, process: Process, alpha_s: float = 0.118) -> None:
        self.process = process
        self.groups = hadron_dipoles(process)
        gluons = process.final_positions("gluon")
        self.gluon_pairs = [(i, j) for i in gluons for j in gluons if i < j]
        self.options = {"alpha_s": alpha_s}

    @property
    def n_dipoles(self) -> int:
        return sum(len(group.triples) for group in self.groups)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        legs, angles = self.process.n_external, len(self.gluon_pairs)
        return {
            "recoil": (self.n_dipoles + legs * (legs - 1) // 2,),
            "dipoles": (self.n_dipoles + 2 * angles,),
            "azimuth": (angles,),
            "rest_momenta": (self.process.n_final, 4),
        }

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        alpha_s = self.options["alpha_s"]
        found = external_products(external_momenta(momenta), self.process)
        recoil, dipoles = [], []
        for group in self.groups:
            i, j, k = torch.tensor(group.triples, device=momenta.device).unbind(dim=1)
            evaluate = DIPOLES[group.configuration]
            values, factors = evaluate(group.splitting, found[:, i, j], found[:, i, k], found[:, j, k], alpha_s)
            dipoles.append(values)
            recoil.append(factors)
        first, second = torch.tensor(pair_positions(self.process.n_external), device=momenta.device).unbind(dim=1)
        rest = partonic_rest_frame(momenta, self.process.final_masses)
        azimuth, cosines, sines = self._azimuths(rest, found)
        return {
            "recoil": torch.cat([*recoil, found[:, first, second]], dim=1),
            "dipoles": torch.cat([*dipoles, cosines, sines], dim=1),
            "azimuth": azimuth,
            "rest_momenta": rest,
        }

    def _azimuths(self, rest: Tensor, found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """phi_ij, and the cos and sin terms, of the gluon pairs: (n, n_phi) each."""
        p = rest.permute(1, 2, 0)
        columns = []
        for i, j in self.gluon_pairs:
            cosine, sine = splitting_azimuth(p[i], p[j])
            terms = spin_correlation(cosine, sine, found[:, i + 2, j + 2], self.options["alpha_s"])
            columns.append(torch.stack([torch.atan2(sine, cosine), *terms], dim=1))
        if not columns:
            nothing = rest.new_empty((len(rest), 0))
            return nothing, nothing, nothing
        azimuth, cosines, sines = torch.stack(columns, dim=2).unbind(dim=1)
        return azimuth.contiguous(), cosines, sines
