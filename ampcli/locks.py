"""Locks between processes, as files that the system unlocks when a process ends."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from ampcli.errors import AmpcliError, LockedError, setting

log = logging.getLogger(__name__)

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked(file: Path, message: str, hint: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock at `file`.

    Args:
        message, hint: of the error when another process holds it for longer than `seconds` (-1: wait for ever).

    Raises:
        LockedError: another process holds it.
        AmpcliError: the disk has no locks.
    """
    lock = FileLock(file)
    try:
        _acquire(lock, seconds, message)
    except Timeout:
        raise LockedError(message, hint) from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            file.unlink(missing_ok=True)
            raise AmpcliError(
                f"the disk of {file.parent} has no file locks, without which processes would overwrite each other",
                f"Work on a local disk (the store, {setting('registry')}, AMPCLI_CACHE), or have "
                "this one mounted with locks.",
            ) from error
        raise
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, seconds: float, message: str) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if seconds == 0:
            raise
        log.warning("waiting: %s", message)
        lock.acquire(timeout=seconds)
