"""Events in a form that shows neither the labels of identical particles nor the frame along the beams.

|M|^2 does not depend on either: with features that do, a prediction would depend on how an event was written down.
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from ampcli.kinematics import longitudinal_rest
from ampcli.process import Process


def canonical_order(final: Tensor, process: Process) -> Tensor:
    """Outgoing positions (n, n_final): identical particles by decreasing pT within their places, others as they are.

    Two outgoing particles have the same pT: there, the one that is more forward is first.

    Args:
        final: outgoing momenta (n, n_final, 4) in GeV.
    """
    key = -torch.hypot(final[..., 1], final[..., 2]) if process.n_final > 2 else final[..., 0] - final[..., 3]
    order = torch.arange(process.n_final, device=final.device).repeat(len(final), 1)
    by_kind = sorted(range(process.n_final), key=lambda place: process.outgoing[place].pdg)
    for _, group in groupby(by_kind, key=lambda place: process.outgoing[place].pdg):
        places = torch.tensor(list(group), device=final.device)
        order[:, places] = places[key[:, places].argsort(dim=1, stable=True)]
    return order


def canonical_events(final: Tensor, process: Process) -> tuple[Tensor, Tensor]:
    """Events (n, n_final, 4) in `canonical_order`, boosted along the beams to where they have no longitudinal momentum.

    Returns:
        The events, and the position (n, n_final) that each particle had before.

    Raises:
        ValueError: momenta of another shape.
    """
    if final.shape[1:] != (process.n_final, 4):
        raise ValueError("momenta of another process")
    order = canonical_order(final, process)
    found = final.gather(1, order[:, :, None].expand(-1, -1, 4))
    found[..., 0], found[..., 3] = longitudinal_rest(found)
    return found, order


def canonical_pair(pair: Tensor, initial: bool, mirror: bool) -> Tensor:
    """Momenta of emitter and emitted gluon (n, 2, 4), turned about the beams and reflected into one orientation.

    The transverse momentum of the emitter, or of the gluon where a beam emits, points along x; of an outgoing pair,
    the gluon has p_y >= 0.

    Args:
        mirror: the beams may be exchanged: the emitting beam moves along +z, or the outgoing pair as a whole does.

    Returns:
        E, p_x, p_z of the emitter, whose p_y is 0, and E, p_x, p_y, p_z of the gluon: (n, 7).
    """
    emitter, gluon = pair.unbind(dim=1)
    axis = (gluon if initial else emitter)[:, 1:3]
    axis = axis / torch.linalg.vector_norm(axis, dim=1, keepdim=True).clamp_min(1e-300)
    along = (pair[..., 1:3] * axis[:, None]).sum(dim=2)
    across = (gluon[:, 2] * axis[:, 0] - gluon[:, 1] * axis[:, 1]).abs()
    pz = pair[..., 3]
    if mirror:
        direction = pz[:, 0] if initial else pz.sum(dim=1)
        pz = torch.where((direction < 0)[:, None], -pz, pz)
    return torch.stack([emitter[:, 0], along[:, 0], pz[:, 0], gluon[:, 0], along[:, 1], across, pz[:, 1]], dim=1)
