"""Processes that hold something: who they are, whether they live, and the signs of life that they give.

`flock` would tell whether a holder lives, but on network disks it fails, or holds on one machine only.  So whoever
holds something writes down who it is.  On its own machine anybody can look whether it still runs; elsewhere it counts
as alive as long as something that it keeps changing does change.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ampcli.errors import UsageError

LEASE_VARIABLE = "AMPCLI_LEASE"
_LEASE = 30.0  # seconds
_BEATS = 6  # signs of life within a lease: some may be late, or lost


@dataclass(frozen=True)
class Holder:
    """A process.

    Attributes:
        machine: what no other machine, container or start of the system has in common with it.
        start: when the process started, as the system counts; empty where it does not say.
    """

    machine: str
    pid: int
    start: str

    @classmethod
    def this_process(cls) -> Holder:
        pid = os.getpid()
        return cls(_machine(), pid, (_started(pid) or ("", ""))[1])

    @property
    def lives(self) -> bool | None:
        """Whether it does; None where nobody here can know."""
        if self.machine != _machine():
            return None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:  # of another user, whose processes the system may hide
            pass
        found = _started(self.pid)
        if found is None or not self.start:  # the number may be that of another process by now
            return True if self.pid == os.getpid() else None
        state, start = found
        return start == self.start and state not in ("Z", "X")


def _started(pid: int) -> tuple[str, str] | None:
    """State of a process and the clock tick of its start (`man 5 proc_pid_stat`); None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return None


@functools.cache
def _machine() -> str:
    """Hosts may share a name, and containers a host: numbers of processes mean something within one of them only."""
    said = [socket.gethostname()]
    with suppress(OSError):
        said.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        said.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:8]


def lease() -> float:
    """Seconds without a sign of life after which a process of another machine counts as dead.

    Raises:
        UsageError: AMPCLI_LEASE is no such number.
    """
    text = os.environ.get(LEASE_VARIABLE) or str(_LEASE)
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise UsageError(f"{LEASE_VARIABLE}={text}: a number of seconds above 0 is needed")


@contextmanager
def beating(beat: Callable[[], bool]) -> Iterator[None]:
    """Call `beat` several times in each lease, until it is false or this ends."""
    ended, interval = threading.Event(), lease() / _BEATS

    def keep() -> None:
        while not ended.wait(interval) and beat():
            pass

    thread = threading.Thread(target=keep, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
    try:
        yield
    finally:
        ended.set()
        thread.join()
