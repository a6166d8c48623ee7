"""One representative of all events that symmetries of e+e- -> q q~ + gluons make equal.

Unpolarised |M|^2 at lowest order does not change when gluons are exchanged, when the event turns about the beams, when
it is reflected in a plane that holds the beams (colour-summed squares of tree amplitudes contain no Levi-Civita
tensor), and under CP: quark and antiquark exchanged with all three-momenta reversed, which leaves colliding beams of a
lepton and its antiparticle what they were.  (P and C alone do change it: the Z couples to chirality.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from ampcli.process import Process


def representative(final: Tensor, process: Process) -> Tensor:
    """The event of the same |M|^2 with E_q >= E_q~, gluons in falling order of energy, q at azimuth 0, q~ at py >= 0.

    Args:
        final: (n, n_final, 4) outgoing momenta in GeV, in the centre-of-mass frame with beams along z.
        process: a lepton pair to one quark-antiquark pair and gluons.
    """
    quark, antiquark = process.final_positions("quark")[0], process.final_positions("antiquark")[0]
    gluons = torch.tensor(process.final_positions("gluon"), device=final.device)
    flip = final[:, quark, 0] < final[:, antiquark, 0]
    places = torch.arange(final.shape[1], device=final.device)
    exchanged = places.clone()
    exchanged[quark], exchanged[antiquark] = antiquark, quark
    reversed_ = final[:, exchanged] * final.new_tensor([1.0, -1.0, -1.0, -1.0])
    chosen = torch.where(flip[:, None, None], reversed_, final)
    order = chosen[:, gluons, 0].argsort(dim=1, descending=True, stable=True)
    index = places.expand(len(final), -1).clone()
    index[:, gluons] = gluons[order]
    chosen = oriented(chosen.gather(1, index[..., None].expand_as(chosen)), leg=quark)
    mirror = torch.where(chosen[:, antiquark, 2] < 0, -1.0, 1.0)
    chosen[..., 2] *= mirror[:, None]
    return chosen


def oriented(momenta: Tensor, leg: int = 0) -> Tensor:
    """Turn each event about the z axis until one leg has py = 0 and px >= 0; (n, legs, 4) -> (n, legs, 4)."""
    x, y = momenta[:, leg, None, 1], momenta[:, leg, None, 2]
    transverse = torch.hypot(x, y).clamp_min(1e-300)
    cosine, sine = x / transverse, y / transverse
    turned = momenta.clone()
    turned[..., 1] = cosine * momenta[..., 1] + sine * momenta[..., 2]
    turned[..., 2] = cosine * momenta[..., 2] - sine * momenta[..., 1]
    return turned
