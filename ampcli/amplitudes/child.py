"""``python -m ampcli.amplitudes.child PROGRAM ARGUMENTS``: a program such as pyamplicol, which ends with its parent.

The parent holds the other end of stdin: when it is gone, however it ended, so is this process and all it started.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin: its lock, held by a thread, would abort the interpreter when it ends
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
