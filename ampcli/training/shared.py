"""Tables and gradients of several processes that train together: each holds a share of the rows.

Steps are those of one process: each process gets its share of every batch, from whoever holds the rows, and the
gradient is the sum over the shares.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ampcli.models.ansatz import Batch
from ampcli.training.distributed import ProcessGroup
from ampcli.training.gradient import Gradient, Losses
from ampcli.training.peers import Peers
from ampcli.training.table import Table

_AHEAD = 1 << 16  # rows that are asked for at once, for coming steps: a message costs as much as thousands of rows


@dataclass
class SharedTable(Table):
    """The rows of this process, packed: (n, width), of which `rows` are views; `total` rows with those of all."""

    packed: Tensor = field(kw_only=True)
    total: int = field(kw_only=True)
    group: ProcessGroup = field(kw_only=True)

    def __len__(self) -> int:
        return self.total

    def steps(self, order: Tensor, size: int, first: int) -> Iterator[Batch]:
        replicas, steps = len(order), order.shape[1] // size
        share = self.group.share(size)
        at_once = max(1, _AHEAD // (replicas * (share.stop - share.start)))
        for start in range(first, steps, at_once):
            count = min(at_once, steps - start)
            wanted = order[:, start * size : (start + count) * size].view(replicas, count, size)
            window = self._fetched(wanted)
            for step in range(count):
                yield _batch(window[:, step], self.rows)

    def _fetched(self, wanted: Tensor) -> Tensor:
        """This process's share of batches of rows (R, steps, size): (R, steps, share, width)."""
        group = self.group
        held, shares = group.bounds(self.total), group.bounds(wanted.shape[2])
        mine = group.share(self.total)
        theirs = [wanted[..., a:b].flatten() for a, b in itertools.pairwise(shares)]
        sent = [rows[(rows >= mine.start) & (rows < mine.stop)] - mine.start for rows in theirs]
        ours = theirs[group.rank]
        holder = torch.bucketize(ours, torch.tensor(held[1:-1], device=ours.device), right=True)
        received = torch.bincount(holder, minlength=group.size).tolist()
        incoming = group.exchange(self.packed[torch.cat(sent)], [len(rows) for rows in sent], received)
        found = torch.empty_like(incoming)
        found[holder.argsort(stable=True)] = incoming  # by holder, and of each in the order of the batches
        return found.view(*wanted.shape[:2], -1, incoming.shape[1])


def shared_table(table: Table, total: int, peers: Peers) -> Table:
    """The table of all processes from the share of this one."""
    if not isinstance(peers, ProcessGroup):
        return table
    rows = table.rows
    pieces = [rows.inputs, rows.terms, rows.target[:, None]]
    pieces += [] if rows.noise is None else [rows.noise[:, None]]
    packed = torch.cat(pieces, dim=1)
    return SharedTable(_views(packed, rows), table.labelled, packed=packed, total=total, group=peers)


def _views(packed: Tensor, like: Batch) -> Batch:
    """What is packed in (..., width)."""
    inputs, terms = like.inputs.shape[-1], like.terms.shape[-1]
    noise = None if like.noise is None else packed[..., inputs + terms + 1]
    return Batch(packed[..., :inputs], packed[..., inputs : inputs + terms], packed[..., inputs + terms], noise)


def _batch(packed: Tensor, like: Batch) -> Batch:
    return _views(packed, like).changed(lambda tensor: tensor.contiguous())


class SharedGradient:
    """Losses and gradient of whole batches, of which each process computes its share."""

    def __init__(self, own: Gradient, size: int, group: ProcessGroup) -> None:
        """`size`: of a batch."""
        self._own, self._size, self._group = own, size, group

    def __call__(self, parameters: Tensor, batch: Batch, noise: torch.Generator | None, rows: int) -> Losses:
        found = self._own(parameters, batch, noise, rows)
        weight = batch.target.shape[1] / min(self._size, rows)
        packed = torch.cat([found.gradient.flatten(), found.error, found.penalty])
        total = self._group.sum(packed.mul_(weight))
        gradient, error, penalty = total.split_with_sizes([parameters.numel(), len(parameters), len(parameters)])
        return Losses(error, penalty, gradient.view(parameters.shape))


def shared_gradient(own: Gradient, size: int, peers: Peers) -> Gradient:
    """The gradient of all processes from the way to this one's."""
    return SharedGradient(own, size, peers) if isinstance(peers, ProcessGroup) else own
