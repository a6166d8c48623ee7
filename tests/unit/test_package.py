"""The package: one version, what ships with it, and what its metadata says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ampcli
from ampcli import shipped
from ampcli.registry.resolve import names


def test_one_version(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    citation = (repository / "CITATION.cff").read_text()
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == ampcli.__version__
    assert re.search(r"^## (\S+)", (repository / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == ampcli.__version__


def test_a_checkout_ships_what_it_holds(repository):
    assert shipped.shipped_folder("registry") == repository / "registry"
    recipes = shipped.shipped_recipes()
    assert recipes["fame/3jets"] == repository / "recipes" / "fame" / "3jets.toml"
    assert len(recipes) == len(list((repository / "recipes").rglob("*.toml")))


@pytest.fixture(scope="module")
def built(repository, tmp_path_factory):
    """The Python part of the package, as a wheel would hold it."""
    out = tmp_path_factory.mktemp("build")
    call = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(out)]
    subprocess.run(call, cwd=repository, check=True, capture_output=True)
    return out / "ampcli"


def test_a_build_holds_models_recipes_and_types(built, repository):
    assert (built / "py.typed").is_file()
    assert names(built / "shipped" / "registry") == names(repository / "registry")
    for folder in ("registry", "recipes"):
        ours = {p.relative_to(repository): p.read_bytes() for p in files(repository / folder)}
        theirs = {p.relative_to(built / "shipped"): p.read_bytes() for p in files(built / "shipped" / folder)}
        assert theirs == ours


def test_an_installed_package_finds_its_own(built, tmp_path):
    """Beside it may lie folders of the same names, of somebody else."""
    (built.parent / "registry").mkdir()
    script = "from ampcli.shipped import *; print(shipped_folder('registry')); print(*shipped_recipes())"
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, cwd=built.parent, env={"PATH": ""}, capture_output=True, text=True, check=True)
    registry, recipes = done.stdout.splitlines()
    assert Path(registry) == built / "shipped" / "registry"
    assert "fame/3jets" in recipes.split()


def files(folder):
    """All files that are no hidden ones (locks)."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
