"""The schema of a command's document, whole: nothing in it leads elsewhere."""

from __future__ import annotations

import functools
import importlib
import json
from importlib import resources
from typing import Any

from ampcli.errors import NotFoundError
from ampcli.schemas.records import schema_of

_COMMON = "common.json#/$defs/"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def commands() -> list[str]:
    """Commands that have a schema, as they are typed: "gen", "registry list"."""
    files = resources.files("ampcli.schemas").iterdir()
    names = [file.name.removesuffix(".json") for file in files if file.name.endswith(".json")]
    return sorted(name.replace("-", " ") for name in names if name != "common")


def schema(command: str) -> dict[str, Any]:
    """What ``ampcli COMMAND --json`` writes, as a JSON Schema.

    Raises:
        NotFoundError: no such command.
    """
    if command not in commands():
        raise NotFoundError(f'there is no schema of "{command}"', f"There are {', '.join(commands())}.")
    read = _read(command.replace(" ", "-"))
    defs: dict[str, Any] = {}
    whole = {"$schema": _DIALECT, "title": f"ampcli {command} --json", **_resolved(read, defs)}
    return whole | {"$defs": dict(sorted((whole.get("$defs", {}) | defs).items()))} if defs else whole


@functools.cache
def _read(name: str) -> Any:
    return json.loads(resources.files("ampcli.schemas").joinpath(f"{name}.json").read_text())


def _resolved(node: Any, defs: dict[str, Any]) -> Any:
    """With references to `defs`, which gets what they name."""
    if isinstance(node, list):
        return [_resolved(entry, defs) for entry in node]
    if not isinstance(node, dict):
        return node
    found = {key: _resolved(value, defs) for key, value in node.items() if key != "fieldsOf"}
    reference = node.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        found["$ref"] = _named(reference, defs)
    if "fieldsOf" in node:
        record = _record(node["fieldsOf"], defs)
        found["properties"] = found.get("properties", {}) | record["properties"]
        found["required"] = [*found.get("required", []), *record.get("required", [])]
    return found


def _named(reference: str, defs: dict[str, Any]) -> str:
    if reference.startswith(_COMMON):
        name = reference.removeprefix(_COMMON)
        if name not in defs:
            defs[name] = {}  # what it needs may need it
            defs[name] = _resolved(_read("common")["$defs"][name], defs)
    else:
        name = reference.partition(":")[2]
        if name not in defs:
            defs[name] = _record(reference, defs)
    return f"#/$defs/{name}"


def _record(reference: str, defs: dict[str, Any]) -> dict[str, Any]:
    """The schema of a record; others that it has go to `defs`."""
    module, _, name = reference.partition(":")
    found = schema_of(getattr(importlib.import_module(module), name))
    defs |= found.pop("$defs", {})
    itself: dict[str, Any] | None = defs.get(name)  # where it may hold others of its kind
    return itself if itself is not None and "$ref" in found else found
