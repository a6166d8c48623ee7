"""Commands on a bench: forked from this process, which has imported what they need, with faults below them."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any

from faults.verdicts import Fault, Verdict

LIMIT = 90.0  # seconds until a command is taken to hang

_SHIM = Path(__file__).with_name("shim.c")


def with_shim(room: Path) -> None:
    """Start this program anew below the shim (shim.c), unless it is there; it is compiled first."""
    if hasattr(ctypes.CDLL(None), "fault_tell"):
        return
    library = room / "shim.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, _SHIM, "-ldl"], check=True)
    here = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]
    settings = {
        "LD_PRELOAD": str(library),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([*here, os.environ.get("PYTHONPATH", "")]),
    }
    os.execve(sys.executable, [sys.executable, "-m", "faults", *sys.argv[1:]], os.environ | settings)


def preload() -> None:
    """Import what commands need."""
    import torch
    from forked import PRELOADED
    from tqdm import tqdm

    for name in PRELOADED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own holds a semaphore, which no killed process could give back
    gc.freeze()


@dataclass(frozen=True)
class Below:
    """What goes wrong below a command (shim.c).

    Attributes:
        at: the call that writes and fails, from 1; 0: none.
        errno: how it fails; 0: the process is killed.
        on: all later ones fail as well.
        torn: half of the bytes of that write reach the disk.
        clock: seconds that the time of day is off, from the `jump`-th question for it on.
        haste: how many times as fast the monotonic clock runs.
        host: the name of the machine.
    """

    at: int = 0
    errno: int = 0
    on: bool = False
    torn: bool = False
    clock: float = 0.0
    jump: int = 0
    haste: float = 1.0
    host: str = ""

    def environment(self, folder: Path) -> dict[str, str]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        settings = {name: str(int(value) if isinstance(value, bool) else value) for name, value in values.items()}
        return {"FAULT_BELOW": str(folder), **{f"FAULT_{name.upper()}": value for name, value in settings.items()}}


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (a signal: minus its number) and streams."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)

    @property
    def line(self) -> str:
        return f"ampcli {' '.join(self.words)}: {self.code}: {self.err.strip()[:300]}"

    def judged(self) -> Ended:
        """Itself, if it ended by a clear error or by none.

        Raises:
            Fault: it crashed, or its message is not clear.
        """
        if "Traceback" in self.err or "internal error" in self.err or "Exception ignored" in self.err:
            raise Fault(Verdict.INTERNAL, self.line)
        if self.code < 0:
            raise Fault(Verdict.INTERNAL, f"killed by a signal: {self.line}")
        if self.code != 0 and self.err.count("ampcli: error: ") != 1:
            raise Fault(Verdict.INTERNAL, f"no clear error: {self.line}")
        return self


@dataclass
class Command:
    """A running command, alone in its process group."""

    words: tuple[str, ...]
    pid: int
    streams: tuple[IO[bytes], IO[bytes]]
    started: float = field(default_factory=time.monotonic)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self, limit: float = LIMIT) -> Ended:
        """Wait for its end.

        Raises:
            Fault: it hangs.
        """
        descriptor = os.pidfd_open(self.pid)
        try:
            if not select.select([descriptor], [], [], limit)[0]:
                self.kill()
                os.waitpid(self.pid, 0)
                raise Fault(Verdict.HANG, f"ampcli {' '.join(self.words)}: no end after {limit:g} s")
        finally:
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        seconds = time.monotonic() - self.started
        self.kill()  # workers that it left
        out, err = (_text(stream) for stream in self.streams)
        return Ended(self.words, code, out, err, seconds)


def start(
    words: tuple[object, ...],
    folder: Path,
    below: Below | None = None,
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[], object] = lambda: None,
) -> Command:
    """Run ``ampcli WORDS`` in a folder, whose files faults `below` it are about.

    Args:
        environment: more variables.
        prepare: called in the process of the command, before it.
    """
    texts = tuple(map(str, words))
    streams = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 (until it has ended)
    sys.stdout.flush()
    sys.stderr.flush()  # both are the child's as well
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.setsid()
            for number, stream in enumerate(streams, start=1):
                os.dup2(stream.fileno(), number)
            os.chdir(folder)
            prepare()
            code = _ampcli(texts, (below or Below()).environment(folder) | dict(environment or {}))
        finally:
            os._exit(code)
    return Command(texts, pid, streams)


def _ampcli(words: tuple[str, ...], environment: dict[str, str]) -> int:
    from ampcli.cli.main import main

    for name in [name for name in os.environ if name.startswith("AMPCLI_") and name != "AMPCLI_CACHE"]:
        del os.environ[name]
    os.environ.update(environment)
    sys.dont_write_bytecode = True
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["ampcli", *words]
    code: str | int | None = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    ctypes.CDLL(None).fault_tell()
    return int(code or 0)


def ampcli(
    *words: object, folder: Path, below: Below | None = None, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a command to its end, whatever it is."""
    return start(words, folder, below, environment).end()


def made(*words: object, folder: Path, below: Below | None = None) -> Ended:
    """Run a command that must succeed, outside of trials."""
    ended = ampcli(*words, folder=folder, below=below)
    if ended.code != 0:
        raise RuntimeError(ended.line)
    return ended


def calls(words: tuple[object, ...], folder: Path, below: Below | None = None) -> tuple[Ended, int, int]:
    """Run a command to its end; how many calls that write its process made, and how many of them need room."""
    count = folder.parent / "calls"
    count.unlink(missing_ok=True)
    ended = start(words, folder, below, {"FAULT_COUNT": str(count)}).end()
    if ended.code != 0:
        raise RuntimeError(ended.line)
    every, roomy = map(int, count.read_text().splitlines()[0].split())
    return ended, every, roomy


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    with stream:
        return stream.read().decode(errors="replace")
