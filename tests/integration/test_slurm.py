"""Commands as jobs of a real Slurm: an array, killed and preempted tasks, a drained node, a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cluster
import pytest

from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

pytestmark = [
    pytest.mark.skipif(cluster.missing() is not None, reason=str(cluster.missing())),
    pytest.mark.timeout(600),  # Slurm takes its time
]

#: Amplitudes that keep a task at work while there is a file `closed`, once it has made a part.
GATED = """
import time
from pathlib import Path

calls = 0

def squared(momenta):
    global calls
    calls += 1
    while calls > 1 and Path("closed").exists():
        time.sleep(0.05)
    return momenta[:, 0, 0] * momenta[:, 2, 0]
"""
GEN = (
    "gen",
    "e- e+ > d d~ g",
    "gated.zarr",
    "--points",
    "8000",
    "--y-cut",
    "0.01",
    "--provider",
    "python:gated:squared",
)


@pytest.fixture(scope="module")
def slurm() -> Iterator[cluster.Slurm]:
    with cluster.running() as running:
        yield running


@pytest.fixture
def gated(ampcli: Ampcli, slurm: cluster.Slurm, tmp_path: Path) -> Ampcli:
    """The command, with a Slurm, where amplitudes wait."""
    (tmp_path / "gated.py").write_text(GATED)
    (tmp_path / "closed").touch()
    return type(ampcli)(tmp_path, ampcli.environment | slurm.variables | {"PYTHONPATH": str(Path(__file__).parents[2])})


@pytest.fixture(scope="module")
def digest(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the store that one process makes."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "gated.py").write_text(GATED)
    return str(type(ampcli)(folder, ampcli.environment).process(*GEN, "--json").document["digest"])


def test_killed_and_preempted_tasks(
    gated: Ampcli, slurm: cluster.Slurm, digest: str, tmp_path: Path, count_parts: Callable[[Path], int]
) -> None:
    """A task is killed, two are asked to stop, one is queued again by hand: these three go on, and the end waits."""
    store = tmp_path / "gated.zarr"
    submitted = gated.process(*GEN, "--executor", "slurm", "--tasks", "4", "--json").document
    array, end = submitted["jobs"]
    slurm.wait_until(lambda: count_parts(store) == 4)  # each has made a part, and is at work on the next
    slurm("scancel", "--signal=KILL", f"{array}_0")
    slurm("scancel", "--signal=TERM", f"{array}_1")
    slurm("scancel", "--signal=USR2", f"{array}_2")  # as near the time limit
    slurm("scontrol", "requeue", f"{array}_3")
    slurm.wait_until(lambda: slurm.states(array) == ["PENDING"] * 3)
    (tmp_path / "closed").unlink()
    slurm.wait_until(lambda: not slurm.states(array))
    assert [slurm.fact(f"{array}_{number}", "Restarts") for number in range(4)] == ["0", "1", "1", "1"]
    assert count_parts(store) == 7  # all but the second one of the task that was killed
    slurm.wait_until(lambda: not slurm.states(end))
    assert slurm.fact(end, "JobState") == "CANCELLED"
    again = (*GEN, "--executor", "slurm", "--tasks", "2", "--wait")
    gated.process.fails(2, *again, naming="exists already")
    gated.process(*again, "--resume")
    assert open_store(store).digest == digest


def test_the_script_through_a_time_limit_and_a_drained_node(
    gated: Ampcli, slurm: cluster.Slurm, digest: str, tmp_path: Path, count_parts: Callable[[Path], int]
) -> None:
    """`--emit-sbatch`: its tasks are asked to stop before their time is over, and go on; the last one ends it."""
    store, script = tmp_path / "gated.zarr", tmp_path / "gen.sh"
    script.write_text(gated(*GEN, "--executor", "slurm", "--tasks", "2", "--sbatch", "time=1", "--emit-sbatch").stdout)
    where = (f"--chdir={tmp_path}", "--parsable")
    slurm("sbatch", "--test-only", *where, script)
    array = slurm("sbatch", *where, script).strip()
    slurm.wait_until(lambda: count_parts(store) == 2)
    slurm("scontrol", "update", f"nodename={slurm.node}", "state=drain", "reason=test")
    slurm.wait_until(lambda: slurm.states(array) == ["PENDING", "PENDING"])
    (tmp_path / "closed").unlink()
    slurm("scontrol", "update", f"jobid={array}", "timelimit=10")  # else a slow machine would not get far in one minute
    slurm("scontrol", "update", f"nodename={slurm.node}", "state=resume")
    slurm.wait_until(lambda: not slurm.states(array))
    assert all(int(slurm.fact(f"{array}_{number}", "Restarts")) >= 1 for number in (1, 2))
    assert open_store(store).digest == digest


def test_a_refused_job(gated: Ampcli, slurm: cluster.Slurm) -> None:
    gated.fails(1, *GEN, "--executor", "slurm", "--sbatch", "partition=none", naming="Slurm refuses the jobs: sbatch")
