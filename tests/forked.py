"""Commands as processes of their own, forked from a server that has imported what most of them import.

Such a process is what `python -m ampcli ...` is, from the entry point to the end of the interpreter, with a group,
signals and streams of its own; but it costs a tenth of a second, not three.  What a command imports by itself is for
a fresh interpreter to find out (`commands.Fresh`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import ampcli.cli

#: Imported by the server, for all.
PRELOADED = (
    *(f"ampcli.cli.{module.name}" for module in pkgutil.iter_modules(ampcli.cli.__path__)),
    "ampcli.amplitudes.native.provider",
    "ampcli.amplitudes.pyamplicol",
    "ampcli.evaluation.comparison",
    "ampcli.evaluation.report",
    "ampcli.events.lhe.write",
    "ampcli.features.antenna",
    "ampcli.features.compiled.engine",
    "ampcli.features.fame",
    "ampcli.features.momenta",
    "ampcli.features.multi_radiation",
    "ampcli.generation.generate",
    "ampcli.generation.lepton_points",
    "ampcli.generation.proton_points",
    "ampcli.inference.predict_events",
    "ampcli.models.antenna",
    "ampcli.models.factorised",
    "ampcli.models.fame",
    "ampcli.models.fks",
    "ampcli.models.plain",
    "ampcli.models.separate",
    "ampcli.models.single",
    "ampcli.publishing.calibrate",
    "ampcli.publishing.ensemble",
    "ampcli.registry.archive",
    "ampcli.store.features",
    "ampcli.training.adam",
    "ampcli.training.train",
    "numpy.ma",
    "tomli_w",
    "tqdm",
    "zarr",
)
_LARGEST = 1 << 17  # bytes of a request
_NUMBER = 8  # bytes of what is told of a command: its process id, then how it ended


class Forked:
    """A running command, alone in its process group.

    Args:
        words: what comes after ``python -m ampcli``.
        stdout, stderr: descriptors; they may be closed once it has started.
    """

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str], stdout: int, stderr: int) -> None:
        self._said, theirs = os.pipe()
        try:
            request = json.dumps({"words": words, "folder": str(folder), "environment": environment})
            socket.send_fds(_server(), [request.encode()], [stdout, stderr, theirs])
        finally:
            os.close(theirs)
        self._code: int | None = None
        self.pid = self._read()

    def _read(self) -> int:
        number = os.read(self._said, _NUMBER)
        assert number, "the server of forked commands has ended"
        return int.from_bytes(number, sys.byteorder)

    def poll(self) -> int | None:
        """Its exit code (of a signal, minus its number), or None while it runs."""
        return self.wait(0.0)

    def wait(self, seconds: float | None = None) -> int | None:
        """The same, after at most so many seconds (None: it is waited for)."""
        if self._code is None and select.select([self._said], [], [], seconds)[0]:
            self._code = os.waitstatus_to_exitcode(self._read())
            os.close(self._said)
        return self._code


_starting = threading.Lock()
_servers: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []


def _server() -> socket.socket:
    """The end of the server that takes requests; it is started first where there is none."""
    with _starting:
        if not _servers:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, __file__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C for the tests is not for it
                )
            _servers.append((ours, process))
    return _servers[0][0]


def _serve(requests: socket.socket) -> None:
    """Fork a keeper for every request, until nobody can send one; returns in the process of a command."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # what all share is not looked through by each
    while True:
        request, descriptors, *_ = socket.recv_fds(requests, _LARGEST, 3)
        with suppress(ChildProcessError):  # keepers that have ended
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not request:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            *streams, tell = descriptors
            if _is_command(streams, tell):
                _prepare(streams, **json.loads(request))
                return
        for descriptor in descriptors:
            os.close(descriptor)


def _is_command(streams: list[int], tell: int) -> bool:
    """In a keeper: fork the command, which tells its process id, and tell how it ended."""
    command = os.fork()
    if command == 0:
        os.setsid()
        _tell(tell, os.getpid())
        os.close(tell)
        return True
    for descriptor in streams:
        os.close(descriptor)
    _tell(tell, os.waitpid(command, 0)[1])
    os._exit(0)


def _tell(descriptor: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody wants to know
        os.write(descriptor, number.to_bytes(_NUMBER, sys.byteorder))


def _prepare(streams: list[int], words: list[str], folder: str, environment: dict[str, str]) -> None:
    """What a new process finds."""
    for number, descriptor in enumerate(streams, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["ampcli", *words]


if __name__ == "__main__":
    sys.path.pop(0)  # this folder
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("ampcli", run_name="__main__", alter_sys=True)
