"""The campaign of faults (tests/faults) in short: a few trials of each kind, none of which is a fault of ampcli."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.skipif(sys.platform != "linux", reason="faults below a program are those of Linux"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> list[dict[str, str]]:
    """What the campaign recorded."""
    out = tmp_path_factory.mktemp("faults")
    command = [sys.executable, "-m", "faults", "--short", "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(repository / "tests")}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for file in sorted(out.glob("*.jsonl")) for line in file.read_text().splitlines()]


def test_nothing_is_lost_or_wrong(trials: list[dict[str, str]]) -> None:
    assert [trial for trial in trials if trial["verdict"] not in ("survived", "detected", "harmless")] == []


def test_the_faults_took_place(trials: list[dict[str, str]]) -> None:
    """A campaign whose faults never strike would find nothing."""
    verdicts = {
        name: [t["verdict"] for t in trials if t["campaign"] == name] for name in ("flips", "shortages", "fuzz")
    }
    assert all("detected" in found for found in verdicts.values())
    killed = [trial["case"] for trial in trials if trial["campaign"] == "kills" and ", 0 killed" not in trial["case"]]
    assert len(killed) >= 5
    assert sum(trial["campaign"] == "crowds" for trial in trials) == 2
