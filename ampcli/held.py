"""What a lock says of the process that holds it, where that is kept, and whether it may be taken over."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import pydantic

from ampcli.holders import Holder, lease
from ampcli.records.base import Frozen

_EMPTY = 2.0  # seconds between the creation of a lock and its content are more than enough


class Held(Frozen):
    """What a lock says of the process that holds it.

    Attributes:
        host: name of the computer.
        machine: its identity since the last start.
        pid: process there.
        start: when the process started, as the system tells it.
        token: of this holding alone.
    """

    host: str
    machine: str
    pid: int
    start: str
    since: str
    """When it was taken, by the clock of its host: for people."""
    lease: float = pydantic.Field(gt=0)
    """Seconds without a sign of life after which it may be taken over."""
    token: str

    @classmethod
    def by_this_process(cls) -> Held:
        process = Holder.this_process()
        return cls(
            host=socket.gethostname(),
            machine=process.machine,
            pid=process.pid,
            start=process.start,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            lease=lease(),
            token=uuid4().hex,
        )

    @property
    def lives(self) -> bool | None:
        """Whether its process does; None where nobody here can know."""
        return Holder(self.machine, self.pid, self.start).lives

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@dataclass(frozen=True)
class Seen:
    """What stood in a lock: its content, and something that changes with every sign of life."""

    content: bytes
    version: tuple[Any, ...]

    @property
    def held(self) -> Held | None:
        """Who holds it; None where it does not say."""
        try:
            return Held.model_validate_json(self.content)
        except ValueError:
            return None


class Cell(Protocol):
    """Where the content of a lock is kept."""

    def create(self, content: bytes) -> bool:
        """Be the one who creates it; False where it is there."""
        ...

    def look(self) -> Seen | None:
        """What is there, as the disk has it now and not as it was remembered."""
        ...

    def take_over(self, seen: Seen, content: bytes, watched: Watched) -> bool:
        """Be the one who replaces what was seen; False where it is not there any more."""
        ...

    def drop(self, content: bytes) -> bool:
        """Free it if it has this content; False where it has another."""
        ...

    def beat(self, content: bytes) -> bool:
        """Give a sign of life if it has this content; False where it has another."""
        ...


class Watched:
    """States of locks, and since when they have not changed."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[tuple[Any, ...], float]] = {}

    def unchanged(self, cell: object, version: tuple[Any, ...]) -> float:
        """For how many seconds a lock has been seen in this state and no other."""
        now = time.monotonic()
        before, since = self._since.get(str(cell), (None, now))
        if before != version:
            since = now
        self._since[str(cell)] = version, since
        return now - since

    def is_stale(self, cell: object, seen: Seen) -> bool:
        """Whether a lock may be taken over."""
        held = seen.held
        if held is not None and held.lives is not None:
            return not held.lives
        if held is None and not seen.content:  # as `FileCell` can leave it, and as older versions did
            return self.unchanged(cell, seen.version) > _EMPTY
        return self.unchanged(cell, seen.version) > (lease() if held is None else held.lease)
