"""Errors of the operating system, one by one: each says what it is about and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ampcli.cli.command import resumable
from ampcli.errors import AmpcliError
from ampcli.system_errors import explain

NUMBERS = sorted(errno.errorcode)


@pytest.mark.parametrize("name", ["some/file", b"some/file", Path("some/file"), None])
def test_every_error_has_a_meaning_and_advice(name):
    for number in NUMBERS:
        error = OSError(number, os.strerror(number), *([] if name is None else [name]))
        what, hint = explain(error)
        assert what, error
        assert hint.endswith("."), error
        assert "{" not in what + hint, error
        if name is not None and number not in (errno.ENOMEM, errno.EAGAIN, errno.EPIPE):
            assert "some/file" in what, error


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, ("no space", "Free some space")),
        (errno.EDQUOT, ("quota", "Free some space")),
        (errno.EMFILE, ("too many open files", "ulimit -n")),
        (errno.ENOLCK, ("no file locks", "local disk")),
        (errno.EEXIST, ("exists already", "another name")),
        (errno.ENOTDIR, ("no folder", "another place")),
        (errno.EISDIR, ("is a folder", "another name")),
        (errno.ENAMETOOLONG, ("too long", "shorter")),
        (errno.ELOOP, ("loop of links", "Remove the link")),
        (errno.EROFS, ("read-only", "another place")),
        (errno.EIO, ("fails to read or write", "another disk")),
    ],
)
def test_what_they_say(number, words):
    said = " ".join(explain(OSError(number, os.strerror(number), "f")))
    assert all(word in said for word in words)


def test_real_errors(tmp_path):
    """Those that the system itself raises hold their file in the same way."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    def failure(work):
        with pytest.raises(OSError, match=r"\[Errno") as caught:
            work()
        return " ".join(explain(caught.value))

    assert "no folder" in failure(lambda: (tmp_path / "file" / "x").open())
    assert "loop" in failure(lambda: (tmp_path / "loop").open())
    assert "is a folder" in failure(lambda: tmp_path.open())
    assert "exists already" in failure(lambda: (tmp_path / "file").mkdir())
    long = failure(lambda: (tmp_path / ("a" * 300)).open())
    assert "too long" in long
    assert len(long) < 400


def test_reading_is_not_called_writing(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    error = PermissionError(errno.EACCES, "Permission denied", str(file))
    for readable, word in ((False, "read"), (True, "write")):
        monkeypatch.setattr(os, "access", lambda path, mode, readable=readable: readable)
        assert f"no permission to {word} {file}" in explain(error)[0]
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "none"))
    assert "no permission to reach or create" in explain(error)[0]


def test_resumable_work_says_how_to_go_on():
    with (
        pytest.raises(AmpcliError, match=r"Raise the limit.*Go on with --resume") as caught,
        resumable("parts are kept", "Go on with --resume."),
    ):
        raise OSError(errno.EMFILE, "Too many open files", "f")
    assert caught.value.exit_code == 1
