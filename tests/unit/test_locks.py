"""Locks: one holder at a time, dead ones are followed at once, those of other machines after their lease."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from ampcli import held, holders, locks
from ampcli.errors import AmpcliError, LockedError, UsageError
from ampcli.held import Held, Seen
from ampcli.holders import Holder
from ampcli.locks import locked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "some.lock"


def leave(file: Path, **changes: object) -> Held:
    """A lock as a process leaves it that was killed."""
    written = Held.by_this_process().model_copy(update=changes)
    file.parent.mkdir(exist_ok=True)
    file.write_text(written.model_dump_json())
    return written


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_one_holder_at_a_time(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with locked(file, "busy", "Wait."):
        who = re.escape(f"busy (process {os.getpid()} on ")
        with pytest.raises(LockedError, match=who) as refused, locked(file, "busy", "Wait."):
            pass
        assert f"remove {file}" in str(refused.value)
        with pytest.raises(LockedError), locked(file, "busy", "Wait.", seconds=0.01):
            pass
    assert "waiting: busy" in caplog.text
    assert list(file.parent.iterdir()) == []
    with pytest.raises(AmpcliError, match="what is done"), locked(file, "busy", "Wait."):
        raise AmpcliError("what is done with it")
    assert list(file.parent.iterdir()) == []


COUNT = """
import pathlib, sys
from ampcli.locks import locked
file, counter = map(pathlib.Path, sys.argv[1:])
for _ in range(25):
    with locked(file, "busy", "", seconds=-1):
        number = int(counter.read_text())
        counter.write_text(str(number + 1))
"""


def test_no_update_is_lost(file: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    leave(file, pid=dead_process())  # all of them find this one
    call = [sys.executable, "-c", COUNT, file, counter]
    processes = [subprocess.Popen(call, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert counter.read_text() == "100"
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("how", ["ended", "number given again", "empty file"])
def test_a_dead_process_of_this_machine_is_followed_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(held, "_EMPTY", 0.1)
    if how == "ended":
        leave(file, pid=dead_process())
    elif how == "number given again":
        leave(file, start="1")
    else:
        file.parent.mkdir()
        file.touch()
    with locked(file, "busy", "Wait."):
        pass
    assert list(file.parent.iterdir()) == []


def test_only_one_takes_a_stale_lock_over(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All have found it stale before the first claims it; only then do they go on, one after the other."""
    leave(file, pid=dead_process())
    many = 8
    found, inside = threading.Barrier(many), Counter[str]()
    take_over = locks.FileCell.take_over

    def together(cell: locks.FileCell, seen: Seen, *arguments: object) -> bool:
        found.wait()
        return take_over(cell, seen, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(locks.FileCell, "take_over", together)

    def take() -> None:
        try:
            with locked(file, "busy", "Wait."):
                inside["entered"] += 1
                left.wait(10)
        except LockedError:
            inside["refused"] += 1
            if inside["refused"] == many - 1:
                left.set()

    left = threading.Event()
    threads = [threading.Thread(target=take) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == {"entered": 1, "refused": many - 1}


def test_a_claim_of_a_dead_process_is_in_nobodys_way(file: Path) -> None:
    content = leave(file, pid=dead_process()).model_dump_json().encode()
    cell = locks.FileCell(file)
    leave(cell._claim(Seen(content, ())), pid=dead_process())
    leave(cell._claim(Seen(b"an earlier one", ())), pid=dead_process())
    with locked(file, "busy", "Wait."):
        pass
    assert list(file.parent.iterdir()) == []


def test_a_silent_process_of_another_machine(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is taken over after its lease, whatever the date of the lock and of this machine says."""
    for when in (0, time.time() + 1e6):
        leave(file, machine="elsewher", lease=0.3)
        os.utime(file, (when, when))
        monkeypatch.setattr(time, "time", lambda: 0.0)
        with locked(file, "busy", "Wait."):
            pass
    assert list(file.parent.iterdir()) == []


def test_a_living_process_of_another_machine(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It beats, in a file that is touched: it is waited for, and nobody takes its lock."""
    monkeypatch.setenv(holders.LEASE_VARIABLE, "0.6")
    living = leave(file, machine="elsewher", lease=0.6)
    with holders.beating(lambda: locks.FileCell(file).beat(living.model_dump_json().encode())):
        for seconds in (0.0, 1.5):
            with pytest.raises(LockedError, match=f"process {os.getpid()}"), locked(file, "busy", "Wait.", seconds):
                pass
    assert Held.model_validate_json(file.read_bytes()) == living


def test_a_lock_that_was_taken_over_stays(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with locked(file, "busy", "Wait."):
        other = leave(file, pid=1)
    assert Held.model_validate_json(file.read_bytes()) == other
    assert "was taken over by process 1" in caplog.text


def test_holders() -> None:
    us = Holder.this_process()
    assert us.lives is True
    assert Holder("elsewher", us.pid, us.start).lives is None
    assert Holder(us.machine, dead_process(), us.start).lives is False
    assert Holder(us.machine, 10**30, "").lives is False
    process = subprocess.Popen(["sleep", "60"])
    started = holders._started(process.pid)
    assert started is not None
    sleeping = Holder(us.machine, process.pid, started[1])
    assert sleeping.lives is True
    process.kill()
    while holders._started(process.pid) == started or sleeping.lives:  # a zombie holds nothing
        time.sleep(0.01)
    process.wait()


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan"])
def test_bad_leases(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(holders.LEASE_VARIABLE, text)
    with pytest.raises(UsageError, match=holders.LEASE_VARIABLE):
        holders.lease()
