"""Machines that are not ours: macOS lacks calls of Linux, terminals lack characters, streams are closed."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ampcli.cli.main import run
from ampcli.cli.output import Unfailing, say, write_text

THREE_JETS = "e- e+ > d d~ g"

#: What Linux has and macOS has not, of the modules that may be called.
ONLY_LINUX = {
    os: """sched_getaffinity sched_setaffinity sched_getscheduler posix_fadvise posix_fallocate fdatasync
        copy_file_range splice eventfd memfd_create pidfd_open getxattr setxattr pipe2 O_DIRECT O_TMPFILE
        O_PATH O_NOATIME O_LARGEFILE getresuid setresuid""",
    signal: "SIGPWR SIGSTKFLT SIGPOLL SIGCLD SIGRTMIN SIGRTMAX sigtimedwait sigwaitinfo",
    resource: "prlimit RLIMIT_OFILE RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME RLIMIT_SIGPENDING",
    time: "CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid",
    fcntl: "F_OFD_SETLK F_OFD_SETLKW F_SETPIPE_SZ F_ADD_SEALS",
}


@pytest.fixture
def macos(monkeypatch):
    for module, names in ONLY_LINUX.items():
        for name in names.split():
            monkeypatch.delattr(module, name, raising=False)
    read = Path.read_text

    def without_proc(path: Path, *arguments, **options):
        if str(path).startswith("/proc"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", without_proc)


def test_commands_work_without_calls_of_linux(macos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    try:
        for call in (
            ["gen", THREE_JETS, "s.zarr", "--points", "1k"],
            ["features", "s.zarr", "fame"],
            ["train", "s.zarr", "--name", "m", "--epochs", "1", "--hidden", "4"],
            ["eval", "m", "s.zarr"],
            ["predict", "m", "s.zarr", "o.npz"],
            ["doctor"],
        ):
            assert run(call) == 0, capsys.readouterr().err
    finally:
        torch.set_num_threads(threads)


class Stream(io.TextIOWrapper):
    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    @property
    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_characters_that_a_terminal_lacks(monkeypatch, encoding):
    stream = Stream(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    write_text("1 ± 2 Maître α\n")
    write_text("\udcff\n")
    shown = "1 +- 2 Maitre \\u03b1\n" if encoding == "ascii" else "1 ± 2 Maître α\n"
    assert stream.text == shown + "\\udcff\n"


def test_control_characters_are_shown_and_not_obeyed(capsys):
    write_text("card \x1b]0;title\x07\x9b31m\u202e\ttab\n")
    assert capsys.readouterr().out == "card \\x1b]0;title\\x07\\x9b31m\\u202e\ttab\n"


def test_messages_that_nobody_reads(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(sys, "stderr", Gone())
    say("nobody reads this")
    Unfailing(sys.stderr).write("nor this")


def test_a_disk_that_can_neither_lock_nor_link(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setattr(os, "link", refused)
    assert run(["gen", THREE_JETS, "s.zarr", "--points", "1k"]) == 0
    assert run(["features", "s.zarr", "fame"]) == 0
    assert [path.name for path in tmp_path.rglob("*.lock")] == []


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">&-", 0), (">&- 2>&- <&-", 0), ("--json >&-", 1), (">/dev/full", 1)],
)
def test_closed_and_full_streams(tmp_path, redirection, code):
    (tmp_path / "registry").mkdir()
    command = f'"{sys.executable}" -m ampcli registry list --registry registry {redirection}'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "internal" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("ampcli: error: ") == (code == 1)
