"""Commands as jobs: the scripts that they print, and the same jobs as processes of this machine."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ampcli.registry.manifest import read_manifest
from ampcli.store.reader import Store, open_store

if TYPE_CHECKING:
    from commands import Ampcli

SCRIPT = ("--executor", "slurm", "--emit-sbatch")
ASKED = ("e- e+ > d d~ g", "--points", "5k", "--y-cut", "0.01")


def _lines(script: str) -> list[list[str]]:
    """The command lines of the tasks, without the interpreter; bash has to understand the script."""
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    starts = ("srun ", "[0-9]+[)] set -- ")
    found = [re.fullmatch(f"(?:{'|'.join(starts)})(.*?)(?: ;;)?", line) for line in script.splitlines()]
    lines = [shlex.split(match[1]) for match in found if match and '"$@"' not in match[0]]
    return [words[words.index("ampcli") + 1 :] if "ampcli" in words else words for words in lines]


def test_scripts(ampcli: Ampcli) -> None:
    def lines(*words: str) -> list[list[str]]:
        return _lines(ampcli(*words, *SCRIPT, "--sbatch", "mem=8G").stdout)

    asked = ["gen", ASKED[0], "s.zarr", *ASKED[1:]]
    assert lines(*asked, "--tasks", "16") == [[*asked, "--part", "slurm"]]
    assert lines(*asked, "--resume") == [[*asked, "--resume"]]
    features = ["features", "s.zarr"]
    assert lines(*features, "fame", "antenna", "--replace") == [
        [*features, "fame", "--replace"],
        [*features, "antenna", "--replace"],
    ]
    train = ["train", "s.zarr", "--name"]
    assert lines(*train, "m", "--replicas", "2", "--seed", "5", "--scan", "learning-rate=1e-3 3e-4") == [
        [*train, f"m-{rate}", "--seed", seed, "--learning-rate", str(float(rate))]
        for rate in ("1e-3", "3e-4")
        for seed in ("5", "6")
    ]
    assert lines("eval", "a", "b", "s.zarr") == [["eval", "a", "b", "s.zarr"]]
    assert lines("predict", "a", "s.zarr", "o.npz", "--threads", "3") == [
        ["predict", "a", "s.zarr", "o.npz", "--threads", "3"]
    ]


def test_settings_of_variables_and_files(ampcli: Ampcli, tmp_path: Path) -> None:
    """They become words of the tasks, which must not submit jobs in their turn."""
    (tmp_path / "gen.toml").write_text('[gen]\npoints = "7k"\nexecutor = "slurm"\nsbatch = ["partition=short"]\n')
    variables = {"AMPCLI_GEN_SEED": "9", "AMPCLI_GEN_EMIT_SBATCH": "1"}
    script = ampcli("gen", ASKED[0], "s.zarr", "--config", tmp_path / "gen.toml", variables=variables).stdout
    assert "#SBATCH --partition=short\n" in script
    assert "\nunset AMPCLI_GEN_EMIT_SBATCH\n" in script
    [words] = _lines(script)
    assert words == ["gen", ASKED[0], "s.zarr", "--points", "7k", "--seed", "9", "--resume"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tasks", "2"), "--tasks has no effect without --executor"),
        (("--executor", "local", "--sbatch", "mem=1G"), "--sbatch has no effect without --executor slurm"),
        (("--executor", "local", "--part", "1/2"), "--part has no effect with --executor"),
        (("--executor", "slurm", "--sbatch", "array=1-3"), "--sbatch array=1-3: ampcli sets array itself"),
        (("--executor", "local", "--provider", "none"), "none"),
        (("--no-finish",), "--no-finish has no effect without --part"),
    ],
)
def test_refused(ampcli: Ampcli, words: tuple[str, ...], said: str) -> None:
    ampcli.fails(2, "gen", ASKED[0], "s.zarr", *ASKED[1:], *words, naming=said)


@pytest.mark.parametrize("scan", ["learning-rate", "seed=1 2", "learning-rate=much", "rate=1", "preset=small small"])
def test_no_scan(ampcli: Ampcli, scan: str) -> None:
    ampcli.fails(2, "train", "s.zarr", "--name", "m", *SCRIPT, "--scan", scan, naming="")


@pytest.fixture
def here(ampcli: Ampcli, tmp_path: Path) -> Ampcli:
    """The command in a folder of the test, where jobs find this ampcli."""
    return type(ampcli)(tmp_path, ampcli.environment | {"PYTHONPATH": str(Path(__file__).parents[2])})


@pytest.mark.timeout(600)  # ten interpreters start, some after others
def test_on_this_machine(here: Ampcli, make_store: Callable[..., Path], tmp_path: Path) -> None:
    """`--executor local`: tasks that a signal stops keep what is finished; they end in the store of one process."""
    gen = ("gen", *ASKED[:1], "shared.zarr", *ASKED[1:], "--executor", "local", "--tasks", "2")
    with here.started(*gen) as running:
        running.wait_until(lambda: (tmp_path / "shared.zarr").is_dir())
        running.signal(signal.SIGTERM)
        stopped = running.end()
    assert stopped.code == 75
    assert "finished parts are kept" in stopped.stderr
    here.process(*gen, "--resume")
    alone = make_store(tmp_path / "alone.zarr", "5k", "--y-cut", "0.01")
    assert open_store(tmp_path / "shared.zarr").digest == open_store(alone).digest


def test_training_on_this_machine(here: Ampcli, store3: Store, tmp_path: Path) -> None:
    small = ("--hidden", "8", "--epochs", "1", "--threads", "1", "--registry", "r", "--executor", "local")
    here.process("train", store3.path, "--name", "m", *small, "--replicas", "2")
    trainings = [read_manifest(tmp_path / "r" / "m" / str(version)).training for version in (1, 2)]
    assert sorted(training.seeds for training in trainings if training is not None) == [(1,), (2,)]


def test_a_task_that_fails(here: Ampcli) -> None:
    failed = here.process.fails(1, "eval", "m", "none.zarr", "--executor", "local", naming="ended without success")
    log = re.search(r"/\S+\.out", failed.stderr)
    assert log is not None
    assert "ampcli: error: " in Path(log[0]).read_text()
