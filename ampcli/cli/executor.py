"""Commands that may run as jobs: `--executor` and what belongs to it."""

from __future__ import annotations

import inspect
import itertools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ampcli.cli.effect import Values, given, only_if, only_with

if TYPE_CHECKING:
    from ampcli.cli.command import Result
    from ampcli.executors.jobs import Jobs

_PANEL = "Jobs"
_SLURM = only_if(lambda values: values["executor"] == "slurm", "without --executor slurm")

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "executor": (
        Annotated[
            Literal["slurm", "local"] | None,
            typer.Option(
                help="Run as jobs: slurm submits them and returns at once; local runs them on this machine and waits "
                "(docs/hpc.md).",
                show_default="in this process",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "sbatch": (
        Annotated[
            list[str] | None,
            typer.Option(
                help="KEY=VALUE of sbatch for every job, such as partition=short, time=2:00:00, mem=8G, account=qcd.",
                rich_help_panel=_PANEL,
            ),
            _SLURM,
        ],
        None,
    ),
    "wait": (
        Annotated[
            bool,
            typer.Option("--wait", help="Return when the last job has ended.", rich_help_panel=_PANEL),
            _SLURM,
        ],
        False,
    ),
    "emit_sbatch": (
        Annotated[
            bool,
            typer.Option(
                "--emit-sbatch", help="Print a script for sbatch, and submit nothing.", rich_help_panel=_PANEL
            ),
            _SLURM,
        ],
        False,
    ),
}

TASKS = (
    Annotated[
        int,
        typer.Option(min=1, help="Jobs that share the work.", rich_help_panel=_PANEL),
        only_with("executor"),
    ],
    1,
)
SCAN = (
    Annotated[
        list[str] | None,
        typer.Option(
            help='OPTION=VALUES to be tried, each in a job: "learning-rate=1e-3 3e-4" trains NAME-1e-3 and NAME-3e-4.',
            rich_help_panel=_PANEL,
        ),
        only_with("executor"),
    ],
    None,
)


@dataclass(frozen=True)
class CommandLine:
    """The command line of this run, from what was given on it, in variables and in ``--config`` files."""

    context: typer.Context
    values: Values
    without: frozenset[str]
    """Parameters that are left out."""

    def words(self, **changes: Any) -> list[str]:
        """The words of it, with other values of some parameters (None, False: without them)."""
        options: list[str] = []
        arguments: list[str] = []
        for parameter in self.context.command.params:
            name = str(parameter.name)
            if name in changes:
                value = changes[name]
            elif name not in self.without and given(self.context, name, self.values.get(name)):
                value = self.values[name]
            else:
                continue
            if parameter.param_type_name == "argument":
                arguments += _texts(value)
            else:
                options += _option(parameter, value)
        separator = ["--"] if any(text.startswith("-") for text in arguments) else []
        name = str(self.context.info_name)
        return [name, *options, *separator, *arguments] if separator else [name, *arguments, *options]

    def checked(self, option: str, text: str) -> Any:
        """A value of an option, as its text would give it.

        Raises:
            UsageError: there is no such option; typer's errors: no such value.
        """
        from ampcli.errors import UsageError

        name = option.removeprefix("--").replace("-", "_")
        known: dict[str, Any] = {
            str(each.name): each for each in self.context.command.params if each.param_type_name == "option"
        }
        if name not in known or name in self.without:
            raise UsageError(f"--scan {option}: `ampcli {self.context.info_name}` has no such option")
        return known[name].process_value(self.context, text)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(entry) for entry in value] if isinstance(value, list | tuple) else [str(value)]


def _option(parameter: Any, value: Any) -> list[str]:
    if getattr(parameter, "count", False):
        return [max(parameter.opts, key=len)] * value
    if isinstance(value, bool):
        flags = parameter.opts if value else parameter.secondary_opts
        return [max(flags, key=len)] if flags else []
    flag = max(parameter.opts, key=len)
    return [word for text in _texts(value) for word in (flag, text)]


@dataclass(frozen=True)
class AsJobs:
    """How a command becomes jobs.

    Attributes:
        split: its command line and values -> the jobs.
        options: beside those that all have; name -> annotation, default.
        check: raises what can be known to be wrong before anything is submitted.
    """

    split: Callable[[CommandLine, Values], Jobs]
    options: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    check: Callable[[Values], object] = lambda values: None

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        return {
            name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in {**_OPTIONS, **self.options}.items()
        }

    def run(self, context: typer.Context, values: Values) -> Result:
        """Submit the jobs, or print the script for it."""
        from ampcli.executors.sbatch import sbatch_options, script
        from ampcli.executors.submit import python

        own = self.parameters
        line = CommandLine(context, values, frozenset({*own, "config", "json", "quiet"}))
        jobs = self.split(line, values)
        options = sbatch_options(values["sbatch"] or [], jobs)
        unset = sorted(
            name for name in (f"{context.auto_envvar_prefix}_{each.upper()}" for each in own) if name in os.environ
        )
        if values["emit_sbatch"]:
            from ampcli.cli.command import Result

            text = script(jobs, options, python(), unset)
            return Result({"script": text}, text)
        self.check({name: value for name, value in values.items() if name not in own})
        return _submitted(jobs, values, options, unset)


def _submitted(jobs: Jobs, values: Values, options: Mapping[str, str | bool], unset: list[str]) -> Result:
    from ampcli import interrupt
    from ampcli.cli.command import Result, progress_bar, resumable
    from ampcli.errors import AmpcliError
    from ampcli.executors.submit import log_of, submit, wait

    with interrupt.held():  # all jobs, or none
        started = submit(jobs, values["executor"], options, unset)
    document: dict[str, Any] = {
        "executor": started.kind,
        "jobs": started.ids,
        "tasks": len(started.tasks),
        "logs": str(started.folder),
    }
    what = f"{len(started.tasks)} task{'s' if len(started.tasks) > 1 else ''} of {jobs.name}"
    if started.kind == "slurm" and not values["wait"]:
        after = f", then job {started.ids[1]}" if started.finish else ""
        text = f"job {started.ids[0]}: {what}{after}; logs in {started.folder}"
        return Result(document | {"finished": False}, f"{text}\nsqueue --jobs {','.join(started.ids)}")
    kept = "finished parts are kept", "Run the same command again; gen with --resume."
    if started.kind == "slurm":
        kept = f"jobs {','.join(started.ids)} go on", f"scancel {' '.join(started.ids)} stops them."
    with resumable(*kept), progress_bar("tasks", len(started.tasks)) as advance:
        wait(started, advance)
    if failed := started.failed:
        logs = ", ".join(str(log_of(job)) for job in failed[:4])
        raise AmpcliError(
            f"{len(failed)} of the jobs of {jobs.name} ended without success: {logs}{', ...' if failed[4:] else ''}",
            "What is finished is kept: mend the cause, and run the same command again (gen with --resume).",
        )
    return Result(document | {"finished": True}, f"{what} done; logs in {started.folder}")


def one_job(cores: str | None = "threads") -> AsJobs:
    """A command that becomes one job; `cores`: the option that says how many it uses."""

    def split(line: CommandLine, values: Values) -> Jobs:
        from ampcli.executors.jobs import Jobs

        return Jobs(str(line.context.info_name), [line.words()], cores=values[cores] if cores else None)

    return AsJobs(split)


def gen_jobs(check: Callable[[Values], object]) -> AsJobs:
    """Shares of the parts of a store, then the end of it."""

    def split(line: CommandLine, values: Values) -> Jobs:
        from ampcli.executors.jobs import Jobs

        count, whole = values["tasks"], line.words(resume=True)
        if count == 1:
            return Jobs("gen", [whole], cores=values["workers"])
        tasks = [line.words(part=f"{n}/{count}", no_finish=True, resume=None) for n in range(1, count + 1)]
        return Jobs("gen", tasks, whole, line.words(part="slurm", resume=None), values["workers"])

    return AsJobs(split, {"tasks": TASKS}, check)


def features_jobs() -> AsJobs:
    """A job for each block."""

    def split(line: CommandLine, values: Values) -> Jobs:
        from ampcli.executors.jobs import Jobs

        return Jobs("features", [line.words(blocks=[block]) for block in values["blocks"]], cores=values["threads"])

    return AsJobs(split)


def train_jobs() -> AsJobs:
    """A job for each replica of each recipe."""

    def split(line: CommandLine, values: Values) -> Jobs:
        from ampcli.executors.jobs import Jobs
        from ampcli.training.seeds import recipe_seeds

        seeds = recipe_seeds(values["seed"], values["replicas"])
        tasks = [
            line.words(**recipe, seed=seed, replicas=None)
            for recipe in _recipes(line, values["name"], values["scan"] or [])
            for seed in seeds
        ]
        return Jobs("train", tasks, cores=values["threads"])

    return AsJobs(split, {"scan": SCAN})


def _recipes(line: CommandLine, name: str, scans: list[str]) -> list[dict[str, Any]]:
    """The options of each recipe of a scan, and the name of its models.

    Raises:
        UsageError: not of the form OPTION=VALUES, an unknown option, or two recipes of one name.
    """
    from ampcli.errors import UsageError

    axes: list[list[tuple[str, str, Any]]] = []
    for scan in scans:
        option, _, texts = scan.partition("=")
        key = option.removeprefix("--").replace("-", "_")
        if not texts.split() or key in ("name", "store", "seed", "replicas", "part_of"):
            raise UsageError(
                f"--scan {scan}: write it as OPTION=VALUES, for example learning-rate='1e-3 3e-4'",
                "Other seeds are replicas: --replicas N.",
            )
        axes.append([(key, text, line.checked(option, text)) for text in texts.split()])
    recipes = [
        {
            "name": "-".join([name, *(re.sub("[^A-Za-z0-9.]+", "-", text) for _, text, _ in chosen)]),
            **{key: value for key, _, value in chosen},
        }
        for chosen in itertools.product(*axes)
    ]
    if len({recipe["name"] for recipe in recipes}) < len(recipes):
        raise UsageError(f"--scan {', '.join(scans)}: two recipes have one name", "Give each value once.")
    return recipes
