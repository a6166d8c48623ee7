"""The real command as a subprocess, on small stores, in folders of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from in_process import run_here

THREE_JETS = "e- e+ > d d~ g"

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

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        # stderr is a terminal, so that progress bars are drawn: they tell how far the command is
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 200))  # too narrow a bar would leave out its numbers
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            start_new_session=True,
        )
        os.close(slave)
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
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
            assert self._process.poll() is None, f"ended too early, exit code {self._process.returncode}: {self.stderr}"
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
        return Outcome(self._process.returncode, self._stdout.read(), self.stderr)

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
    """Runs ``ampcli`` in a folder: here where nothing else matters, as a process of its own where that is the point."""

    def __init__(self, folder: Path, environment: dict[str, str], apart: bool = False) -> None:
        self.folder = folder
        self.environment = environment
        self._apart = apart

    @property
    def apart(self) -> Ampcli:
        """The same with a process for every command."""
        return Ampcli(self.folder, self.environment, apart=True)

    def run(self, *arguments: object, variables: dict[str, str] | None = None, cwd: Path | None = None) -> Outcome:
        """Run to the end, whatever its exit code."""
        folder, environment = cwd or self.folder, self.environment | (variables or {})
        if not self._apart:
            code, out, err = run_here([str(word) for word in arguments], folder, environment)
        else:
            done = subprocess.run(
                _command(arguments),
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LIMIT,
                check=False,
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        _no_traceback(err)
        return Outcome(code, out, err)

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
        running = Running(_command(arguments), self.folder, self.environment)
        try:
            yield running
        finally:
            running.close()


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "ampcli", *map(str, arguments)]


def _no_traceback(stderr: str) -> None:
    assert "Traceback" not in stderr, stderr
    assert "internal error" not in stderr, stderr


def _one_message(stderr: str) -> None:
    stderr = re.sub(r"^waiting: .*\n", "", stderr, flags=re.MULTILINE)  # for a test of the other worker
    assert stderr.startswith("ampcli: error: "), stderr
    assert stderr.count("ampcli: error: ") == 1, stderr


@pytest.fixture(scope="session")
def ampcli(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Ampcli:
    """The command, run in an empty folder, without settings of the caller."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AMPCLI_")}
    environment |= {
        "AMPCLI_CACHE": str(pytestconfig.rootpath / ".cache" / "ampcli-tests"),
        "OMP_NUM_THREADS": "1",
    }
    return Ampcli(tmp_path_factory.mktemp("cwd"), environment)


@pytest.fixture(scope="session")
def make_store(ampcli: Ampcli) -> Callable[..., Path]:
    """Generates a store (of three jets) with options, and features if asked for."""

    def make(path: Path, points: object = "1k", *options: object, features: bool = False) -> Path:
        ampcli("gen", THREE_JETS, path, "--points", points, *options)
        if features:
            ampcli("features", path, "fame", "--threads", "1")
        return path

    return make


def _markers(store: Path) -> int:
    """Parts of a store that have their markers."""
    return len(list((store / ".ampcli" / "parts").glob("[0-9]*.json")))


@pytest.fixture(scope="session")
def count_parts() -> Callable[[Path], int]:
    """Counts the finished parts of a store."""
    return _markers


@pytest.fixture(scope="session")
def flip_byte() -> Callable[..., None]:
    """Changes one byte of a file, at a fraction of its length."""

    def flip(file: Path, at: float = 0.5) -> None:
        content = bytearray(file.read_bytes())
        content[int(at * (len(content) - 1))] ^= 0x20
        file.write_bytes(content)

    return flip


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system with options, at a folder of the test; needs root."""
    places: list[Path] = []

    def mount(options: str) -> Path:
        if os.geteuid() != 0:
            pytest.skip("needs root to mount a tmpfs")
        place = tmp_path / f"mount{len(places)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True)
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=True, capture_output=True)


@pytest.fixture(scope="session")
def remount() -> Callable[[Path, str], None]:
    """Changes the options of a mounted file system."""

    def change(place: Path, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", place], check=True, capture_output=True)

    return change
