"""Extras: the table agrees with pyproject.toml, and what lacks one says so before any work."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest

from ampcli.amplitudes.artifacts import generator_version
from ampcli.amplitudes.ufo import find_model
from ampcli.cli.main import run
from ampcli.errors import AmpcliError
from ampcli.extras import EXTRAS, require, states

#: Commands in a Python in which packages cannot be imported, and are not known to be installed.
WITHOUT = """
import importlib.metadata, json, sys
gone = "matplotlib mplhep pyamplicol symbolica ufo_model_loader fastjet awkward madspace onnx lgatr lloca pylhe".split()
sys.modules.update(dict.fromkeys(gone))
real = importlib.metadata.version
def version(name):
    if name in gone:
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
from ampcli.cli.main import run
for line in sys.argv[1:]:
    print("code", run(line.split("|")), file=sys.stderr)
"""


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they were not installed."""

    def remove(*packages):
        real = importlib.metadata.version

        def version(package):
            if package in packages:
                raise importlib.metadata.PackageNotFoundError(package)
            return real(package)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return remove


def test_table_is_that_of_the_package(repository):
    declared = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(declared) == {*EXTRAS, "dev", "docs"}
    for name, extra in EXTRAS.items():
        packages = {re.match(r"[\w-]+", requirement)[0] for requirement in declared[name]}
        assert packages == set(extra.packages)
    everything = re.search(r"ampcli\[([\w,]+)\]", declared["dev"][0])[1]
    assert set(everything.split(",")) == {*EXTRAS, "docs"} - {"cuda"}


def test_states(without):
    assert states()["plots"].startswith("matplotlib ")
    without("mplhep", "madspace")
    assert states()["plots"] == 'mplhep not installed: plots. Install it: pip install "ampcli[plots]".'
    assert states()["lhc"].startswith("madspace not installed: proton collisions. ")
    assert "(Python 3.11 and 3.12)" in states()["lhc"]


def test_what_is_missing_is_named(without):
    require("plots")
    without("matplotlib", "mplhep", "pyamplicol", "ufo_model_loader")
    with pytest.raises(AmpcliError, match=r"plots need the packages matplotlib and mplhep") as refused:
        require("plots")
    assert refused.value.hint == 'Install it: pip install "ampcli[plots]".'
    with pytest.raises(AmpcliError, match="need the package pyamplicol"):
        generator_version()


def test_models_of_a_folder_without_pyamplicol(without, repository):
    without("ufo_model_loader")
    with pytest.raises(AmpcliError, match="need the package ufo_model_loader") as refused:
        find_model(str(repository / "tests" / "models" / "zprime"))
    assert "ampcli[pyamplicol]" in refused.value.hint


@pytest.mark.parametrize("command", ["eval", "trajectory", "speedup", "ansatz"])
def test_plots_are_asked_for_before_any_work(command, without, tmp_path, capsys):
    """None of the models and stores is there: they are not looked for."""
    without("matplotlib")
    words = {"ansatz": ["s.zarr", "fg1"], "trajectory": ["m"]}.get(command, ["m", "s.zarr"])
    assert run([command, *words, "--out", str(tmp_path / "plots")]) == 1
    assert 'Install it: pip install "ampcli[plots]".' in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


def test_commands_without_any_extra(tmp_path):
    """Points, features, a training and its evaluation, in numbers."""
    calls = [
        "gen|e- e+ > d d~ g|s.zarr|--points|500|-q",
        "features|s.zarr|fame|-q",
        "train|s.zarr|--model|fame|--name|m|--registry|r|--epochs|1|--hidden|8|--batch-size|64|-q",
        "eval|m|s.zarr|--registry|r|-q",
        "trajectory|m|--registry|r|--count|1|--points|5|-q",
        "doctor",
        "demo|d",
        "gen|g g > t t~ g|t.zarr|--momenta|none.npz",
    ]
    call = [sys.executable, "-c", WITHOUT, *calls]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    codes = [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("code ")]
    assert codes == [0, 0, 0, 0, 0, 0, 1, 2], done.stderr
    assert "pyamplicol (not installed)" in done.stdout
    *_, demo, top = done.stderr.split("code 0\n")[-1].split("code ")[:2]
    assert 'pip install "ampcli[plots]"' in demo
    assert 'pip install "ampcli[pyamplicol]"' in top
