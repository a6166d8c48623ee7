"""Tasks of arrays that are killed, asked to stop and queued again by a real Slurm (tests/cluster.py), at any moment."""

from __future__ import annotations

import atexit
import os
import shlex
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from faults.scenes import SCENES, Measurements, Undisturbed
from faults.starts import Words
from faults.trials import Campaign as _Campaign
from faults.trials import Judged
from faults.verdicts import Fault, Verdict

_TASKS = 4
_KINDS = ("gen", "gen", "features", "train")
_STRIKES = ("kill", "kill", "stop", "requeue")
_START = 3.0  # seconds that a fresh Python may take before it does anything

_SCRIPT = """#!/bin/sh
{command}
code=$?
if [ $code = 75 ]; then scontrol requeue ${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID; fi
exit $code
"""


class Campaign(_Campaign):
    name = "jobs"
    short = 0
    count = 16

    @classmethod
    def missing(cls) -> str | None:
        try:
            import cluster
        except ImportError:
            return "there is no tests/cluster.py, which starts a Slurm"
        return cluster.missing()

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        import cluster

        stack = ExitStack()
        self.slurm: Any = stack.enter_context(cluster.running())
        atexit.register(stack.close)
        self.undisturbed = Measurements(self)

    def describe(self, number: int) -> str:
        return f"{_KINDS[number % len(_KINDS)]}: trial {number}"

    def play(self, number: int, rng: np.random.Generator) -> Judged:
        name = _KINDS[number % len(_KINDS)]
        undisturbed = self.undisturbed[name]
        folder = self.fresh(self.starts(SCENES[name].start))
        tasks = _TASKS if name == "gen" else 1
        share: Words = ("--part", f"$SLURM_ARRAY_TASK_ID/{_TASKS}") if name == "gen" else ()
        job = self._submit((*SCENES[name].words, *share), folder, tasks)
        struck = [self._strike(job, tasks, rng, undisturbed) for _ in range(int(rng.integers(2, 6)))]
        self._wait(job, folder)
        undisturbed.complete(folder)
        return Judged(f"{self.describe(number)}, {sum(struck)} killed", Verdict.SURVIVED)

    def _submit(self, words: Words, folder: Path, tasks: int) -> str:
        command = " ".join(_quoted(str(word)) for word in (sys.executable, "-m", "ampcli", *words))
        script = folder.with_name("job.sh")
        script.write_text(_SCRIPT.format(command=command))
        # the shim is for commands on this bench
        exported = ",".join(
            f"{name}={os.environ[name]}" for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ
        )
        options = [f"--array=1-{tasks}", "--requeue", "--open-mode=append", "--parsable", f"--export={exported}"]
        return str(
            self.slurm("sbatch", *options, f"--chdir={folder}", f"--output={_logs(folder)}/%A_%a.log", script)
        ).strip()

    def _strike(self, job: str, tasks: int, rng: np.random.Generator, undisturbed: Undisturbed) -> bool:
        """Something happens to a task, at a random moment; whether it was running."""
        time.sleep(rng.uniform(0.0, _START + 2 * undisturbed.seconds))
        running = [number for number in range(1, tasks + 1) if self._state(f"{job}_{number}") == "RUNNING"]
        if not running:
            return False
        task = f"{job}_{running[rng.integers(len(running))]}"
        kind = _STRIKES[rng.integers(len(_STRIKES))]
        with suppress(AssertionError):  # it has ended since
            if kind == "requeue":
                self.slurm("scontrol", "requeue", task)
            else:
                self.slurm("scancel", f"--signal={'KILL' if kind == 'kill' else 'TERM'}", task)
            return True
        return False

    def _state(self, task: str) -> str:
        with suppress(AssertionError, StopIteration):
            return str(self.slurm.fact(task, "JobState"))
        return "GONE"

    def _wait(self, job: str, folder: Path) -> None:
        """Until no task is left; those that were queued again need not wait for their two minutes.

        Raises:
            Fault: a task said something else than a clear error.
        """
        deadline = time.monotonic() + 600.0
        while states := self.slurm.states(job):
            if time.monotonic() > deadline:
                raise Fault(Verdict.HANG, f"job {job} is still there: {states}")
            for number in range(1, _TASKS + 1):
                with suppress(AssertionError):
                    if self._state(f"{job}_{number}") == "PENDING":
                        self.slurm("scontrol", "update", f"jobid={job}_{number}", "starttime=now")
            time.sleep(0.5)
        for log in _logs(folder).glob(f"{job}_*.log"):
            text = log.read_text(errors="replace")
            log.unlink()
            if "Traceback" in text or "internal error" in text:
                raise Fault(Verdict.INTERNAL, text[-300:])


def _logs(folder: Path) -> Path:
    return folder.parent


def _quoted(word: str) -> str:
    return f'"{word}"' if "$SLURM" in word else shlex.quote(word)
