"""A shared library in a process of its own: it may crash, hang or end that process without harm to this one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import ampcli
from ampcli.errors import AmpcliError, UsageError
from ampcli.interrupt import blocked

_START_SECONDS = 600.0  # large libraries read tables first
_LOOK = 0.2  # seconds between two looks at whether to go on
_LONGEST_SHOWN = 300

Answer = tuple[float, float, int]
"""Value, accuracy (negative: not known), and a code that is 0 if all is well."""


class Ended(Exception):
    """The process is gone, or had to be killed; the text says what it did."""


class LibraryProcess:
    """The process; it starts when it is needed, and ends with this one, however that ends.

    Args:
        name: of the provider, for errors.
        asked: the first request (`ampcli.amplitudes.library_child`).
        seconds: without an answer after which it hangs.
    """

    def __init__(self, name: str, asked: dict[str, Any], seconds: float) -> None:
        self._name, self._asked, self._seconds = name, asked, seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._folder: Path | None = None

    def start(self) -> None:
        """Start it and load the library, unless it runs already.

        Raises:
            UsageError: the library refuses what it is asked for.
            AmpcliError: it cannot be loaded, or fails while it is.
        """
        if self._child is not None:
            return
        try:
            self._launch()
            told = json.loads(self._receive_line())
        except Ended as end:
            self.close()
            raise AmpcliError(f"{self._name}: when it was loaded, the library {end}") from None
        except BaseException:
            self.close()
            raise
        if told:
            said = self._said()
            self.close()
            kind = UsageError if told["usage"] else AmpcliError
            raise kind(f"{self._name}: {told['what']}{said}", told["hint"])

    def evaluate(self, momenta: bytes, count: int, on_pass: Callable[[], None]) -> Iterator[Answer]:
        """Answers for points, one after the other.

        Args:
            momenta: of all points, as the library wants them.
            on_pass: called now and then while the library is at work; may raise to stop.

        Raises:
            Ended: at the point after the last answer.
        """
        self.start()
        assert self._channel is not None
        finished = False
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # found out below
                self._channel.settimeout(self._seconds)
                self._channel.sendall(struct.pack("=q", count) + momenta)
            for _ in range(count):
                value, accuracy, code = struct.unpack("=3d", self._receive(24, self._seconds, on_pass))
                yield value, accuracy, int(code)
            finished = True
        except TimeoutError:
            raise Ended(self._hung()) from None
        finally:
            if not finished:
                self.close()

    def _launch(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ampcli-library-"))
        # not `-m` alone: it would look for modules in the user's folder first
        places = [str(Path(ampcli.__path__[0]).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        ours, theirs = socket.socketpair()
        with theirs, open(self._folder / "said", "ab") as said, blocked():
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "ampcli.amplitudes.library_child", str(self._folder)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
                stdin=theirs.fileno(),
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._channel = ours
        ours.sendall(json.dumps(self._asked).encode() + b"\n")

    def _receive_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += self._receive(1, _START_SECONDS)
        return line

    def _receive(self, size: int, seconds: float, on_pass: Callable[[], None] = lambda: None) -> bytes:
        assert self._channel is not None
        found, deadline = b"", time.monotonic() + seconds
        self._channel.settimeout(min(seconds, _LOOK))
        while len(found) < size:
            try:
                piece = self._channel.recv(size - len(found))
            except TimeoutError:
                on_pass()
                if time.monotonic() > deadline:
                    raise Ended(self._hung(seconds)) from None
                continue
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Ended(self._how_it_ended())
            found += piece
        return found

    def _hung(self, seconds: float | None = None) -> str:
        return f"did not answer within {self._seconds if seconds is None else seconds:g} s"

    def _how_it_ended(self) -> str:
        assert self._child is not None
        code = self._child.wait()
        if code >= 0:
            return f"ended its process (exit code {code}){self._said()}"
        names = {number.value: number.name for number in signal.Signals}
        return f"crashed ({names.get(-code, f'signal {-code}')}){self._said()}"

    def _said(self) -> str:
        """The last line that the library printed."""
        if self._folder is None:
            return ""
        with open(self._folder / "said", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f'; it said: "{last[:_LONGEST_SHOWN]}"' if last else ""

    def close(self) -> None:
        """End it; the next call starts it again."""
        child, self._child = self._child, None
        channel, self._channel = self._channel, None
        folder, self._folder = self._folder, None
        if channel is not None:
            channel.close()
        if child is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __del__(self) -> None:
        self.close()
