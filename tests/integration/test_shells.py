"""Completion as a user has it: TAB in a real shell, with the scripts of `completions/`."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Complete = Callable[[str], str]

_LIMIT = 60.0  # seconds after which an answer is taken not to come

#: How each shell starts without anybody's settings, and reads its script; `PS1` marks that it waits for a line.
_START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'; source {}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; source {}"),
}
_SCRIPTS = {"bash": "ampcli.bash", "zsh": "_ampcli", "fish": "ampcli.fish"}
_READY = "ready:"


class _Terminal:
    """A shell on a terminal."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._shell = subprocess.Popen(
            words, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        self.shown = ""
        os.write(self._master, text.encode())

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + _LIMIT
        while words not in self.shown:
            assert time.monotonic() < deadline, f'no "{words}" in {self.shown!r}'
            if select.select([self._master], [], [], 0.1)[0]:
                self.shown += os.read(self._master, 4096).decode(errors="replace")

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait()
        os.close(self._master)


@pytest.fixture(scope="module")
def environment(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One in which `ampcli` is this one."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "ampcli"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m ampcli "$@"\n')
    command.chmod(0o755)
    paths = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(repository), "HOME": str(folder)}
    return {**os.environ, **paths, "PS1": _READY, "TERM": "dumb"}


@pytest.fixture(params=["bash", "zsh"])
def terminal(request: pytest.FixtureRequest, environment: dict[str, str], repository: Path) -> Iterator[_Terminal]:
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param}")
    words, source = _START[request.param]
    opened = _Terminal(words, environment)
    try:
        opened.wait_for(_READY)
        # the shell shows what is typed; what it answers is spelt otherwise
        opened.type(source.format(repository / "completions" / _SCRIPTS[request.param]) + "; echo 'begin''ning'\n")
        opened.wait_for("beginning")
        yield opened
    finally:
        opened.close()


def test_tab_lists_the_commands_and_finishes_a_word(terminal: _Terminal) -> None:
    terminal.type("ampcli tra\t\t")
    terminal.wait_for("train")
    terminal.wait_for("trajectory")
    terminal.type("j\t\x15ampcli recipes show z-5jets-dd\t")  # ^U empties the line
    terminal.wait_for("z-5jets-ddx")


def test_tab_finishes_an_option(terminal: _Terminal) -> None:
    terminal.type("ampcli eval --registr\t")
    terminal.wait_for("--registry")


@pytest.mark.parametrize(
    ("line", "expected"),
    [("ampcli tra", {"train", "trajectory"}), ("ampcli recipes show fame/4", {"fame/4jets"})],
)
def test_fish_offers_the_same(line: str, expected: set[str], environment: dict[str, str], repository: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("there is no fish")
    script = repository / "completions" / _SCRIPTS["fish"]
    words = ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"]
    offered = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=True).stdout
    assert {entry.split("\t")[0] for entry in offered.splitlines()} == expected
