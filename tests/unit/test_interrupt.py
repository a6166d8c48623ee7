"""Signals that ask to stop: where they break in, where they wait, which are ignored."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ampcli import interrupt
from ampcli.cli.command import progress_bar, resumable
from ampcli.errors import AmpcliError, InterruptedRun
from ampcli.interrupt import STOP_SIGNALS, asked, blocked, check, held, listen, listening


@pytest.fixture(autouse=True)
def afresh():
    yield
    interrupt.forget()


def test_the_signals_of_schedulers():
    assert {signal.Signals(number).name for number in STOP_SIGNALS} == {
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGUSR1",
        "SIGUSR2",
        "SIGXCPU",
    }


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signals_end_resumable_work_politely(number):
    before = signal.getsignal(number)
    with (
        pytest.raises(InterruptedRun, match=r"parts are kept.*\n.*--resume") as interrupted,
        listening(),
        resumable("parts are kept", "Go on with --resume."),
    ):
        os.kill(os.getpid(), number)
    assert interrupted.value.exit_code == 75
    assert signal.getsignal(number) is before
    assert asked() is None


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_what_is_ignored_stays_ignored(number):
    """nohup ignores SIGHUP; SIGINT alone is taken back from shells, which start background jobs without it."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with listening():
            assert (signal.getsignal(number) == signal.SIG_IGN) is (number != signal.SIGINT)
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_held_work_reads_a_flag(number):
    with listening():
        with held() as stop:
            assert not stop()
            with held():
                os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            check()
            assert stop()
        with pytest.raises(KeyboardInterrupt):
            check()


def test_a_second_signal_does_not_break_the_cleaning_up():
    steps = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            steps.append("cleaned up")

    with listening():
        with pytest.raises(KeyboardInterrupt):
            work()
        assert asked() == signal.SIGTERM
    assert steps == ["cleaned up"]


def test_signals_wait_until_processes_have_started():
    steps = []

    def start() -> None:
        with blocked():
            os.kill(os.getpid(), signal.SIGUSR1)
            steps.append("started")
        steps.append("never")

    with listening(), pytest.raises(KeyboardInterrupt):
        start()
    assert steps == ["started"]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_an_interruption_during_a_destructor_is_not_lost(number):
    """Python prints and drops an exception that leaves `__del__`: it is raised a little later instead."""

    class Slow:
        def __del__(self) -> None:
            signal.raise_signal(number)
            self.finished = True

    steps = []

    def work() -> None:
        with listening(), resumable("kept", "go on"), progress_bar("points", 3) as advance:
            victim = Slow()
            del victim
            steps.append("after the destructor")
            advance(1)
            steps.append("never")

    with pytest.raises(InterruptedRun):
        work()
    assert steps == ["after the destructor"]
    with listening(), resumable("kept", "go on"), progress_bar("points", 1) as advance:
        advance(1)  # the next run starts afresh


def test_an_interruption_during_an_import_is_not_lost(tmp_path, monkeypatch):
    """Packages turn exceptions of their imports into others, or drop them."""
    (tmp_path / "swallowing.py").write_text(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGTERM)\nexcept BaseException:\n    lost = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def work() -> None:
        import swallowing

        assert not hasattr(swallowing, "lost")
        time.sleep(60)

    with listening(), pytest.raises(KeyboardInterrupt):
        work()


def test_other_threads_cannot_listen():
    import threading

    failures = []

    def work() -> None:
        try:
            listen()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


def test_a_full_disk_says_how_to_go_on():
    with (
        pytest.raises(AmpcliError, match=r"no space.*\(here\); parts are kept\n.*Go on with --resume"),
        resumable("parts are kept", "Go on with --resume."),
    ):
        raise OSError(28, "No space left on device", "here")
