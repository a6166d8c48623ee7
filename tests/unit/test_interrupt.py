"""Signals that ask to stop: where they break in, where they wait, which are ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ampcli import interrupt
from ampcli.cli.command import progress_bar, resumable
from ampcli.cli.main import run
from ampcli.errors import AmpcliError, InterruptedRun
from ampcli.interrupt import STOP_SIGNALS, asked, blocked, check, held, listen, listening


@pytest.fixture(autouse=True)
def afresh():
    """As in a shell, also where nohup or a scheduler started the tests with signals ignored."""
    ignored = [number for number in STOP_SIGNALS if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
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
        pytest.raises(InterruptedRun, match=r"parts are kept.*\n.*resume") as interrupted,
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
    """To this thread: what is blocked here, another thread of the process (torch has some) may take at any time."""
    steps = []

    def start() -> None:
        with blocked():
            signal.raise_signal(signal.SIGUSR1)
            steps.append("started")
        steps.append("never")

    with pytest.raises(KeyboardInterrupt), listening():
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


#: A call of each command, and the core function in which the signal comes.
CALLS = {
    "gen": (["gen", "e- e+ > d d~ g", "s.zarr", "--points", "9"], "ampcli.generation.generate.prepare"),
    "train": (["train", "s.zarr", "--name", "m"], "ampcli.store.reader.open_store"),
    "features": (["features", "s.zarr", "fame"], "ampcli.store.reader.open_store"),
    "predict": (["predict", "m", "s.npz", "o.npz"], "ampcli.inference.surrogates.load_surrogates"),
    "export": (["export", "s.zarr", "o.lhe"], "ampcli.store.reader.open_store"),
    "eval": (["eval", "m", "s.zarr"], "ampcli.inference.load.load_predictor"),
    "ensemble": (["ensemble", "e", "m@1", "m@2"], "ampcli.publishing.ensemble.build_ensemble"),
    "registry": (["registry", "list"], "ampcli.registry.search.find_registry"),
}


@pytest.mark.parametrize("failure", [None, ImportError("half a package"), RuntimeError("half a read")], ids=str)
@pytest.mark.parametrize("number", STOP_SIGNALS)
@pytest.mark.parametrize("name", CALLS)
def test_the_exit_codes_of_the_table(capsys, monkeypatch, tmp_path, name, number, failure):
    """docs/commands.md; whatever a package makes of the interruption."""
    call, function = CALLS[name]
    monkeypatch.chdir(tmp_path)

    def stop(*_, **__):
        try:
            signal.raise_signal(number)
        finally:
            if failure is not None:
                raise failure
        pytest.fail("the signal did not break in")

    monkeypatch.setattr(function, stop)
    resumable_too = name in ("gen", "train", "features", "predict", "export")
    assert run(call) == (130 if number == signal.SIGINT and not resumable_too else 75)
    err = capsys.readouterr().err
    assert err.startswith("ampcli: error: interrupted")
    assert "Run the same command again." in err
    assert list(tmp_path.iterdir()) == []


def test_the_first_moment_of_a_process(tmp_path):
    """The first moment, before anything is imported that takes time."""
    script = (
        "import os, signal, sys\nfrom ampcli.cli import main\nlisten = main.interrupt.listen\n"
        "number = getattr(signal, sys.argv.pop(1))\n"
        "def first():\n    listen()\n    os.kill(os.getpid(), number)\n"
        "main.interrupt.listen = first\nmain.main()\n"
    )
    for number in STOP_SIGNALS:
        command = [sys.executable, "-c", script, signal.Signals(number).name, "gen", "e- e+ > d d~ g", "s.zarr"]
        done = subprocess.run([*command, "--points", "9"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (
            75,
            "ampcli: error: interrupted; nothing was written\n  Run the same command again.\n",
        )


@pytest.mark.parametrize("stopped", [False, True])
def test_complaints_of_destructors_are_for_runs_that_were_not_stopped(stopped):
    script = (
        "import os, signal, sys\nfrom ampcli import interrupt\nfrom ampcli.cli import main\n"
        "class Half:\n    def __del__(self):\n        raise AttributeError('half built')\n"
        "def run(arguments):\n    with interrupt.held():\n        if sys.argv[1] == 'True':\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n        Half()\n    return 0\n"
        "main.run = run\nmain.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(stopped)], capture_output=True, text=True, check=True)
    assert ("half built" in done.stderr) is not stopped
