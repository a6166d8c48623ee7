"""The keys of a command's document in tables, for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_INNER = "#/$defs/"


@dataclass(frozen=True)
class Table:
    """Keys of one object.

    Attributes:
        name: what other tables call it; the first has the name of the command.
        about: what it is.
        rows: key, type and meaning; keys that are not always there end in "?".
    """

    name: str
    about: str
    rows: list[tuple[str, str, str]]


def tables(name: str, schema: dict[str, Any]) -> Iterator[Table]:
    """The document, then the objects in it, by name."""
    yield Table(name, _about(schema), list(_rows(schema)))
    for inner, each in schema.get("$defs", {}).items():
        if "enum" not in each:
            yield Table(inner, each.get("description", ""), list(_rows(each)))


def _about(schema: dict[str, Any]) -> str:
    forms = [form["$ref"].removeprefix(_INNER) for form in schema.get("anyOf", []) if "$ref" in form]
    return f"One of: {', '.join(forms)}." if forms else schema.get("description", "")


def _rows(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", [])
    for key, each in schema.get("properties", {}).items():
        yield (key if key in required else f"{key}?"), _type(each), _meaning(each)
        if each.get("type") == "object" and "properties" in each:
            yield from ((f"{key}.{inner}", *rest) for inner, *rest in _rows(each))  # type: ignore[misc]
    for pattern, each in schema.get("patternProperties", {}).items():
        yield f"{pattern.removeprefix('^')}...", _type(each), _meaning(each)


def _meaning(schema: dict[str, Any]) -> str:
    default = schema.get("default")
    shown = f" Where it is missing: {default}." if isinstance(default, int | float | str) and default != "" else ""
    return f"{schema.get('description', '')}{shown}"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_INNER)
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return ", ".join(f'"{value}"' for value in schema["enum"])
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return " or ".join(dict.fromkeys(_type(form) for form in schema[either]))
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        entries = schema["prefixItems"] if "prefixItems" in schema else [schema.get("items", {})]
        return f"list of {' and '.join(dict.fromkeys(_type(entry) for entry in entries))}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"{_type(values)} by name"
    return str(kind)
