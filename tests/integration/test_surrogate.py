"""`ampcli surrogate`: the forecast, the surrogate, what is done twice, and what is refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from drawing import undrawn

from ampcli import chain
from ampcli.automation import surrogate, trials
from ampcli.kinematics import with_beams
from ampcli.registry.manifest import read_manifest
from ampcli.speedup import timing
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

PROCESS = "e- e+ > u u~ g"
ASKED = ("--events", "1e9", "--tolerance", "0.5:0.05", "--workers", "1", "--gen", "--sampling mixed")

Started = list[list[str]]


@pytest.fixture(scope="module")
def started(ampcli: Ampcli) -> Iterator[Started]:
    """The commands that are started; trials are as small as they can be."""
    lines: Started = []

    def start(words: list[str], env: dict[str, str], stdout: Any, cwd: None) -> SimpleNamespace:
        lines.append(words[3:])
        outcome = ampcli.run(*words[3:])
        stdout.write(outcome.stdout + outcome.stderr)
        return SimpleNamespace(wait=lambda: outcome.code, terminate=lambda: None)

    def ask(words: list[str], capture_output: bool, text: bool, check: bool) -> SimpleNamespace:
        outcome = ampcli.run(*words[3:])
        return SimpleNamespace(returncode=outcome.code, stdout=outcome.stdout, stderr=outcome.stderr)

    with undrawn(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "subprocess", SimpleNamespace(Popen=start, run=ask))
        patch.setattr(trials, "LOOKS", 20_000)
        patch.setattr(trials, "LEAST_EPOCHS", 2)
        patch.setattr(trials, "LONGER", 1)
        patch.setattr(trials, "_ROUNDS", 1)
        patch.setattr(timing, "_REPEATS", 1)
        patch.setattr(timing, "_LEAST_SECONDS", 0.01)
        patch.setattr(surrogate, "_FIRST", 300)
        patch.setattr(surrogate, "_TRIAL_EVENTS", (3000, 3000))
        patch.setattr(surrogate, "_MOST_EVENTS", 6000)
        yield lines


@pytest.fixture(scope="module")
def folder(ampcli: Ampcli, started: Started, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a surrogate that was asked for by its number of events."""
    place = tmp_path_factory.mktemp("surrogate")
    made = ampcli("surrogate", PROCESS, *ASKED, "--points", "4k", "--out", place / "s", "--registry", place / "r")
    (place / "said.txt").write_text(made.stdout)
    return place


def test_forecast_and_surrogate(folder: Path) -> None:
    forecast, made = (json.loads((folder / "s" / f"{name}.json").read_text()) for name in ("forecast", "made"))
    assert {each["model"] for each in forecast["tried"]} == {"fame+", "fq1+", "nofa+"}
    assert {each["preset"] for each in forecast["tried"]} == {"fast", "residual"}
    assert "native computes the exact" in forecast["refused"]["ratio"]
    assert [row["events"] for row in forecast["rows"]] == [4000]
    assert forecast["exact_seconds"] > 0
    assert made["model"] == "emep-uuxg@1"
    manifest = read_manifest(folder / "r" / "emep-uuxg" / "1")
    assert manifest.dataset.digest == open_store(folder / "s" / "events-4000.zarr").digest
    assert manifest.training is not None
    assert manifest.training.epochs_done == forecast["chosen"]["epochs"]
    for words in ("forecast", "came out", "times faster", "break-even", "emep-uuxg@1"):
        assert words in (folder / "said.txt").read_text()


def test_nothing_is_done_twice(ampcli: Ampcli, folder: Path, started: Started) -> None:
    before = len(started)
    again = ("surrogate", PROCESS, *ASKED, "--out", folder / "s", "--registry", folder / "r")
    found = ampcli(*again, "--points", "4k", "--dry-run", "--json").document
    assert found["made"] is None
    assert found["forecast"] == json.loads((folder / "s" / "forecast.json").read_text())
    ampcli(*again, "--points", "4k")
    assert len(started) == before


def test_what_does_not_pay(ampcli: Ampcli, started: Started, tmp_path: Path) -> None:
    """A network takes longer than an amplitude of 3 jets; and few events need no trial."""
    asked = ("surrogate", PROCESS, "--registry", tmp_path / "r", "--workers", "1")
    few = ampcli(*asked, "--events", "1000", "--out", tmp_path / "few")
    assert "No surrogate pays" in few.stdout
    assert not (tmp_path / "few" / "trial.zarr").exists()
    many = ampcli(*asked, "--events", "1e9", "--tolerance", "1e-4:0.05", "--out", tmp_path / "many")
    assert "No surrogate pays" in many.stdout
    assert not (tmp_path / "r").exists()


