"""JSON Schemas of records, from their types and from what their documentation says of their fields."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_SECTION = re.compile(r"^Attributes:\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)
_REFERENCE = re.compile(r"`+([^`]+)`+")


def schema_of(record: type) -> dict[str, Any]:
    """The JSON Schema of what a record (a pydantic model or a dataclass) is in a document; others are in its $defs."""
    return TypeAdapter(record).json_schema(mode="serialization", schema_generator=_Described)


def meanings(record: type) -> dict[str, str]:
    """What the documentation of a class says of its fields: its section "Attributes", and texts below fields."""
    found: dict[str, str] = {}
    for each in reversed(record.__mro__):
        if each not in (object, BaseModel):
            found |= _of_section(each.__doc__ or "") | _below_fields(each)
    return found


def _of_section(documentation: str) -> dict[str, str]:
    section = _SECTION.search(inspect.cleandoc(documentation))
    if section is None:
        return {}
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", textwrap.dedent(section[1]).strip()):
        text = " ".join(entry.split())
        # "points: in its store; tried: for them."
        for piece in re.split(r"; (?=\w+(?:, \w+)*: )", text):
            names, colon, meaning = piece.partition(": ")
            if colon:
                found |= dict.fromkeys(names.split(", "), _plain(meaning))
    return found


def _below_fields(record: type) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                found[name] = _plain(meaning)
    return found


def _plain(text: str) -> str:
    """Without the marks of code, and as a sentence."""
    plain = _REFERENCE.sub(r"\1", " ".join(text.split())).rstrip(".")
    return plain[:1].upper() + plain[1:] + "."


class _Described(GenerateJsonSchema):
    """With the meaning of fields, without titles (they repeat names), and closed: a record has no other fields."""

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:
        """Serialisers of ours leave fields out (`records.base.without_later`); the others stay what they are."""
        return None if schema["type"] == "function-wrap" else super().ser_schema(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return self._described(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return self._described(super().dataclass_schema(schema), schema["cls"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def _described(self, found: JsonSchemaValue, record: type) -> JsonSchemaValue:
        found.pop("title", None)
        found["description"] = _plain((inspect.getdoc(record) or "").split("\n\n")[0])
        for name, meaning in meanings(record).items():
            if name in found.get("properties", {}):
                found["properties"][name].setdefault("description", meaning)
        # one without fields stands for those that have some (options of models and of features)
        found["additionalProperties"] = not found.get("properties")
        return found
