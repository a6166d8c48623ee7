"""Locks between processes: small files that say who holds them, and are gone when nobody does.

A lock is taken by creating its file with all it says in one step (a hard link to a file that is complete), which also
the servers of network disks do for one process only.  It names the process that holds it, which touches it several
times in each lease.

A lock whose process is dead, on this machine, is taken over at once.  Of a process on another machine nobody here
knows; its lock is watched, and taken over once it has not changed for a whole lease.  What is compared are states that
were seen, and the time in between by the clock of this machine that never jumps (`time.monotonic`): no clock of
another machine, and no date, is believed.

**Only one takes a lock over.**  Several may find that the lock with content C (which is unique) is stale.  Each first
takes the lock CLAIM(C), an ordinary lock whose name has the hash of C, and only then looks again: if the lock still
says C, it renames a file with its own content onto it.  A lock that says C is changed by its owner, who is dead, and
under CLAIM(C); so of all who found C stale, the first finds C and replaces it, and the others find something else and
leave it alone.  A claim whose owner died is a stale lock, and is taken over like any other.

What a lease cannot give: a process that was frozen for longer (and whose machine is another) goes on as if it held the
lock.  So what is written under locks is either the same whoever writes it (parts, features, statistics), or is renamed
into a place that must be free (versions of models).
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ampcli.errors import LockedError
from ampcli.files import new_file
from ampcli.held import Cell, Held, Seen, Watched
from ampcli.holders import beating, lease
from ampcli.object_locks import ObjectCell
from ampcli.objects import ObjectPath

log = logging.getLogger(__name__)

_POLL = 0.05, 1.0  # seconds between two looks at a lock, first and later
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@dataclass(frozen=True)
class FileCell:
    """A file of a disk."""

    file: Path

    def __str__(self) -> str:
        return str(self.file)

    def create(self, content: bytes) -> bool:
        with new_file(self.file) as draft:
            draft.write_bytes(content)
            try:
                os.link(draft, self.file)
            except FileExistsError:  # or it is ours, and the server's first answer was lost
                return draft.stat().st_nlink == 2
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._create_empty(content)
        return True

    def _create_empty(self, content: bytes) -> bool:
        """On disks without hard links: killed in between, it leaves a lock that does not say whose it is."""
        try:
            descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            return False
        with open(descriptor, "wb") as opened:
            opened.write(content)
        return True

    def look(self) -> Seen | None:
        try:  # opening makes a network disk ask its server
            descriptor = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):
                raise
            return Seen(b"", ())
        with open(descriptor, "rb", buffering=0) as opened:
            status = os.fstat(descriptor)
            content = opened.read() if stat.S_ISREG(status.st_mode) else b""
        return Seen(content, (content, status.st_ino, status.st_mtime_ns))

    def take_over(self, seen: Seen, content: bytes, watched: Watched) -> bool:
        claim = FileCell(self._claim(seen))
        token = Held.by_this_process().model_dump_json().encode()
        if _try(claim, token, watched) is not None:
            return False
        try:
            now = self.look()
            if now is None or now.content != seen.content:
                return False
            with new_file(self.file) as draft:
                draft.write_bytes(content)
                draft.replace(self.file)
            self._remove_claims(claim)
            return True
        finally:
            claim.drop(token)

    def _claim(self, seen: Seen) -> Path:
        return self.file.with_name(f".{self.file.name}-{hashlib.sha256(seen.content).hexdigest()[:16]}.claim")

    def _remove_claims(self, but: FileCell) -> None:
        """Remove claims of processes that died after they had taken the lock over, which nobody will make again."""
        pattern = re.compile(re.escape(f".{self.file.name}-") + r"[0-9a-f]{16}\.claim")
        for name in filter(pattern.fullmatch, os.listdir(self.file.parent)):
            other = FileCell(self.file.with_name(name))
            seen = None if other == but else other.look()
            if seen is not None and seen.held is not None and seen.held.lives is False:
                other.file.unlink(missing_ok=True)

    def drop(self, content: bytes) -> bool:
        seen = self.look()
        if seen is None or seen.content != content:
            return False
        self.file.unlink(missing_ok=True)
        return True

    def beat(self, content: bytes) -> bool:
        try:
            descriptor = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:  # a disk that does not answer may do so later
            return True
        with open(descriptor, "rb", buffering=0) as opened, suppress(OSError):
            if opened.read() != content:
                return False
            os.utime(descriptor)  # to the time of the server
        return True


@contextmanager
def locked(file: Path, message: str, hint: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock at `file`.

    A lock that a process of another machine holds is watched first until it gives a sign of life, or has given none for
    a lease.

    Args:
        message, hint: of the error when another process holds it for longer than `seconds` (-1: wait for ever).

    Raises:
        LockedError: another process holds it.
    """
    cell = _cell(file)
    if not isinstance(file, ObjectPath):
        file.parent.mkdir(parents=True, exist_ok=True)
    ours, got = Held.by_this_process().model_dump_json().encode(), False
    try:
        _acquire(cell, ours, message, hint, seconds)
        got = True
        with beating(lambda: cell.beat(ours)):
            yield
    finally:
        try:
            if not cell.drop(ours) and got and (other := cell.look()) is not None:
                log.warning("%s was taken over by %s: this process gave no sign of life", cell, other.held)
        except OSError as error:  # it is stale once this process has ended
            log.warning("the lock %s cannot be removed: %s", cell, error.strerror)


