"""Things of other packages in the catalogues, for the time of a test."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from ampcli.plugins import Brought, Catalogue


def plug(monkeypatch: pytest.MonkeyPatch, catalogue: Catalogue[Any], **things: Any) -> None:
    """Put things into a catalogue as if a package had brought them; a text is the entry point's value itself."""
    module = ModuleType("brought_by_a_package")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    points = {}
    for name, thing in things.items():
        setattr(module, name, thing)
        value = thing if isinstance(thing, str) else f"{module.__name__}:{name}"
        points[name] = Brought(catalogue.sort, catalogue.base, EntryPoint(name, value, str(catalogue.group)))
    monkeypatch.setitem(vars(catalogue), "_theirs", points)
