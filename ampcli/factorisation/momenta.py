"""Momenta and invariants of batches of events, in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from ampcli.kinematics import dot, fill_external, massless_product, pair_positions
from ampcli.process import Process


def external_momenta(final: Tensor) -> Tensor:
    """Beams along +-z in front of final-state momenta (n, n_final, 4) in GeV, from their sum: (n, n_final + 2, 4)."""
    external = final.new_zeros((len(final), final.shape[1] + 2, 4))
    fill_external(external, final)
    return external


def invariant_products(p: Tensor) -> Tensor:
    """p_i . p_j in GeV^2 of massless component-first momenta: (4, legs, n) -> (legs, legs, n), zero diagonal."""
    legs = p.shape[1]
    products = p.new_zeros((legs, legs, p.shape[2]))
    for i, j in pair_positions(legs):
        products[i, j] = products[j, i] = massless_product(p[:, i], p[:, j], torch.where)
    return products


def external_products(external: Tensor, process: Process) -> Tensor:
    """p_i . p_j in GeV^2 of all external legs: (n, legs, 4) -> (n, legs, legs)."""
    p = external.movedim((0, 1, 2), (2, 1, 0)).contiguous()
    products = invariant_products(p)
    for i, leg in enumerate(process.legs):
        if leg.mass > 0:  # the form for massless legs does not hold
            products[i] = products[:, i] = dot(p[:, i, None], p)
    return products.permute(2, 0, 1).contiguous()