def _cell(file: Path) -> Cell:
    return ObjectCell(file) if isinstance(file, ObjectPath) else FileCell(file)


def _acquire(cell: Cell, ours: bytes, message: str, hint: str, seconds: float) -> None:
    watched, began, pause = Watched(), time.monotonic(), _POLL[0]
    first: tuple[object, ...] | None = None
    while (seen := _try(cell, ours, watched)) is not None:
        held = seen.held
        here = held is not None and held.lives
        if first is None:
            first = seen.version
            log.log(logging.WARNING if seconds != 0 else logging.INFO, "waiting: %s (%s)", message, held or cell)
        if 0 <= seconds <= time.monotonic() - began and (here or seen.version != first):
            silence = lease() if held is None else held.lease
            raise LockedError(
                f"{message} ({held or 'who does not say its name'})",
                f"{hint} Without a sign of life its lock is taken over after {silence:g} s; "
                f"if there is no such process for sure, you may remove {cell}.",
            )
        time.sleep(pause)
        pause = min(2 * pause, _POLL[1])


def _try(cell: Cell, ours: bytes, watched: Watched) -> Seen | None:
    """Take a lock that is free or stale; else who holds it."""
    while True:
        if cell.create(ours):
            return None
        seen = cell.look()
        if seen is None:  # freed in between
            continue
        if not watched.is_stale(cell, seen):
            return seen
        return None if cell.take_over(seen, ours, watched) else seen


def holders_of(files: Iterable[Path]) -> dict[Path, tuple[Held | None, bool]]:
    """Who holds locks (None: it does not say), and whether that process lives.

    Of another machine it counts as dead when it gives no sign of life for a third of its lease, as long as it is
    watched here.
    """
    found: dict[Path, tuple[Held | None, bool]] = {}
    first: dict[Path, Seen] = {}
    for file in files:
        if (seen := _cell(file).look()) is not None:
            lives = None if seen.held is None else seen.held.lives
            found[file] = seen.held, bool(lives)
            if lives is None:
                first[file] = seen
    began = time.monotonic()
    while waiting := {file: seen for file, seen in first.items() if time.monotonic() - began < _patience(seen)}:
        time.sleep(_POLL[0])
        for file, seen in waiting.items():
            now = _cell(file).look()
            if now is None:
                del first[file], found[file]
            elif now.version != seen.version:
                del first[file]
                found[file] = now.held, True
    return found


def _patience(seen: Seen) -> float:
    """Seconds in which a lock gives two signs of life."""
    return (lease() if seen.held is None else seen.held.lease) / 3
