"""Commands in tests: in this process, as a process of its own, or in the background.

In this process a command costs what it does.  Processes are for what belongs to one: signals, disks, what is closed or
full behind its streams.  They are forked (`forked`); a fresh interpreter takes three seconds to import what a command
needs, and is for what depends on that.
"""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import documents
import torch
from forked import Forked

from ampcli import interrupt
from ampcli.cli import command, main

_LIMIT = 120.0  # seconds after which a command or a condition is taken to hang


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout (anything else beside it fails to parse)."""
        return json.loads(self.stdout)


class Running:
    """A command that has not ended yet, alone in its process group."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        # stderr is a terminal, so that progress bars are drawn: they tell how far the command is
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 200))  # too narrow a bar would leave out its numbers
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 (until `close`)
        self._process = Forked(words, folder, environment, self._stdout.fileno(), slave)
        os.close(slave)
        self._said = bytearray()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def stderr(self) -> str:
        """What it has said so far (of a line that a bar rewrote, the last state)."""
        with suppress(OSError):  # EIO: the other end is closed
            while select.select([self._master], [], [], 0)[0] and (piece := os.read(self._master, 65536)):
                self._said += piece
        text = self._said.decode(errors="replace").replace("\r\n", "\n")
        return re.sub(r"[^\n]*\r(?=[^\n])", "", text)

    @property
    def progress(self) -> float:
        """What the last bar has counted, in units of 1."""
        counts = re.findall(r"([\d.]+)([kM]?)/[\d.]+[kM]? \[", self.stderr)
        return float(counts[-1][0]) * {"": 1.0, "k": 1e3, "M": 1e6}[counts[-1][1]] if counts else 0.0

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that must come true while the command runs."""
        deadline = time.monotonic() + _LIMIT
        while not condition():
            assert self._process.poll() is None, f"ended too early, exit code {self._process.poll()}: {self.stderr}"
            assert time.monotonic() < deadline, f"waited too long: {self.stderr}"
            time.sleep(0.002)

    def signal(self, number: signal.Signals, group: bool = False) -> None:
        if group:
            os.killpg(self.pid, number)
        else:
            os.kill(self.pid, number)

    def end(self, limit: float = _LIMIT) -> Outcome:
        """Wait until every process of its group is gone."""
        deadline = time.monotonic() + limit
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"did not end within {limit:g} s: {self.stderr}"
            _ = self.stderr  # a full terminal would block the command
            time.sleep(0.005)
        while self._group_lives():
            assert time.monotonic() < deadline, "processes are left behind"
            time.sleep(0.01)
        _no_traceback(self.stderr)
        code = self._process.poll()
        assert code is not None
        return Outcome(code, _text(self._stdout), self.stderr)

    def close(self) -> None:
        """Kill what is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._stdout.close()
        os.close(self._master)

    def _group_lives(self) -> bool:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, 0)
            return True
        return False


