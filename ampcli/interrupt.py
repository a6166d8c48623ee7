"""Stopping at a good moment: signals that set a flag instead of breaking in."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within it, SIGINT and SIGTERM set a flag; yields the function that reads it.  A second signal breaks in."""
    requested = False

    def note(number: int, frame: object) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in signals]
    try:
        yield lambda: requested
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
