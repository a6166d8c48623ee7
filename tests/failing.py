"""Commands that die, or fail, at their k-th call that writes: what an interruption or a full disk leaves behind.

How to use it (the campaign of tests/faults does the same by real calls of the system, and more)::

    for at in itertools.count(1):
        restore_the_input()
        ended = run_failing(["train", store, ...], folder, at)
        if ended.code != KILLED:  # it has fewer calls that write than `at`: all have been tried
            break
        ...  # what is there now; then the same command again, which must end with 0

or shorter, `for ended in killed_everywhere(argv, folder, restore)`.  Every command runs in a process forked from a
server that has imported ampcli already, so that one costs a tenth of a second, not three.  With `error` (an errno)
the call raises that OSError instead: `errno.ENOSPC` is a full disk.

Counted are the calls on paths in `folder`: open to write, rename, link, unlink, mkdir, rmdir, truncate, fsync.  What is
written between two of them is lost or not, as it is with a real kill; no test may rely on either.
"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import PRELOADED

KILLED = 137

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_LIMIT = 120.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (KILLED: at the chosen call; None: it hung) and all that it said."""

    at: int | None
    code: int | None
    said: str


def run_failing(
    argv: Sequence[object], folder: Path, at: int | None = None, error: int | None = None, limit: float = _LIMIT
) -> Ended:
    """Run `ampcli ARGV` in `folder`, until its `at`-th call that writes below `folder` (None: to its end)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_command, args=([*map(str, argv)], str(folder), at, error, sender))
    process.start()
    sender.close()
    process.join(limit)
    hung = process.is_alive()
    if hung:
        process.kill()
        process.join()
    said = ""
    while not hung and receiver.poll():
        try:
            said += receiver.recv()
        except EOFError:
            break
    return Ended(at, None if hung else process.exitcode, said)


def killed_everywhere(
    argv: Sequence[object], folder: Path, restore: Callable[[], None] = lambda: None, start: int = 1
) -> Iterator[Ended]:
    """Run the command again and again, `restore` before each, killed at the first, second, ... call that writes."""
    for at in itertools.count(start):
        restore()
        ended = run_failing(argv, folder, at)
        if ended.code != KILLED:
            assert ended.code == 0, ended
            return
        yield ended


def killed_calls(function: Callable[..., object], arguments: Sequence[object], folder: Path) -> Iterator[int]:
    """Call a function of a module in a process that is killed at its first, second, ... call that writes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    for at in itertools.count(1):
        process = context.Process(target=_call, args=(function, [*arguments], str(folder), at))
        process.start()
        process.join(_LIMIT)
        if process.exitcode != KILLED:
            assert process.exitcode == 0
            return
        yield at


def _call(function: Callable[..., object], arguments: list[object], folder: str, at: int) -> None:
    """In the forked process."""
    _inject(os.path.realpath(folder), at, None)
    function(*arguments)


def _command(argv: list[str], folder: str, at: int | None, error: int | None, sender: Any) -> None:
    """In the forked process."""
    import threading

    import torch
    from tqdm import tqdm

    from ampcli.cli.main import run

    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own holds a semaphore, which no killed process could give back
    os.chdir(folder)
    sys.dont_write_bytecode = True
    said = io.StringIO()
    sys.stdout = sys.stderr = said
    _inject(os.path.realpath(folder), at, error)
    code = run(argv)
    sender.send(said.getvalue())
    os._exit(code)


def _inject(folder: str, at: int | None, error: int | None) -> None:
    calls = 0

    def count(path: object) -> None:
        nonlocal calls
        if isinstance(path, str | bytes | os.PathLike):
            path = os.fsdecode(path)
            # a relative path is one below a folder that is being removed, by its descriptor, or below the current one
            if os.path.isabs(path) and not os.path.realpath(os.path.dirname(path)).startswith(folder):
                return
        calls += 1
        if calls == at:
            if error is not None:
                raise OSError(error, os.strerror(error), path if isinstance(path, str) else None)
            os._exit(KILLED)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _TO_WRITE:
            if not isinstance(arguments[0], int):
                count(arguments[0])
        elif event in _CHANGES:
            count(arguments[0])

    def fsync(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
        count(descriptor)
        real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]
    sys.addaudithook(audit)
