"""Programs that need Symbolica, of which one process per user may run: child processes, one at a time."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from ampcli.interrupt import blocked
from ampcli.locks import locked

_LOCK_SECONDS = 3600.0


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock that all of a user's ampcli processes share.

    Raises:
        LockedError: another one has held it for an hour.
    """
    lock = Path(tempfile.gettempdir()) / f"ampcli-symbolica-{getpass.getuser()}.lock"
    busy = "another process of yours generates amplitudes"
    with locked(lock, busy, f"Wait for it to finish; if none is running, remove {lock}.", _LOCK_SECONDS):
        yield


def run(program: Literal["pyamplicol", "ufo_model_loader"], words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program, under the lock of `only_one`; it ends with this process, together with all that it starts."""
    call = [sys.executable, "-B", "-m", "ampcli.amplitudes.child", program, *words]
    theirs, ours = os.pipe()  # closes when this process ends
    child = None
    try:
        with blocked():
            child = subprocess.Popen(
                call,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "SYMBOLICA_HIDE_BANNER": "1"},
                start_new_session=True,
            )
        out, err = child.communicate()
        return subprocess.CompletedProcess(call, child.returncode, out, err)
    finally:
        if child is not None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        os.close(theirs)
        os.close(ours)


def lacks_licence(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a program failed because another process of the user has Symbolica."""
    said = done.stdout + done.stderr
    told = "another restricted Symbolica" in said or "Symbolica could not be imported" in said
    return done.returncode == -signal.SIGABRT or told or "restricted Symbolica" in done.stderr
