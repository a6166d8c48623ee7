"""Errors name settings as whoever reads them does."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from ampcli.cli.main import run
from ampcli.cli.output import flag
from ampcli.device import set_threads
from ampcli.errors import IntegrityError, UsageError, setting

CORE = sorted(
    path
    for path in (Path(__file__).parents[2] / "ampcli").rglob("*.py")
    if path.parent.name != "cli" and path.name not in ("demonstration.py", "provenance.py", "artifacts.py")
)


def test_settings_are_called_by_their_names_or_flags():
    error = UsageError(f"{setting('y_cut')} 2: a share is needed", f"Leave out {setting('two_stage')}.")
    assert str(error) == "y_cut 2: a share is needed\n  Leave out two_stage."
    assert error.told(flag) == "--y-cut 2: a share is needed\n  Leave out --two-stage."


def test_what_is_no_setting_stays():
    text = "a {brace}, --flag, \x1f, \x1fNot one\x1f and 100 %"
    assert UsageError(text).told(flag) == str(UsageError(text)) == text


def test_settings_within_another_error_and_from_another_process():
    first = UsageError(f"{setting('scale')} 3", f"Give a larger {setting('pt_min')}.")
    outer = IntegrityError(f"the store: {first.what}", first.hint)
    for error in (outer, pickle.loads(pickle.dumps(outer))):
        assert type(error) is IntegrityError
        assert error.told(flag) == "the store: --scale 3\n  Give a larger --pt-min."


def test_from_python_and_on_the_command_line(capsys):
    with pytest.raises(UsageError, match=r"^threads 0: at least one"):
        set_threads(0)
    assert run(["predict", "model", "events.npz", "out.npz", "--threads", "0"]) == 2
    err = capsys.readouterr().err
    assert "ampcli: error: --threads 0: at least one" in err
    assert "\x1f" not in err


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.name))
def test_the_core_does_not_speak_of_flags(path):
    """Whole command lines between backticks, and help texts of declared options, may."""
    raised = re.findall(r"(?:raise \w*Error|return UsageError|hint = )\((?:[^()]|\([^()]*\))*\)", path.read_text())
    for text in raised:
        assert not re.search(r"[\"' ]--[a-z]", re.sub(r"`[^`]*`", "", text)), text
