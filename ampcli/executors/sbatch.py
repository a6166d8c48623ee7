"""Options of sbatch, and scripts for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ampcli.errors import InterruptedRun, UsageError, setting
from ampcli.executors.jobs import Jobs, Words

Options = Mapping[str, str | bool]

#: What every job has unless the user says otherwise.  A task that is stopped goes on later, so any limit will do.
_DEFAULTS: dict[str, str | bool] = {"time": "60", "nodes": "1", "ntasks": "1", "requeue": True, "open-mode": "append"}

#: Seconds before the time limit at which a task is asked to stop.
NOTICE = 90

_OWN = ("array", "parsable", "signal", "test-only", "wait", "wrap")


def sbatch_options(given: Iterable[str], jobs: Jobs) -> dict[str, str | bool]:
    """Options of sbatch by their long names: defaults, and those that were given as KEY=VALUE or KEY.

    Raises:
        UsageError: not of that form, or one that ampcli gives itself.
    """
    options = {"job-name": f"ampcli-{jobs.name}", **_DEFAULTS}
    if jobs.cores is not None:
        options["cpus-per-task"] = str(jobs.cores)
    for text in given:
        key, equals, value = text.removeprefix("--").partition("=")
        if not re.fullmatch("[a-z][a-z0-9-]*", key) or "\n" in value:
            raise UsageError(f"{setting('sbatch')} {text}: write it as KEY=VALUE, for example time=2:00:00")
        if key in _OWN:
            raise UsageError(f"{setting('sbatch')} {text}: ampcli sets {key} itself", "Leave it out.")
        options[key] = value if equals else True
    return options


def script(jobs: Jobs, options: Options, python: Words, unset: Sequence[str]) -> str:
    """A script for sbatch that runs all tasks, each as often as it takes.

    Args:
        python: words that come before those of the tasks.
        unset: variables that tasks must not see.
    """
    count = len(jobs.tasks)
    flags = dict(options) | {"signal": f"TERM@{NOTICE}"}
    flags.setdefault("output", f"{options['job-name']}-{'%A_%a' if count > 1 else '%j'}.log")
    if count > 1:
        flags["array"] = f"1-{count}"
    lines = ["#!/bin/bash", *(_flag(key, value) for key, value in sorted(flags.items())), ""]
    lines += [f"unset {' '.join(unset)}"] if unset else []
    if count == 1 or jobs.alike is not None:
        lines += [f"srun {shlex.join([*python, *(jobs.alike or jobs.tasks[0])])}"]
    else:
        lines += ["case $SLURM_ARRAY_TASK_ID in"]
        lines += [f"{n}) set -- {shlex.join(words)} ;;" for n, words in enumerate(jobs.tasks, start=1)]
        lines += ["esac", f'srun {shlex.join(python)} "$@"']
    lines += [
        "code=$?",
        f"if [ $code -eq {InterruptedRun.exit_code} ]; then  # it was asked to stop, and goes on when it is repeated",
        '  scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"',
        "fi",
        "exit $code",
    ]
    return "\n".join(lines) + "\n"


def _flag(key: str, value: str | bool) -> str:
    return f"#SBATCH --{key}" if value is True else f"#SBATCH --{key}={shlex.quote(str(value))}"