class Ampcli:
    """Runs the command line ``ampcli ...`` in a folder, within this process."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    @property
    def process(self) -> Process:
        """The same, each command as a process of its own."""
        return Process(self.folder, self.environment)

    @property
    def fresh(self) -> Fresh:
        """The same, each command in an interpreter of its own."""
        return Fresh(self.folder, self.environment)

    def run(self, *arguments: object, variables: dict[str, str] | None = None, cwd: Path | None = None) -> Outcome:
        """Run to the end, whatever its exit code."""
        outcome = self._run([*map(str, arguments)], self.environment | (variables or {}), cwd or self.folder)
        _no_traceback(outcome.stderr)
        if "--json" in arguments and outcome.stdout:
            documents.check([*map(str, arguments)], outcome.stdout)
        return outcome

    def __call__(self, *arguments: object, **where: Any) -> Outcome:
        """Run a command that must succeed."""
        outcome = self.run(*arguments, **where)
        assert outcome.code == 0, outcome.stderr
        return outcome

    def fails(self, code: int, *arguments: object, naming: str | tuple[str, ...], **where: Any) -> Outcome:
        """Run a command that must fail with this exit code and one message that contains `naming`."""
        outcome = self.run(*arguments, **where)
        assert outcome.code == code, (outcome.code, outcome.stderr)
        _one_message(outcome.stderr)
        for words in (naming,) if isinstance(naming, str) else naming:
            assert words in outcome.stderr
        return outcome

    @contextmanager
    def started(self, *arguments: object) -> Iterator[Running]:
        """A command in the background; killed at the end if it still runs."""
        running = Running([*map(str, arguments)], self.folder, self.environment)
        try:
            yield running
        finally:
            running.close()

    def _run(self, arguments: list[str], environment: dict[str, str], folder: Path) -> Outcome:
        with _fresh(environment, folder), _streams() as read:
            code = main.run(arguments)
            sys.stdout.flush()
            return Outcome(code, *read())


class Process(Ampcli):
    """Runs ``python -m ampcli ...`` in a folder, in a process that is forked."""

    def _run(self, arguments: list[str], environment: dict[str, str], folder: Path) -> Outcome:
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            running = Forked(arguments, folder, environment, stdout.fileno(), stderr.fileno())
            code = running.wait(_LIMIT)
            if code is None:
                os.killpg(running.pid, signal.SIGKILL)
            assert code is not None, f"did not end within {_LIMIT:g} s: {arguments}"
            return Outcome(code, _text(stdout), _text(stderr))


class Fresh(Ampcli):
    """Runs ``python -m ampcli ...`` in a folder."""

    def _run(self, arguments: list[str], environment: dict[str, str], folder: Path) -> Outcome:
        words = [sys.executable, "-m", "ampcli", *arguments]
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def _fresh(environment: dict[str, str], folder: Path) -> Iterator[None]:
    """What a command finds when its process starts; afterwards all is as it was.

    Signals and warnings are not here: `main.run` gives handlers back, and pytest makes each warning an error.
    """
    command._parameters.clear()
    interrupt.forget()
    loggers = [logging.getLogger(name) for name in (None, "asyncio")]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers
    variables, here, words, threads = dict(os.environ), Path.cwd(), sys.argv, torch.get_num_threads()
    try:
        for logger, level in zip(loggers, (logging.WARNING, logging.NOTSET), strict=True):
            logger.setLevel(level)
        loggers[0].handlers = []  # pytest's are there, and `basicConfig` would leave it at them
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        yield
    finally:
        torch.set_num_threads(threads)
        sys.argv = words
        os.chdir(here)
        os.environ.clear()
        os.environ.update(variables)
        loggers[0].handlers = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _streams() -> Iterator[Callable[[], tuple[str, str]]]:
    """Streams of a command, below Python too: C code and processes that it starts write to the same; yields `read`."""
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in (1, 2)]
        nothing = stack.enter_context(open(os.devnull))
        for number, file in ((0, nothing), (1, files[0]), (2, files[1])):
            stack.callback(_put_back, os.dup(number), number)
            os.dup2(file.fileno(), number)
        for name in ("stdin", "stdout", "stderr"):
            stack.callback(setattr, sys, name, getattr(sys, name))
        sys.stdin = nothing
        sys.stdout = stack.enter_context(open(1, "w", encoding="utf-8", closefd=False))
        sys.stderr = stack.enter_context(
            open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        )
        yield lambda: (_text(files[0]), _text(files[1]))


def _put_back(saved: int, number: int) -> None:
    os.dup2(saved, number)
    os.close(saved)


def _text(file: IO[bytes]) -> str:
    """All of it; the place where its writers are stays (they share it with this process)."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode().replace("\r\n", "\n")


def _no_traceback(stderr: str) -> None:
    assert "Traceback" not in stderr, stderr
    assert "internal error" not in stderr, stderr


def _one_message(stderr: str) -> None:
    stderr = re.sub(r"^waiting: .*\n", "", stderr, flags=re.MULTILINE)  # for a test of the other worker
    assert stderr.startswith("ampcli: error: "), stderr
    assert stderr.count("ampcli: error: ") == 1, stderr
