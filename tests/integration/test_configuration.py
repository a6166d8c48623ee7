"""Where an option's value comes from: flag, then variable, then --config, then default."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ampcli

THREE_JETS = "e- e+ > d d~ g"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Sets points, seed and y-cut."""
    file = tmp_path / "gen.toml"
    file.write_text('[gen]\npoints = "3k"\nseed = 33\ny-cut = 0.03\n')
    return file


def test_precedence(ampcli: Ampcli, config: Path) -> None:
    call = ("gen", THREE_JETS, "s.zarr", "--dry-run", "--json", "--config", config)
    variables = {"AMPCLI_GEN_SEED": "22", "AMPCLI_GEN_Y_CUT": "0.02"}
    plan = ampcli(*call, "--y-cut", "0.01", variables=variables).document["plan"]
    assert plan["source"]["y_cut"] == 0.01  # flag, variable and file
    assert plan["source"]["seed"] == 22  # variable and file
    assert plan["points"] == 3000  # file
    assert plan["source"]["sqrt_s"] == 1000.0  # default
    assert not (ampcli.folder / "s.zarr").exists()


def test_registry_variable_and_flag(ampcli: Ampcli, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    call = ("registry", "list", "--json")
    variables = {"AMPCLI_REGISTRY": str(tmp_path / "a")}
    assert ampcli(*call, variables=variables).document["registry"] == str(tmp_path / "a")
    flagged = ampcli(*call, "--registry", tmp_path / "b", variables=variables)
    assert flagged.document["registry"] == str(tmp_path / "b")
    (tmp_path / "registry").mkdir()
    assert ampcli(*call, cwd=tmp_path).document["registry"] == "registry"  # the default: ./registry


def test_a_saved_configuration_makes_the_same_store(ampcli: Ampcli, config: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    made = ampcli("gen", THREE_JETS, "s.zarr", "--config", config, "--points", "2k", "--json", cwd=first).document
    saved = first / "s.zarr" / ".ampcli" / "gen.toml"
    values = tomllib.loads(saved.read_text())["gen"]
    assert (values["process"], values["points"], values["seed"], values["y_cut"]) == (THREE_JETS, "2k", 33, 0.03)
    again = ampcli("gen", "--config", saved, "--json", cwd=second).document
    assert again["digest"] == made["digest"]
    assert (second / "s.zarr" / "zarr.json").is_file()


def test_configurations_that_cannot_be_read(ampcli: Ampcli, tmp_path: Path) -> None:
    file = tmp_path / "gen.toml"
    call = ("gen", THREE_JETS, tmp_path / "s.zarr", "--config", file)
    ampcli.fails(4, *call, naming=("no configuration file", "gen.toml"))
    for text, naming in {
        "points = ": "is not TOML",
        "pionts = 3": ("pionts", "Known: ", "points"),
        "[train]\nepochs = 3": "train",
        "gen = 3": ("gen.toml", "gen"),
        '[gen]\npoints = "3k"\nworkers = "two"': "--workers",
        "[gen]\npoints = [1, 2]": "--points",
    }.items():
        file.write_text(text)
        ampcli.fails(2, *call, naming=naming)
    file.write_bytes(b"\xff\xfe\x00")
    ampcli.fails(2, *call, naming="is not TOML")
    assert not (tmp_path / "s.zarr").exists()


def test_a_variable_of_the_wrong_type(ampcli: Ampcli) -> None:
    ampcli.fails(
        2,
        *("gen", THREE_JETS, "s.zarr", "--points", "1k"),
        variables={"AMPCLI_GEN_WORKERS": "two"},
        naming="--workers",
    )


def test_a_full_standard_output(ampcli: Ampcli, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ampcli", "registry", "list", "--registry", str(tmp_path)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=ampcli.environment, check=False
        )
    assert done.returncode == 1
    assert "no space left" in done.stderr
