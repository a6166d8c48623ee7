"""The recipes that come with the project: every table is a command, every key one of its options."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import typer

from ampcli.cli.app import build_app

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = sorted((REPOSITORY / "recipes").rglob("*.toml"))


@pytest.fixture(scope="module")
def commands():
    return typer.main.get_command(build_app()).commands


def test_there_are_recipes_of_both_papers():
    assert {path.parent.name for path in RECIPES} == {"recipes", "fame"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_fit_the_commands(path, commands):
    tables = tomllib.loads(path.read_text())
    assert tables
    for name, values in tables.items():
        known = {parameter.name for parameter in commands[name].params}
        assert set(values) <= known, f"[{name}] of {path.name}"
