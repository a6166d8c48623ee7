"""Schemas of ``--json``.  That documents are what they say is tested wherever a test asks for one (`documents`)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from documents import faults

from ampcli.cli.app import build_app
from ampcli.cli.main import run
from ampcli.schemas.records import meanings
from ampcli.schemas.schema import commands, schema
from ampcli.store.plan import Plan

Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs `ampcli ...`; what it printed."""

    def command(*words: str, code: int = 0) -> str:
        assert run(list(words)) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return command


def _with_json(command: Any, name: str = "") -> Iterator[str]:
    for each in getattr(command, "commands", {}).values():
        yield from _with_json(each, f"{name} {each.name}".strip())
    if any("--json" in parameter.opts for parameter in command.params):
        yield name


def test_every_command_has_one() -> None:
    assert sorted(_with_json(typer.main.get_command(build_app()))) == commands()


def _objects(node: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if "properties" in node:
            yield where, node
        for key, value in node.items():
            yield from _objects(value, f"{where}.{key}")
    elif isinstance(node, list):
        for entry in node:
            yield from _objects(entry, where)


@pytest.mark.parametrize("command", commands())
def test_every_key_has_a_meaning(command: str) -> None:
    found = schema(command)
    jsonschema.Draft202012Validator.check_schema(found)
    for where, each in _objects(found, command):
        assert [key for key, value in each["properties"].items() if not value.get("description")] == [], where
        assert "additionalProperties" in each, where
    text = json.dumps(found)  # nothing leads elsewhere
    assert [mark for mark in ("common.json", "fieldsOf", '"$ref": "ampcli.') if mark in text] == []


def test_a_new_a_missing_and_a_wrong_value_are_refused(say: Say) -> None:
    document = json.loads(say("registry", "show", "ee-3jets", "--json"))
    assert not list(faults("registry show", document))
    assert "'new' was unexpected" in next(faults("registry show", document | {"new": 1}))
    inner = document | {"provider": document["provider"] | {"new": 1}}
    assert "provider: Additional properties" in next(faults("registry show", inner))
    without = {key: value for key, value in document.items() if key != "seal"}
    assert "'seal' is a required property" in next(faults("registry show", without))
    assert "process: 5 is not of type 'string'" in next(faults("registry show", document | {"process": 5}))


def test_meanings_stand_in_the_documentation_of_records() -> None:
    assert meanings(Plan)["n_final"] == "Legs in the final state."
    assert meanings(Part)["tried"] == meanings(Part)["wanted"] == "By a test."
    assert meanings(Part)["below"] == "Said below."


class Part:
    """A record.

    Attributes:
        rows: in the part; tried, wanted: by a
            test.
    """

    rows: int
    tried: int
    wanted: int
    below: int
    """Said below."""


def test_the_command(say: Say) -> None:
    assert say("schema").splitlines() == commands()
    text = say("schema", "store", "status")
    assert re.search(r"^  bytes +integer +On the disk\.$", text, re.MULTILINE)
    assert json.loads(say("schema", "gen", "--json")) == schema("gen")
    for unknown in ("registry lst", "common"):
        assert f'there is no schema of "{unknown}"' in say("schema", *unknown.split(), code=4)


def test_files_are_tidy() -> None:
    for file in (Path(__file__).parents[2] / "ampcli" / "schemas").glob("*.json"):
        text = file.read_text()
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
