"""Signals that ask a process to stop: Ctrl-C, a terminal that closes, what batch systems send before they kill.

`listen` comes before anything that takes time, so this module imports next to nothing.  A signal raises
`StopRequested` where that is safe; within `held` it sets a flag, which the work reads at its next safe point.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

#: What ends a command politely (those that this system knows).  SIGQUIT and SIGKILL end it at once.
STOP_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)

_SAME_REQUEST = 5.0  # seconds within which further signals are taken for the one that was obeyed already
_RETRY = 0.05  # seconds


class StopRequested(KeyboardInterrupt):
    """The process was asked to stop.  (Python ends itself by SIGINT for a KeyboardInterrupt that left an `exec`.)"""


class _Requests:
    """What was asked of this process (signals belong to the process, and so does this)."""

    asked: int | None = None
    obeyed: float | None = None
    held = 0
    listening = False


_requests = _Requests()


def listen() -> None:
    """From now on, signals that ask to stop raise `StopRequested`; only the main thread can say so.

    Signals that are ignored stay ignored (nohup), but for SIGINT: shells start background jobs with it ignored.
    """
    for number in STOP_SIGNALS:
        with suppress(ValueError):  # not the main thread
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _ask)
                _requests.listening = True


@contextmanager
def listening() -> Iterator[None]:
    """`listen` for a while; handlers that were there come back."""
    already = _requests.listening
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    listen()
    try:
        yield
    finally:
        if not already:
            forget()
            for number, handler in before.items():
                with suppress(ValueError, TypeError):  # not the main thread; a handler that Python did not set
                    signal.signal(number, handler)


def forget() -> None:
    """Start afresh: nothing was asked, and nobody listens."""
    _requests.asked = _requests.obeyed = None
    _requests.held = 0
    _requests.listening = False


def ignore() -> None:
    """From now on signals change nothing: the interpreter, when it ends, would take the first one for its death."""
    for number in STOP_SIGNALS:
        with suppress(ValueError):  # not the main thread
            signal.signal(number, signal.SIG_IGN)


def asked() -> int | None:
    """The signal that asked to stop, if any."""
    return _requests.asked


def check() -> None:
    """Raise `StopRequested` if the process was asked to stop, outside of `held`."""
    if _requests.asked is not None and not _requests.held:
        _requests.obeyed = time.monotonic()
        raise StopRequested


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Within it a signal sets a flag and nothing else; yields the function that reads the flag."""
    _requests.held += 1
    try:
        yield lambda: _requests.asked is not None
    finally:
        _requests.held = max(_requests.held - 1, 0)


@contextmanager
def blocked() -> Iterator[None]:
    """Within it, processes that start never see these signals: Ctrl-C reaches the whole group, but one decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        with held():
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    check()


def _ask(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    _requests.asked = _requests.asked or number
    if _requests.held or (_requests.obeyed is not None and now - _requests.obeyed < _SAME_REQUEST):
        return
    if _swallows(frame):
        _ask_again(number)
        return
    _requests.obeyed = now
    raise StopRequested


def _swallows(frame: FrameType | None) -> bool:
    """Whether an exception would be lost here: in a destructor, or in an import, which may turn it into another."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _ask_again(number: int) -> None:
    import threading

    def send() -> None:
        if _requests.asked is not None and _requests.obeyed is None:
            os.kill(os.getpid(), number)

    timer = threading.Timer(_RETRY, send)
    timer.daemon = True
    with suppress(RuntimeError):  # the interpreter is shutting down
        timer.start()
