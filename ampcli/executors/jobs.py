"""What a command becomes as jobs: command lines, each of which a user could type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ampcli.errors import UsageError, setting

Words = Sequence[str]


@dataclass(frozen=True)
class Jobs:
    """The tasks of a command, and what comes after all of them."""

    name: str
    """Of the command: gen, train, ..."""
    tasks: Sequence[Words]
    """Words of a command line for each task; a task that is repeated goes on where it stopped."""
    finish: Words | None = None
    """Words of the command line that ends the work once all tasks are done."""
    alike: Words | None = None
    """The same words for every task of a Slurm array, where the number of the task is all that differs."""
    cores: int | None = None
    """Cores that a task uses; None: not known."""


def array_share(environment: Mapping[str, str]) -> tuple[int, int]:
    """The share I of N of a task of a Slurm array, whatever numbers its tasks have.

    Raises:
        UsageError: this is no task of an array, or the numbers of the array have gaps.
    """
    number, count, least, most, step = (
        _number(environment, f"SLURM_ARRAY_TASK_{name}") for name in ("ID", "COUNT", "MIN", "MAX", "STEP")
    )
    share, rest = divmod(number - least, step)
    if rest or not 0 <= share < count or least + (count - 1) * step != most:
        raise UsageError(
            f"{setting('part')} slurm: the numbers of the array are not evenly spaced",
            "Give a range: `sbatch --array=1-16`.",
        )
    return share + 1, count


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except (KeyError, ValueError):
        raise UsageError(
            f"{setting('part')} slurm: {name} is not set: this is no task of a Slurm array",
            "Submit it with `sbatch --array=1-16`, or write I/N.",
        ) from None
