"""Another package adds a provider, features and a kind of model; no file of ampcli knows of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from commands import Ampcli

REPOSITORY = Path(__file__).parents[2]
PROCESS = "e- e+ > u u~ g"
SMALL = ("--epochs", "12", "--hidden", "24,24", "--learning-rate", "3e-3", "--threads", "1")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as pip installs it."""
    source, target = (tmp_path_factory.mktemp("plugins") / name for name in ("source", "target"))
    shutil.copytree(REPOSITORY / "tests" / "plugins", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", target, source], check=True)
    return target


@pytest.fixture(scope="module")
def plugged(ampcli: Ampcli, installed: Path) -> Ampcli:
    """Commands in processes that find the package."""
    path = os.pathsep.join([str(installed), str(REPOSITORY)])
    return type(ampcli)(ampcli.folder, ampcli.environment | {"PYTHONPATH": path}).process


@pytest.fixture(scope="module")
def store(plugged: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photon") / "s.zarr"
    plugged("gen", PROCESS, path, "--points", "4k", "--y-cut", "0.01", "--provider", "photon")
    plugged("features", path, "string", "--threads", "1")
    return path


@pytest.fixture(scope="module")
def registry(plugged: Ampcli, store: Path) -> Path:
    root = store.with_name("registry")
    plugged("train", store, "--model", "tamed", "--tame", "0.001", "--name", "m", *SMALL, "--registry", root)
    return root


def test_the_amplitude_is_that_of_a_photon(installed: Path) -> None:
    """Our own engine with a Z that is too heavy to be seen."""
    sys.path.insert(0, str(installed))
    try:
        from ampcli_photon.provider import DEFAULTS, Photon
    finally:
        sys.path.remove(str(installed))
    from ampcli.amplitudes.providers import make_provider
    from ampcli.kinematics import with_beams
    from ampcli.phasespace.rambo import rambo
    from ampcli.process import parse_process

    momenta = with_beams(np.ascontiguousarray(rambo(np.random.default_rng(3).random((200, 3, 4)), 200.0)), 200.0)
    for text in (PROCESS, "e- e+ > d d~ g", "e+ e- > g s~ s"):
        process = parse_process(text)
        heavy = make_provider("native", process, {"m_z": 1e9})
        np.testing.assert_allclose(Photon(process, DEFAULTS).evaluate(momenta), heavy.evaluate(momenta), rtol=1e-9)


def test_no_file_of_ampcli_names_them() -> None:
    for path in (REPOSITORY / "ampcli").rglob("*.py"):
        assert not re.search(r"ampcli_photon|\btamed\b|PhotonKind|StringBlock", path.read_text()), path


def test_help_and_completion_know_them(plugged: Ampcli) -> None:
    assert "photon" in plugged("gen", "--help").stdout
    assert "string" in plugged("features", "--help").stdout
    train = plugged("train", "--help").stdout
    assert "tamed" in train
    assert "--tame" in train
    assert "Weight of the squared correction" in " ".join(train.split())

    def completed(words: str) -> list[str]:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_AMPCLI_COMPLETE": "complete_bash"}
        return plugged.run(variables=asked).stdout.split()

    assert completed("ampcli train s.zarr --model ta") == ["tamed"]
    assert completed("ampcli train s.zarr --tam") == ["--tame"]
    assert completed("ampcli gen P s.zarr --provider ph") == ["photon"]


def test_the_store_says_who_made_it(plugged: Ampcli, store: Path) -> None:
    plan = plugged(
        "gen", PROCESS, store.with_name("t"), "--points", "10", "--provider", "photon", "--dry-run", "--json"
    )
    provider = plan.document["plan"]["provider"]
    assert (provider["name"], provider["version"]) == ("photon", "1.0")
    changed = plugged(
        "gen", PROCESS, store.with_name("t"), "--points", "10", "--provider", "photon", "--parameter", "alpha_s=0.13",
        "--dry-run", "--json",
    )  # fmt: skip
    assert changed.document["plan"]["provider"]["parameters"]["alpha_s"] == 0.13


def test_the_model_is_a_good_one(plugged: Ampcli, store: Path, registry: Path) -> None:
    found = plugged("eval", "m", store, "--registry", registry, "--json").document
    assert found["overall"]["median_abs_delta"] < 0.05
    assert found["uncertainty_kind"] == "own"
    manifest = plugged("registry", "show", "m", "--registry", registry, "--json").document
    assert manifest["kind"] == "tamed"
    assert manifest["training"]["options"] == {"tame": 0.001}
    assert manifest["features"]["block"] == "string"
    plugged("registry", "verify", "m", "--registry", registry)


def test_it_predicts_and_speeds_up(plugged: Ampcli, store: Path, registry: Path) -> None:
    out = store.with_name("predicted.npz")
    plugged("predict", "m", store, out, "--registry", registry)
    exact = np.load(out)
    assert np.isfinite(exact["amplitude"]).all()
    report = plugged("speedup", "m", store, "--registry", registry, "--json").document
    assert "photon" in {strategy["provider"] for strategy in report["strategies"]}


def test_the_option_is_refused_for_others(plugged: Ampcli, ampcli: Ampcli, store: Path) -> None:
    plugged.fails(2, "train", store, "--model", "plain", "--tame", "1", "--name", "x", naming=("--tame", "plain"))
    plugged.fails(2, "train", store, "--model", "tamed", "--tame", "-1", "--name", "x", naming="--tame")
    plugged.fails(2, "features", store, "strings", naming=('"strings"', "string"))
    plugged.fails(2, "gen", "e- e+ > u u~ g g", store.with_name("g"), "--points", "9", "--provider", "photon",
                  naming="it is for e- e+ > q q~ g")  # fmt: skip


def test_without_the_package(ampcli: Ampcli, store: Path, registry: Path) -> None:
    ampcli.fails(2, "gen", PROCESS, store.with_name("g"), "--points", "9", "--provider", "photon",
                 naming='unknown provider "photon"')  # fmt: skip
    ampcli.fails(5, "eval", "m", store, "--registry", registry, naming="tamed")
    ampcli.fails(2, "train", store, "--model", "tamed", "--name", "x", naming="tamed")
