"""Locks in object stores."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ampcli.errors import AmpcliError
from ampcli.held import Seen, Watched
from ampcli.objects import ObjectPath

_BEAT = b"\n"


@dataclass(frozen=True)
class ObjectCell:
    """An object, which the server replaces for one process only where they ask it on the same condition."""

    path: ObjectPath

    def __str__(self) -> str:
        return str(self.path)

    def create(self, content: bytes) -> bool:
        return self.path.create(content)

    def look(self) -> Seen | None:
        try:
            content, tag, when = self.path.read_version()
        except FileNotFoundError:
            return None
        return Seen(content.rstrip(_BEAT), (tag, when))

    def take_over(self, seen: Seen, content: bytes, watched: Watched) -> bool:
        return self.path.replace_version(seen.version[0], content)

    def drop(self, content: bytes) -> bool:
        seen = self.look()
        if seen is None or seen.content != content:
            return False
        self.path.unlink()
        return True

    def beat(self, content: bytes) -> bool:
        """Another number of line ends gives the object another tag."""
        try:
            found, tag, _ = self.path.read_version()
        except FileNotFoundError:
            return False
        except AmpcliError:  # a server that does not answer may do so later
            return True
        if found.rstrip(_BEAT) != content:
            return False
        with suppress(AmpcliError):
            self.path.replace_version(tag, content + _BEAT * ((len(found) - len(content)) % 100 + 1))
        return True
