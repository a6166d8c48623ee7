"""`ampcli demo`, scaled down, with its commands run within the process of the test."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from drawing import undrawn

from ampcli import chain, demonstration
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from conftest import Ampcli

Started = list[list[str]]

#: The models and where their plots are.
MODELS = {
    "ee-3jets-plain@1": "ee-3jets-plain",
    "ee-3jets-fame@1": "ee-3jets-fame-1",
    "ee-3jets-fame-mean@1": "ee-3jets-fame-mean",
    "ee-3jets-plus@1": "ee-3jets-plus",
}


@pytest.fixture(scope="module")
def started(ampcli: Ampcli) -> Iterator[Started]:
    """The command lines that demonstrations start, of which only those of 3 jets are asked for."""
    lines: Started = []

    def start(words: list[str], env: dict[str, str], stdout: Any, cwd: None) -> SimpleNamespace:
        assert words[1:3] == ["-m", "ampcli"]
        lines.append(words[3:])
        outcome = ampcli.run(*words[3:], variables={"AMPCLI_REGISTRY": env["AMPCLI_REGISTRY"]})
        stdout.write(outcome.stdout + outcome.stderr)
        return SimpleNamespace(wait=lambda: outcome.code, terminate=lambda: None)

    with undrawn(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "subprocess", SimpleNamespace(Popen=start))
        small = {**demonstration._JETS[3], "hidden": "8,8"}
        patch.setattr(demonstration, "_JETS", {3: small})
        patch.setattr(demonstration, "_PLUS", {"hidden": "8,8,8", "epochs": 2})
        yield lines


@pytest.fixture(scope="module")
def demo(ampcli: Ampcli, started: Started, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, str]:
    """A finished demonstration: its folder, its document and what it said.  Read only."""
    folder = tmp_path_factory.mktemp("demo") / "d"
    said = ampcli("demo", folder, "--scale", "0.001", "--json")
    return folder, said.document, said.stderr


def test_its_commands_and_what_they_made(demo: tuple[Path, Any, str]) -> None:
    folder, document, said = demo
    lines = [line.split()[2] for line in said.splitlines() if line.startswith("$ ampcli ")]
    learned = ["gen", "features", "train", "train", "ensemble", "train"]
    assert lines == [*learned, *(["eval"] * 4), "trajectory", "registry"]
    assert open_store(folder / "ee-3jets.zarr").rows == 2000
    versions = (folder / "registry" / "ee-3jets-fame").iterdir()
    assert {path.name for path in versions if path.is_dir()} == {"1", "2", "3"}
    plots = {path.name for path in (folder / "plots").iterdir() if path.is_dir()}
    assert plots == {*MODELS.values(), "trajectories-3jets"}
    errors = json.loads((folder / "plots" / "errors-3jets.json").read_text())
    assert len(errors["log10_abs_delta_percent"]["histograms"]) == 4
    assert [model["model"] for model in document["models"]] == list(MODELS)


def test_the_table_holds_what_eval_found(demo: tuple[Path, Any, str]) -> None:
    folder, document, _ = demo
    assert json.loads((folder / "results.json").read_text()) == document
    table = (folder / "results.txt").read_text().splitlines()
    heads, *rows = ([cell.strip() for cell in line.split("  ") if cell.strip()] for line in table)
    assert heads == list(demonstration._COLUMNS)
    assert [row[0] for row in rows] == list(MODELS)
    for row, model, plots in zip(rows, document["models"], MODELS.values(), strict=True):
        found = json.loads((folder / "plots" / plots / "evaluation.json").read_text())
        assert model == {"jets": 3, **found}
        overall, sigma = found["overall"], found["cross_section"]
        cells = dict(zip(heads, row, strict=True))
        assert (cells["jets"], cells["test points"]) == ("3", str(found["points"]))
        for head, numbers, key in (
            ("median |Delta|", overall, "median_abs_delta"),
            ("mean |Delta|", overall, "mean_abs_delta"),
            ("cross section", sigma, "relative_difference"),
        ):
            value, error = _with_error(cells[head])
            assert error == pytest.approx(100 * numbers[f"{key}_error"], rel=0.05)  # it has two digits
            assert value == pytest.approx(100 * numbers[key], abs=0.05 * error)
        for head, key in (("> 1 %", "1%"), ("> 5 %", "5%")):
            share = float(cells[head].removesuffix(" %"))
            assert share == pytest.approx(100 * overall["outside"][key]["value"], abs=0.006)


def _with_error(cell: str) -> tuple[float, float]:
    """Value and error of ``0.573(21) %``, or of ``5.7e+02 +- 2.1e+01 %``."""
    if found := re.fullmatch(r"(\S+) \+- (\S+) %", cell):
        return float(found[1]), float(found[2])
    found = re.fullmatch(r"(-?\d+(?:\.(\d+))?)\((\d+)\) %", cell)
    assert found is not None, cell
    return float(found[1]), int(found[3]) / 10 ** len(found[2] or "")


def test_a_second_run_does_nothing_again(ampcli: Ampcli, demo: tuple[Path, Any, str], started: Started) -> None:
    folder, document, _ = demo
    before = len(started)
    again = ampcli("demo", folder, "--scale", "0.001", "--json")
    assert len(started) == before
    assert all(line.endswith("(done already)") for line in again.stderr.splitlines() if line.startswith("$ "))
    assert again.document["models"] == document["models"]


def test_what_failed_is_named_and_done_again(
    ampcli: Ampcli, demo: tuple[Path, Any, str], started: Started, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    shutil.copytree(demo[0], folder)
    notes = json.loads((folder / "demo.json").read_text())
    notes["done"] = {line.replace(str(demo[0]), str(folder)): taken for line, taken in notes["done"].items()}
    verify, _ = notes["done"].popitem()
    assert verify == "ampcli registry verify"
    (folder / "demo.json").write_text(json.dumps(notes))
    probe = folder / "registry" / "ee-3jets-plain" / "1" / "probe.safetensors"  # which `verify` alone reads
    whole = probe.read_bytes()
    probe.write_bytes(whole[:-4])
    before = len(started)
    failed = ampcli.run("demo", folder, "--scale", "0.001")
    assert failed.code == 1
    assert "`ampcli registry verify` failed with exit code 5" in failed.stderr
    probe.write_bytes(whole)
    ampcli("demo", folder, "--scale", "0.001")
    assert [line[:2] for line in started[before:]] == [["registry", "verify"]] * 2


@pytest.mark.parametrize(
    ("notes", "code", "naming"),
    [
        (None, 2, "holds something else"),
        ('{"settings": {"scale": 1.0}, "done": {}}', 2, "a demonstration with other settings: scale 1.0"),
        ('{"settings": {}}', 5, "demo.json is damaged"),
        ("[", 5, "demo.json is damaged"),
    ],
)
def test_folders_that_hold_something_else(
    ampcli: Ampcli, started: Started, tmp_path: Path, notes: str | None, code: int, naming: str
) -> None:
    (tmp_path / ("mine.txt" if notes is None else "demo.json")).write_text(notes or "mine")
    before = len(started)
    ampcli.fails(code, "demo", tmp_path, "--scale", "0.001", naming=naming)
    assert len(started) == before
    assert len(list(tmp_path.iterdir())) == 1
