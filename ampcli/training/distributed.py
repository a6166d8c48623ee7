"""Several processes that train together, by torch.distributed (docs/distributed.md).

A launcher (torchrun; srun with the same variables) starts them.  Gradients are added up by `ProcessGroup.sum`, not by
torch's DistributedDataParallel: that needs a graph of operations, which compiled gradients do not have, and its sums
may be added in any order.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from ampcli.errors import AmpcliError, NotFoundError, UsageError
from ampcli.training.peers import ALONE, Error, LostPeer, Peers, Result

_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_TO_JOIN = timedelta(minutes=15)
_POLL = 0.02  # seconds
_PATIENCE = timedelta(hours=6)  # with a process that is alive: it may compute exact amplitudes, or publish


@cache
def join() -> Peers:
    """The processes that a launcher started for this training; without a launcher, this one alone.

    They stay together until the process ends.

    Raises:
        UsageError: the launcher's variables are incomplete.
        LostPeer: the others are not there.
    """
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Peers(restarted) if restarted else ALONE
    if missing := [name for name in _VARIABLES if name not in os.environ]:
        raise UsageError(
            f"RANK is set, but not {', '.join(missing)}: a training of several processes needs {', '.join(_VARIABLES)}",
            "Start it with torchrun (docs/distributed.md), or unset RANK.",
        )
    backend = "gloo"
    if torch.cuda.is_available():
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(_local_device())
    with _collective():
        store, rank, size = next(rendezvous("env://", timeout=_TO_JOIN))
        store = _of_this_start(store, rank, size)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_TO_JOIN)
        atexit.register(dist.destroy_process_group)
        return ProcessGroup(restarted, dist.new_group(timeout=_PATIENCE))


def _of_this_start(store: Store, rank: int, size: int) -> Store:
    """A part of the launcher's store that all processes of this start, and none of an earlier one, agree on.

    torchrun keeps its store when it starts the processes again, and torch's own keys are the same every time: a process
    that is early finds the address of a dead one.  So each shows a number of its own; the first answers with all that
    it sees, until every other one has found its own number in the answer.

    Raises:
        RuntimeError: the others are not there in time.
    """
    own = uuid4().hex
    seen: dict[str, str] = {}
    deadline = time.monotonic() + _TO_JOIN.total_seconds()
    others = range(1, size)
    while time.monotonic() < deadline:
        if rank == 0:
            if all(_shown(store, f"ampcli/{other}/agreed") == own for other in others):
                return PrefixStore(own, store)
            found = {str(other): _shown(store, f"ampcli/{other}") for other in others}
            if found != seen:
                store.set("ampcli/0", json.dumps({"start": own, "seen": found}))
                seen = found
        else:
            store.set(f"ampcli/{rank}", own)
            answer = json.loads(_shown(store, "ampcli/0") or '{"seen": {}}')
            if answer["seen"].get(str(rank)) == own:
                store.set(f"ampcli/{rank}/agreed", answer["start"])
                return PrefixStore(answer["start"], store)
        time.sleep(_POLL)
    raise RuntimeError("the processes did not find each other")


def _shown(store: Store, key: str) -> str:
    """What stands under a key now; empty: nothing."""
    return str(store.get(key).decode()) if store.check([key]) else ""


def _local_device() -> int:
    return int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()


@contextmanager
def _collective() -> Iterator[None]:
    """Turn what the library says when a process has gone into one error."""
    try:
        yield
    except RuntimeError as error:
        raise LostPeer(
            "another process of this training has ended, or did not answer",
            "What it said, if anything, is above. Run the same command again to go on.",
        ) from error


class ProcessGroup(Peers):
    """Those of a group of torch.distributed."""

    def __init__(self, restarted: bool, group: Any) -> None:
        super().__init__(restarted)
        self._group = group
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._asked: Callable[[], bool] = lambda: False
        self._stopping = False

    def device(self, chosen: torch.device) -> torch.device:
        return torch.device("cuda", _local_device()) if chosen.type == "cuda" else chosen

    def gather(self, value: Result) -> list[Result]:
        found: list[Any] = [None] * self.size
        with self._others():
            dist.all_gather_object(found, value, group=self._group)
        return found

    def of_first(self, action: Callable[[], Result]) -> Result:
        result, error = _outcome(action) if self.first else (None, None)
        # what this process itself found stays as it is: the others get a copy
        sent = [(None if error is None else _portable(error, ""), result)]
        with self._others():
            dist.broadcast_object_list(sent, src=0, group=self._group)
        if error is not None:
            raise error
        if not self.first and sent[0][0] is not None:
            raise self.alike(sent[0][0])
        return result if self.first else sent[0][1]  # type: ignore[return-value]

    def together(self, action: Callable[[], Result]) -> Result:
        result, error = _outcome(action)
        where = f"process {self.rank + 1} of {self.size} (on {socket.gethostname()}): " if self.rank else ""
        errors = self.gather(None if error is None else _portable(error, where))
        found = next((each for each in errors if each is not None), None)
        if self.first and error is not None:
            raise error
        if found is not None:
            raise self.alike(found) from error
        return result  # type: ignore[return-value]

    def require_same(self, what: Mapping[str, Any]) -> None:
        ours, *others = self.gather(dict(what))
        for rank, theirs in enumerate(others, start=1):
            if differing := [f"{key} ({theirs[key]}, not {ours[key]})" for key in ours if theirs[key] != ours[key]]:
                raise self.alike(
                    UsageError(
                        f"process {rank + 1} of {self.size} has other settings than the first: {', '.join(differing)}",
                        "All processes of a training need the same command, store and kind of processor.",
                    )
                )

    def sum(self, values: Tensor) -> Tensor:
        count = values.numel()
        length = -(-(count + 1) // self.size) * self.size
        packed = values.new_zeros(length)
        packed[:count] = values.flatten()
        packed[count] = float(self._asked())
        with self._others():
            total = self._in_order(packed)
        self._stopping = self._stopping or bool(total[count] > 0)
        return total[:count].view(values.shape)

    def _in_order(self, values: Tensor) -> Tensor:
        """Of a vector that has a piece for each process."""
        if self.size == 2:  # a + b is b + a: no order to keep, and one message less
            dist.all_reduce(values, group=self._group)
            return values
        pieces = torch.empty_like(values)
        dist.all_to_all_single(pieces, values, group=self._group)  # all processes' versions of this one's piece
        first, *others = pieces.view(self.size, -1)
        total = first.clone()
        for other in others:
            total += other
        dist.all_gather(list(values.view(self.size, -1)), total, group=self._group)
        return values

    def exchange(self, rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
        """Send the first `sent[0]` rows (n, width) to the first process, and so on; what comes back, by rank."""
        incoming = rows.new_empty((sum(received), rows.shape[1]))
        with self._others():
            dist.all_to_all_single(incoming, rows, received, sent, group=self._group)
        return incoming

    def agreed(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        self._asked, self._stopping = stop, False
        return lambda: self._stopping

    def alike(self, error: Error) -> Error:
        error.said_elsewhere = not self.first
        return error

    @contextmanager
    def _others(self) -> Iterator[None]:
        try:
            with _collective():
                yield
        except LostPeer as lost:
            raise self.alike(lost)  # noqa: B904 (its cause is there already)


def _outcome(action: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    try:
        return action(), None
    except Exception as error:
        return None, error


def _portable(error: Exception, where: str) -> AmpcliError:
    """The error of a process as others raise it."""
    from ampcli.system_errors import explain

    if isinstance(error, AmpcliError):
        return type(error)(f"{where}{error.what}", error.hint)
    if isinstance(error, OSError):
        what, hint = explain(error)
        return (NotFoundError if isinstance(error, FileNotFoundError) else AmpcliError)(f"{where}{what}", hint)
    return AmpcliError(f"{where}{type(error).__name__}: {error}")
