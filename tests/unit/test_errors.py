"""Errors name settings as Python does, and the command line as flags."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from ampcli.cli.main import run
from ampcli.errors import UsageError, setting, with_flags

ERROR = UsageError(f"{setting('y_cut')} 0.4: too large", f"Lower {setting('y_cut')}, or give {setting('momenta')}.")
CORE = sorted(
    path
    for path in (Path(__file__).parents[2] / "ampcli").rglob("*.py")
    if path.parent.name != "cli" and path.name not in ("demonstration.py", "provenance.py", "artifacts.py")
)


def test_in_python():
    assert str(ERROR) == "y_cut 0.4: too large\n  Lower y_cut, or give momenta."


def test_on_the_command_line():
    assert ERROR.on_command_line == "--y-cut 0.4: too large\n  Lower --y-cut, or give --momenta."
    assert with_flags("nothing to turn") == "nothing to turn"


def test_errors_of_workers_keep_them():
    assert pickle.loads(pickle.dumps(ERROR)).on_command_line == ERROR.on_command_line


def test_errors_in_errors_keep_them():
    outer = UsageError(f"a model: {ERROR.what}", ERROR.hint)
    assert outer.on_command_line == f"a model: {ERROR.on_command_line}"
    assert str(outer) == f"a model: {ERROR}"


def test_a_command_shows_flags(tmp_path, capsys):
    assert run(["gen", "e- e+ > d d~ g", str(tmp_path / "s"), "--points", "9", "--y-cut", "0.4"]) == 2
    said = capsys.readouterr().err
    assert "--y-cut 0.4 is impossible" in said
    assert said.isprintable() or set(said) - set("\n") == set(filter(str.isprintable, said))


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.name))
def test_the_core_does_not_speak_of_flags(path):
    """Whole command lines between backticks, and help texts of declared options, may."""
    raised = re.findall(r"(?:raise \w*Error|return UsageError|hint = )\((?:[^()]|\([^()]*\))*\)", path.read_text())
    for text in raised:
        assert not re.search(r"[\"' ]--[a-z]", re.sub(r"`[^`]*`", "", text)), text
