"""Catalogues: our own things, those of entry points, and what is wrong with them."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from ampcli import plugins
from ampcli.errors import AmpcliError, UsageError
from ampcli.plugins import Catalogue

_OURS = {"pi": "math:pi", "e": "math:e"}


def _catalogue(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str]) -> Catalogue[Any]:
    points = [EntryPoint(name, value, "ampcli.test") for name, value in theirs.items()]
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
        ({"pi": "math:tau"}, "pi", AmpcliError, "is taken"),
    ],
)
def test_refusals(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str], asked: str, error: type[AmpcliError], naming: str
) -> None:
    numbers = _catalogue(monkeypatch, theirs)
    with pytest.raises(error) as caught:
        numbers[asked]
    assert naming in str(caught.value)
