"""What cannot name a model is refused by every command that publishes, and nothing is written anywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ampcli.cli.main import run
from ampcli.store.reader import Store

NO_NAMES = [
    "../evil",
    "/tmp/evil",
    "a/b",
    "..",
    ".hidden",
    "",
    "Upper",
    "two words",
    "a" * 129,
    "\udcff",
    "név",
    "a\nb",
]


def everything(folder: Path) -> set[bytes]:
    return {os.fsencode(path) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("command", ["train", "ensemble", "calibrate"])
def test_no_names(
    command: str, name: str, store3: Store, registry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "place" / "registry"
    shutil.copytree(registry, root)
    before = everything(tmp_path)
    calls = {
        "train": ["train", str(store3.path), "--epochs", "1", "--name", name],
        "ensemble": ["ensemble", name, "fame3@1", "fame3@2"],
        "calibrate": ["calibrate", "fame3@1", str(store3.path), "--name", name],
    }
    assert run([*calls[command], "--registry", str(root), "-q"]) == 2
    said = capsys.readouterr().err
    assert "cannot name a model" in said
    assert said.count("ampcli: error") == 1
    assert everything(tmp_path) == before
