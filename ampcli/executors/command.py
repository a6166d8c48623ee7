"""A command line as the function that submitit calls in a job."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping

from submitit.helpers import DelayedSubmission

from ampcli.errors import InterruptedRun
from ampcli.executors.jobs import Words


class Command:
    """Runs a command line; stopped by the time limit or for another job, it is queued again and goes on."""

    def __init__(self, words: Words, variables: Mapping[str, str | None]) -> None:
        """`variables`: of the environment; None: those that the command must not see."""
        self.words = words
        self.variables = dict(variables)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        sys.stdout.write(f"{shlex.join(self.words)}\n")
        sys.stdout.flush()
        environment = {**os.environ, **self.variables}
        known = {name: value for name, value in environment.items() if value is not None}
        self._process = subprocess.Popen(self.words, env=known)
        try:
            code = self._process.wait()
        finally:  # by an exception, too: submitit's handler of signals ends this process
            self._process.terminate()
            self._process.wait()
        if code == InterruptedRun.exit_code and _goes_on():
            signal.raise_signal(signal.SIGUSR2)  # submitit's handler calls `checkpoint` and queues the job again
        if code:
            sys.exit(code if code > 0 else 128 - code)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit runs the next time; called in its handler of signals, where nothing may be waited for."""
        if self._process is not None:
            self._process.terminate()
        return DelayedSubmission(Command(self.words, self.variables))


def _goes_on() -> bool:
    """Whether the job still runs: one that was cancelled, or is queued again already, is not ours to queue again."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return True
    asked = ["squeue", "--noheader", "--jobs", job, "--format", "%T"]
    return "RUNNING" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
