"""Inputs of surrogates beyond the paper's: angles and logarithms, invariant under boosts along the beams."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ampcli.kinematics import pair_positions
from ampcli.process import Process

Inputs = Literal["paper", "extended"]

_TINY = 1e-300


def mirror_symmetric(process: Process) -> bool:
    """Whether |M|^2 stays the same when the two beams' momenta are exchanged.

    CP turns d(p_1) d~(p_2) into d~(-p_1) d(-p_2) and reflects the rest, so that with neutral outgoing particles the
    beams may be exchanged; two like beams may be in any case.
    """
    first, second = process.incoming
    if first.pdg == second.pdg:
        return True
    return first.pdg == -second.pdg and all(
        leg.kind not in ("quark", "antiquark", "lepton") for leg in process.outgoing
    )


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(_TINY)
    return unit


def cosines(external: Tensor, legs: Tensor) -> Tensor:
    """cos of the azimuth between all pairs of outgoing legs, in the given order (n, legs): (n, pairs)."""
    rows = torch.arange(len(external), device=external.device)[:, None]
    transverse = external[rows, legs][..., 1:3]
    unit = _unit(transverse)
    first, second = (
        torch.tensor(side, device=legs.device) for side in zip(*pair_positions(legs.shape[1]), strict=True)
    )
    found: Tensor = (unit[:, first] * unit[:, second]).sum(dim=2)
    return found


def splitting_azimuths(external: Tensor, legs: Tensor, beam: Tensor) -> Tensor:
    """cos phi and cos 2 phi of the plane of emitter and emitted gluon against beam and spectator, (n, 4).

    Args:
        external: momenta (n, legs, 4); legs: emitter, emitted gluon, spectator (n, 3 or more); beam: (n,).

    In the rest frame of the event, around the direction of the pair.
    """
    rows = torch.arange(len(external), device=external.device)[:, None]
    total = external[:, :2].sum(dim=1)
    beta = total[:, 3] / total[:, 0]
    gamma = (1.0 - beta.square()).rsqrt()
    chosen = external[rows, torch.cat([legs[:, :3], beam[:, None]], dim=1)]
    energy, pz = chosen[..., 0], chosen[..., 3]
    at_rest = gamma[:, None] * (pz - beta[:, None] * energy)
    p = torch.stack([chosen[..., 1], chosen[..., 2], at_rest], dim=2)
    direction = _unit(p)
    axis = _unit(p[:, 0] + p[:, 1])

    def across(vector: Tensor) -> Tensor:
        return _unit(vector - (vector * axis).sum(dim=1, keepdim=True) * axis)

    plane = across(direction[:, 0] - direction[:, 1])
    found = [(plane * across(direction[:, reference])).sum(dim=1) for reference in (3, 2)]
    return torch.stack([*found, *(2.0 * cosine.square() - 1.0 for cosine in found)], dim=1)


def log_variables(variables: Tensor, initial: bool) -> Tensor:
    """ln y and ln(z (1 - z)), or ln(1 - x) and ln u, of every step: (n, 2 steps)."""
    first, second = variables[:, 0::2], variables[:, 1::2]
    if initial:
        return torch.cat([(1.0 - first).clamp_min(1e-12).log(), second.clamp_min(1e-12).log()], dim=1)
    return torch.cat([first.clamp_min(1e-30).log(), (second * (1.0 - second)).clamp_min(1e-30).log()], dim=1)