def test_events_of_a_file(ampcli: Ampcli, started: Started, tmp_path: Path) -> None:
    """By an amplitude that is known as a function; ours is its reference."""
    ampcli("gen", PROCESS, tmp_path / "tree", "--points", "2k", "--sampling", "mixed")
    momenta = with_beams(open_store(tmp_path / "tree").read("momenta"))
    np.savez(tmp_path / "f.npz", momenta=momenta)
    (tmp_path / "mine_k.py").write_text(
        "from ampcli.amplitudes.providers import make_provider\n"
        "from ampcli.process import parse_process\n"
        "def value(momenta):\n"
        '    tree = make_provider("native", parse_process("e- e+ > u u~ g")).evaluate(momenta)\n'
        "    return tree * (1.2 + 0.1 * momenta[:, 4, 0] / 500)\n"
    )
    here = type(ampcli)(tmp_path, ampcli.environment)
    gen = f"--momenta {tmp_path / 'f.npz'} --provider python:mine_k:value"
    asked = ("surrogate", PROCESS, "--events", "1e9", "--tolerance", "0.5:0.1", "--gen", gen, "--out", tmp_path / "s")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        found = here(*asked, "--dry-run", "--registry", tmp_path / "r", "--json").document["forecast"]
    assert found["provider"] == "python:mine_k:value"
    error = {each["model"]: each["curve"]["errors"][-1] for each in found["tried"]}
    assert error["ratio"] < 0.5 * error["nofa+"]
    assert [row["events"] for row in found["rows"]] == [2000]


@pytest.mark.parametrize(
    ("process", "gen", "code", "naming"),
    [
        ("e- e+ > d d~ x", "--sampling mixed", 2, 'unknown particle "x"'),
        (PROCESS, "--y-cut 2", 2, "--y-cut 2"),
        (PROCESS, "--momenta nothing.npz", 4, "nothing.npz"),
        (PROCESS, "--provider python:nothing:here", 4, "no module nothing"),
        (PROCESS, "--nonsense 3", 2, "No such option: --nonsense"),
    ],
)
def test_what_gen_refuses(
    ampcli: Ampcli, started: Started, process: str, gen: str, code: int, naming: str, tmp_path: Path
) -> None:
    """One error, with gen's exit code, and no folder."""
    asked = ("surrogate", process, "--events", "1e9", "--gen", gen, "--out", tmp_path / "s")
    ampcli.fails(code, *asked, "--registry", tmp_path / "r", naming=naming)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_keeps_what_is_done(ampcli: Ampcli, tmp_path: Path) -> None:
    """Exit code 75, the command that runs ends as well, and the next run goes on."""
    asked = ("surrogate", PROCESS, "--events", "1e9", "--gen", "--sampling mixed", "--out", tmp_path / "s")
    with ampcli.started(*asked, "--registry", tmp_path / "r") as running:
        running.wait_until(lambda: "ampcli features" in running.stderr)
        running.signal(signal.SIGTERM)
        outcome = running.end()
    assert outcome.code == 75
    assert "Run the same command again" in outcome.stderr
    notes = json.loads((tmp_path / "s" / "surrogate.json").read_text())
    assert [line.split()[1] for line in notes["done"]][:2] == ["gen", "gen"]


@pytest.mark.parametrize(
    ("change", "naming"),
    [
        (("--tolerance", "0.1:0.05"), "other settings: accuracy 0.5"),
        (("--gen", "--seed 4"), "--seed is set by this command"),
        (("--gen", "--signed"), "squared amplitudes"),
        (("--name", "../x"), "cannot name a model"),
    ],
)
def test_refusals(
    ampcli: Ampcli, folder: Path, started: Started, change: tuple[str, str], naming: str, tmp_path: Path
) -> None:
    place = tmp_path / "s" if "--signed" in change else folder / "s"
    outcome = ampcli.run("surrogate", PROCESS, *ASKED, *change, "--out", place, "--registry", folder / "r")
    assert outcome.code in (1, 2)
    assert naming in outcome.stderr
