"""Aliases: movable names of a model's versions, ``REGISTRY/NAME/aliases.json``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from ampcli.errors import IntegrityError, NotFoundError
from ampcli.files import read_file, replacing, write_durably, writing
from ampcli.locks import locked
from ampcli.registry.naming import check_alias
from ampcli.seal import check_seal, sealed

ALIASES = "aliases.json"

_LOCK_SECONDS = 30.0


class Pointer(BaseModel):
    """What an alias means: a version, pinned by the checksum of its manifest (None: from a file without pins)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    manifest_sha256: str | None

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, value: object) -> object:
        """``{"best": 3}`` was the whole file once."""
        return {"version": value, "manifest_sha256": None} if type(value) is int else value


_POINTERS = TypeAdapter(dict[str, Pointer])


def read_pointers(home: Path) -> dict[str, Pointer]:
    """The aliases in the folder of a name; none if there are none.

    Raises:
        IntegrityError: the file that holds them is not valid, or was changed since it was sealed.
    """
    path = home / ALIASES
    try:
        return parsed_pointers(read_file(path), path)
    except (FileNotFoundError, NotADirectoryError):
        return {}


def parsed_pointers(content: bytes, where: object) -> dict[str, Pointer]:
    """The aliases that an ``aliases.json`` holds.

    Args:
        where: it was read from, for the message.

    Raises:
        IntegrityError: it is not valid, or was changed since it was sealed.
    """
    hint = "Remove it, and set the aliases anew with `ampcli registry alias`."
    try:
        document = json.loads(content)
        if isinstance(document, dict) and isinstance(document.get("aliases"), dict):
            check_seal(document, where, hint)
            document = document["aliases"]
        return _POINTERS.validate_python(document, strict=True)
    except (ValueError, KeyError, RecursionError):  # a ValidationError is a ValueError
        raise IntegrityError(f"{where} is damaged: it is no file of aliases", hint) from None


def set_alias(home: Path, alias: str, pointer: Pointer) -> None:
    """Let an alias of the name whose folder this is mean a version from now on; the folder is made if need be.

    Raises:
        UsageError: the alias is no name, or reads like a version.
        LockedError: another process holds the aliases of this model for too long.
        AmpcliError: the registry cannot be written.
    """
    check_alias(alias)
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
    _change(home, lambda pointers: {**pointers, alias: pointer})


def remove_alias(home: Path, alias: str) -> None:
    """Forget an alias of the name whose folder this is.

    Raises:
        NotFoundError: there is none.
        LockedError, AmpcliError: as `set_alias`.
    """

    if not home.is_dir():
        raise NotFoundError(f'there is no "{home.name}" in the registry {home.parent}')

    def without(pointers: dict[str, Pointer]) -> dict[str, Pointer]:
        if alias not in pointers:
            raise NotFoundError(f'"{home.name}" has no alias "{alias}" in the registry {home.parent}')
        return {each: pointer for each, pointer in pointers.items() if each != alias}

    _change(home, without)


def _change(home: Path, changed: Callable[[dict[str, Pointer]], dict[str, Pointer]]) -> None:
    """Read, change and write the aliases, alone."""
    busy = f"another process holds {home / '.lock'}"
    with writing(home), locked(home / ".lock", busy, "Wait for it to end, then try again.", _LOCK_SECONDS):
        pointers = changed(read_pointers(home))
        with replacing(home / ALIASES) as fresh:
            write_durably(fresh, json.dumps(sealed({"aliases": _POINTERS.dump_python(pointers)})).encode())
