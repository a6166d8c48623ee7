"""Start the jobs of a command with submitit: as an array of Slurm, or as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from ampcli.errors import AmpcliError, UsageError, setting
from ampcli.executors.jobs import Jobs, Words
from ampcli.executors.sbatch import NOTICE, Options
from ampcli.files import writing

if TYPE_CHECKING:
    from submitit import Job
    from submitit.core.core import PicklingExecutor

Kind = Literal["slurm", "local"]

_LOGS = Path("ampcli-jobs")
_ENDLESS = 10**6  # times that submitit may queue a task again
_TEN_YEARS = 10 * 366 * 24 * 60  # minutes: submitit wants a limit, and counts how often it was hit
_FIRST_POLL, _LAST_POLL = 0.5, 30.0  # seconds between two questions to Slurm
_LOCAL_POLL = 0.1  # seconds
_LATE = 15.0  # seconds after which a network disk shows files of other machines


@dataclass
class Started:
    """Jobs of a command that were started; those of a Slurm array have the ids ARRAY_0, ARRAY_1, ..."""

    kind: Kind
    folder: Path
    """Of their logs."""
    jobs: Jobs
    variables: dict[str, str | None]
    executor: PicklingExecutor
    tasks: list[Job[None]] = field(default_factory=list)
    finish: list[Job[None]] = field(default_factory=list)
    """The job that comes after the tasks, if there is one."""

    def start(self, lines: Sequence[Words]) -> list[Job[None]]:
        """Start jobs with these command lines.

        Raises:
            AmpcliError: Slurm refuses them.
        """
        from submitit.core.utils import FailedJobError

        from ampcli.executors.command import Command

        commands = [Command([*python(), *words], self.variables) for words in lines]
        try:
            with writing(self.folder.parent):
                self.folder.mkdir(parents=True, exist_ok=True)
                with _output_to(self.folder / "submitit.log"):
                    return self.executor.submit_array(commands)
        except FailedJobError as error:
            said = [line for line in str(error).splitlines() if line.startswith("sbatch: error")]
            raise AmpcliError(
                f"Slurm refuses the jobs: {'; '.join(said) or error}",
                f"Its options are given with {setting('sbatch')}.",
            ) from None

    @property
    def ids(self) -> list[str]:
        """Of the array (or the only task) and of the job after it; on this machine, of the processes."""
        ids = [str(job.job_id) for job in [*self.tasks, *self.finish]]
        return list(dict.fromkeys(each.split("_")[0] for each in ids))

    @property
    def failed(self) -> list[Job[None]]:
        """Jobs that left no result."""
        return [job for job in [*self.tasks, *self.finish] if not job.paths.result_pickle.exists()]


def python() -> Words:
    """How a job calls ampcli."""
    return [sys.executable, "-m", "ampcli"]


def submit(jobs: Jobs, kind: Kind, options: Options, unset: Sequence[str]) -> Started:
    """Start all tasks, and with Slurm the job that comes after them.

    Args:
        unset: variables that tasks must not see.

    Raises:
        UsageError: submitit or Slurm is not there.
        AmpcliError: Slurm refuses the jobs.
    """
    try:
        import submitit
    except ImportError:
        raise UsageError(
            f"{setting('executor')} {kind}: submitit is not installed",
            f"pip install 'ampcli[hpc]', or take {setting('emit_sbatch')}.",
        ) from None
    folder = (_LOGS / f"{jobs.name}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid4().hex[:6]}").absolute()
    variables: dict[str, str | None] = dict.fromkeys(unset)
    if kind == "local":
        variables["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES")  # submitit takes GPUs away
        local = submitit.LocalExecutor(folder, max_num_timeout=_ENDLESS)
        local.update_parameters(timeout_min=_TEN_YEARS, stderr_to_stdout=True)
        started = Started(kind, folder, jobs, variables, local)
        started.tasks = started.start(jobs.tasks)
        return started
    try:
        slurm = submitit.SlurmExecutor(folder, max_num_timeout=_ENDLESS)
    except RuntimeError:
        raise UsageError(
            f"{setting('executor')} slurm: there is no Slurm here (no srun)",
            f"Use {setting('executor')} local, or {setting('emit_sbatch')}.",
        ) from None
    # wckey: submitit's own would be refused by many a cluster
    common = {"signal_delay_s": NOTICE, "wckey": None, "stderr_to_stdout": True, "array_parallelism": len(jobs.tasks)}
    slurm.update_parameters(**common, time=_TEN_YEARS, additional_parameters=_underscored(options))
    started = Started(kind, folder, jobs, variables, slurm)
    started.tasks = started.start(jobs.tasks)
    if jobs.finish is not None:
        after = {"dependency": f"afterok:{started.ids[0]}", "kill-on-invalid-dep": "yes"}
        slurm.update_parameters(additional_parameters=_underscored({**options, **after}))
        started.finish = started.start([jobs.finish])
    return started


def _underscored(options: Options) -> dict[str, str | bool]:
    """Options by the names that submitit has for them: its defaults are not written beside them."""
    return {key.replace("-", "_"): value for key, value in options.items()}


def wait(started: Started, on_done: Callable[[int], None] = lambda tasks: None) -> None:
    """Wait until all jobs have ended, well or not; on this machine, then do what comes after the tasks.

    Args:
        on_done: told the number of tasks that ended since the last time.
    """
    if started.kind == "slurm":
        _wait_for_slurm(started.ids)
        deadline = time.monotonic() + _LATE
        while started.failed and time.monotonic() < deadline:
            time.sleep(_FIRST_POLL)
        on_done(len(started.tasks))
        return
    try:
        on_done(0)  # stops here, if that was asked for while they were started
        _wait_for_processes(started.tasks, on_done)
        if started.jobs.finish is not None and not started.failed:
            started.finish = started.start([started.jobs.finish])
            _wait_for_processes(started.finish)
    except BaseException:
        for job in [*started.tasks, *started.finish]:
            job.cancel(check=False)
        _wait_for_processes([*started.tasks, *started.finish])
        raise


def _wait_for_processes(jobs: Sequence[Job[None]], on_done: Callable[[int], None] = lambda tasks: None) -> None:
    left = list(jobs)
    while left:
        time.sleep(_LOCAL_POLL)
        still = [job for job in left if not job.done()]
        on_done(len(left) - len(still))
        left = still


def _wait_for_slurm(ids: Sequence[str]) -> None:
    pause = _FIRST_POLL
    while _is_queued(ids):
        time.sleep(pause)
        pause = min(1.5 * pause, _LAST_POLL)


def _is_queued(ids: Sequence[str]) -> bool:
    """Whether Slurm has one of the jobs in its queue, running or not; True where it does not answer."""
    asked = ["squeue", "--noheader", "--jobs", ",".join(ids)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode:  # it has forgotten a single job that ended long ago
        return "Invalid job id" not in answer.stderr
    return bool(answer.stdout.strip())


@contextmanager
def _output_to(file: Path) -> Iterator[None]:
    """Send what processes say that start here (submitit's, about signals) to a file."""
    saved = [(number, os.dup(number)) for number in (1, 2)]
    try:
        with file.open("ab") as log:
            for number, _ in saved:
                os.dup2(log.fileno(), number)
        yield
    finally:
        for number, copy in saved:
            os.dup2(copy, number)
            os.close(copy)


def log_of(job: Any) -> Path:
    """The log of a job."""
    return Path(job.paths.stdout)
