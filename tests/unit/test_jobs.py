"""What commands become as jobs, without submitting any: shares of arrays, options of sbatch, scripts."""

from __future__ import annotations

import pytest

from ampcli.errors import UsageError
from ampcli.executors.jobs import Jobs, array_share
from ampcli.executors.sbatch import sbatch_options
from ampcli.generation.generate import parse_part


def _task(number: int, numbers: range | list[int], step: int = 1) -> dict[str, str]:
    facts = {"ID": number, "COUNT": len(numbers), "MIN": min(numbers), "MAX": max(numbers), "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in facts.items()}


@pytest.mark.parametrize(
    ("numbers", "step"), [(range(4), 1), (range(1, 17), 1), (range(10, 31, 5), 5), (range(7, 8), 1)]
)
def test_shares_of_an_array(numbers: range, step: int) -> None:
    shares = [array_share(_task(number, numbers, step)) for number in numbers]
    assert shares == [(n, len(numbers)) for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "SLURM_ARRAY_TASK_ID is not set"),
        (_task(2, [1, 2, 7]), "not evenly spaced"),
        (_task(2, [1, 2, 4], 3), "not evenly spaced"),
        (_task(1, range(1, 3)) | {"SLURM_ARRAY_TASK_ID": "one"}, "SLURM_ARRAY_TASK_ID"),
    ],
)
def test_no_share(environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        array_share(environment)


def test_the_part_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _task(6, range(4, 9, 2), 2).items():
        monkeypatch.setenv(name, value)
    assert parse_part("slurm") == (2, 3)


def test_options_of_sbatch() -> None:
    jobs = Jobs("gen", [["gen"]], cores=4)
    options = sbatch_options(["partition=short", "--time=2:00:00", "exclusive", "export=A=1"], jobs)
    assert options["partition"] == "short"
    assert options["time"] == "2:00:00"
    assert options["exclusive"] is True
    assert options["export"] == "A=1"
    assert options["cpus-per-task"] == "4"


@pytest.mark.parametrize("text", ["", "=4", "Mem=4", "mem=4\n#SBATCH --x", "array=1-4", "--wrap=true"])
def test_no_options_of_sbatch(text: str) -> None:
    with pytest.raises(UsageError, match=r"sbatch"):
        sbatch_options([text], Jobs("gen", [["gen"]]))
