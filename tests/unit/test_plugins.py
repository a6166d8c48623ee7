"""Catalogues: our own things, those of entry points, and what is wrong with them."""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ampcli import plugins
from ampcli.errors import AmpcliError, UsageError
from ampcli.plugins import Catalogue

_OURS = {"pi": "math:pi", "e": "math:e"}


def _catalogue(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str], packages: Sequence[str] = ()) -> Catalogue[Any]:
    """Of numbers; each is brought by the package of the same place, or by nobody knows whom."""
    points = [EntryPoint(name, value, "ampcli.test") for name, value in theirs.items()]
    for point, package in zip(points, packages, strict=False):
        vars(point)["dist"] = SimpleNamespace(name=package)
    return _of_points(monkeypatch, points)


def _of_points(monkeypatch: pytest.MonkeyPatch, points: list[EntryPoint]) -> Catalogue[Any]:
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == "ampcli.test" else [])
    return Catalogue("number", float, "ampcli.test", _OURS)


def test_ours_and_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = _catalogue(monkeypatch, {"tau": "math:tau"})
    assert numbers.names == ("pi", "e", "tau")
    assert [round(number, 3) for number in numbers] == [3.142, 2.718, 6.283]
    assert "tau" in numbers
    assert "phi" not in numbers


def test_names_import_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "bad" in _catalogue(monkeypatch, {"bad": "no.such.module:x"})


@pytest.mark.parametrize(
    ("theirs", "asked", "error", "naming"),
    [
        ({}, "po", UsageError, 'unknown number "po"'),
        ({"tau": "math:tau"}, "tua", UsageError, "Did you mean tau?"),
        ({"bad": "no.such.module:x"}, "bad", AmpcliError, "cannot be loaded"),
        ({"bad": "math:no_such_name"}, "bad", AmpcliError, "cannot be loaded"),
        ({"bad": "math:sin"}, "bad", AmpcliError, "is no float"),
        (
            {"pi": "math:tau"},
            "pi",
            AmpcliError,
            'an installed package adds a number "pi", a name that is taken by one of',
        ),
        ({"pi": "math:tau"}, "e", AmpcliError, "taken by one of ampcli itself"),
    ],
)
def test_refusals(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str], asked: str, error: type[AmpcliError], naming: str
) -> None:
    numbers = _catalogue(monkeypatch, theirs)
    with pytest.raises(error) as caught:
        numbers[asked]
    assert naming in str(caught.value)


def test_two_packages_with_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("tau", value, "ampcli.test") for value in ("math:tau", "cmath:tau", "math:tau")]
    for point, package in zip(points, ("ampcli-first", "ampcli-second", "ampcli-first"), strict=True):
        vars(point)["dist"] = SimpleNamespace(name=package)
    said = 'ampcli-second adds a number "tau", a name that is taken by one of ampcli-first\n  Uninstall ampcli-second'
    for ask in (lambda numbers: numbers["tau"], list, lambda numbers: numbers.find("pi")):
        with pytest.raises(AmpcliError, match=re.escape(said)):
            ask(_of_points(monkeypatch, points[:2]))
    assert _of_points(monkeypatch, points[::2])["tau"] == math.tau  # one package that is found in two folders


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('not\\nhere')", "SystemExit: not here"),
        ("class Own(BaseException): ...\nraise Own('so')", "Own: so"),
        ("from ampcli.errors import UsageError\nraise UsageError('so')", "UsageError: so"),
        ("", "has no attribute 'x'"),
        ("x = 1", '"bad" of ampcli-bad is no float'),
    ],
)
def test_what_cannot_be_imported_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, content: str, reason: str
) -> None:
    counted = "from pathlib import Path\nwith Path(__file__).with_name('ran').open('a') as ran:\n    ran.write('x')\n"
    (tmp_path / "is_bad.py").write_text(counted + content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "is_bad", raising=False)
    numbers = _catalogue(monkeypatch, {"bad": "is_bad:x", "tau": "math:tau"}, ["ampcli-bad"])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert [round(number, 3) for number in numbers] == [3.142, 2.718, 6.283]
            assert numbers.find("bad") is None
    (warning,) = caplog.messages
    assert warning.startswith('the number "bad" of ampcli-bad ')
    assert reason in warning
    assert "\n" not in warning
    for _ in range(2):
        with pytest.raises(AmpcliError, match=re.escape(reason)) as caught:
            numbers["bad"]
        assert caught.value.exit_code == 1
    assert (tmp_path / "ran").read_text() == "x"  # imported once
    sys.modules.pop("is_bad", None)


def test_a_signal_is_no_fault_of_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "is_slow.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        list(_catalogue(monkeypatch, {"slow": "is_slow:x"}))
