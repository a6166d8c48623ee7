"""An installed package that cannot be imported is in the way of nothing but itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from commands import Ampcli

REPOSITORY = Path(__file__).parents[2]
GROUPS = {"providers": "provider", "features": "features", "models": "kind of model"}
REASON = "RuntimeError: made for another version"


@pytest.fixture(scope="module")
def plugged(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Ampcli:
    """Commands in processes that find a package whose one module raises."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "outdated.py").write_text('raise RuntimeError("made for another version")\n')
    metadata = folder / "ampcli_outdated-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ampcli-outdated\nVersion: 1.0\n")
    points = "".join(f"[ampcli.{group}]\nold = outdated:THING\n" for group in GROUPS)
    (metadata / "entry_points.txt").write_text(points)
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    return type(ampcli)(ampcli.folder, ampcli.environment | {"PYTHONPATH": path}).process


@pytest.fixture(scope="module")
def store(plugged: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outdated") / "s.zarr"
    made = plugged("gen", "e- e+ > d d~ g", path, "--points", "500", "--y-cut", "0.01", "--json")
    assert made.document["plan"]["provider"]["name"] == "native"
    assert made.stderr == _warning("providers")
    return path


def _warning(group: str) -> str:
    return f'the {GROUPS[group]} "old" of ampcli-outdated cannot be loaded: {REASON}; going on without it\n'


def test_other_features_and_models(plugged: Ampcli, store: Path) -> None:
    assert plugged("features", store, "fame", "--threads", "1").stderr == _warning("features")
    small = ("--epochs", "1", "--hidden", "8", "--threads", "1")
    registry = store.with_name("registry")
    said = plugged("train", store, "--model", "fame", "--name", "m", *small, "--registry", registry).stderr
    assert said.count(_warning("models")) == 1
    assert set(said.splitlines(keepends=True)) <= {_warning("models"), _warning("features"), _warning("providers")}
    assert plugged("eval", "m", store, "--registry", registry, "--json").document["model"] == "m@1"


def test_help_and_completion(plugged: Ampcli) -> None:
    for command, group in (("features", "features"), ("train", "models")):
        assert plugged(command, "--help").stderr == _warning(group)
    asked = {"COMP_WORDS": "ampcli train s.zarr --model pl", "COMP_CWORD": "4", "_AMPCLI_COMPLETE": "complete_bash"}
    completed = plugged.run(variables=asked)
    assert (completed.stdout.split(), completed.stderr) == (["plain"], "")


def test_its_own_things_are_refused(plugged: Ampcli, store: Path) -> None:
    calls = {
        "providers": ("gen", "e- e+ > d d~ g", store.with_name("t"), "--points", "9", "--provider", "old"),
        "features": ("features", store, "old"),
        "models": ("train", store, "--model", "old", "--name", "x"),
    }
    for group, call in calls.items():
        refused = plugged.run(*call)
        assert refused.code == 1
        said = f'ampcli: error: the {GROUPS[group]} "old" of ampcli-outdated cannot be loaded: {REASON}\n'
        error = f"{said}  Mend or uninstall ampcli-outdated.\n"
        assert refused.stderr in (error, _warning(group) + error)
