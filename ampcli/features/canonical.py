"""Events in a form that shows neither the labels of identical particles nor the frame along the beams.

|M|^2 does not depend on either: with features that do, a prediction would depend on how an event was written down.  The
canonical event has identical particles in `canonical_order` and no longitudinal momentum; the compiled features make it
themselves (compiled/radiation.h).
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from ampcli.process import Process


def identical_outgoing(process: Process) -> list[list[int]]:
    """Positions among the outgoing legs of identical particles, where there is more than one of them."""
    by_kind = sorted(range(process.n_final), key=lambda place: process.outgoing[place].pdg)
    groups = (list(group) for _, group in groupby(by_kind, key=lambda place: process.outgoing[place].pdg))
    return [group for group in groups if len(group) > 1]


def canonical_order(final: Tensor, process: Process) -> Tensor:
    """Outgoing positions (n, n_final): identical particles by decreasing pT within their places, others as they are.

    Two outgoing particles have the same pT: there, the one that is more forward is first.

    Args:
        final: outgoing momenta (n, n_final, 4) in GeV.
    """
    key = -torch.hypot(final[..., 1], final[..., 2]) if process.n_final > 2 else final[..., 0] - final[..., 3]
    order = torch.arange(process.n_final, device=final.device).repeat(len(final), 1)
    for group in identical_outgoing(process):
        places = torch.tensor(group, device=final.device)
        order[:, places] = places[key[:, places].argsort(dim=1, stable=True)]
    return order
