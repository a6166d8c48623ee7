"""Documents of ``--json`` in tests: each is what the schema of its command says."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema

from ampcli.schemas import schema


def check(arguments: Sequence[str], document: str) -> None:
    """Compare what a command wrote with its schema: a key without a meaning there, or one that is missing, fails."""
    told = next(faults(command_of(arguments), json.loads(document)), None)
    assert told is None, f"`ampcli schema {command_of(arguments)}` does not allow this: {told}"


def command_of(arguments: Sequence[str]) -> str:
    """The command of a command line: "gen", "registry list"."""
    two = " ".join(arguments[:2])
    return two if two in schema.commands() else arguments[0]


def faults(command: str, document: Any) -> Iterator[str]:
    """What a schema has against a document."""
    for error in _validator(command).iter_errors(document):
        # of several forms, the one that the document is most like
        nearest = min(_forms(error), key=len)
        yield "; ".join(f"{'.'.join(map(str, each.absolute_path))}: {each.message[-300:]}" for each in nearest)


def _forms(error: jsonschema.ValidationError) -> list[list[jsonschema.ValidationError]]:
    forms: dict[object, list[jsonschema.ValidationError]] = {}
    for each in error.context or ():
        forms.setdefault(each.schema_path[0], []).append(each)
    return list(forms.values()) or [[error]]


@functools.cache
def _validator(command: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema.schema(command))
