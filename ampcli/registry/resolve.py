"""From ``name``, ``name@3`` or ``name@best`` to a folder: ``REGISTRY/NAME/VERSION``."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from ampcli.errors import IntegrityError, NotFoundError, UsageError, setting
from ampcli.files import read_file, replacing, write_durably, writing
from ampcli.locks import locked
from ampcli.registry.manifest import NAME, VERSION, check_name, manifest_sha256
from ampcli.seal import check_seal, sealed

ALIASES = "aliases.json"

_VERSION = re.compile(VERSION)
_ALIAS = re.compile(rf"(?![0-9]+\Z){NAME}")
_RANGE = re.compile(rf"({VERSION})-({VERSION})")
_ALIAS_HINT = 'An alias has lower-case letters, digits, ".", "_" and "-", and is not a number.'
_LOCK_SECONDS = 30.0


class _Pointer(BaseModel):
    """What an alias means: a version, pinned by the checksum of its manifest (None: from a file without pins)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    manifest_sha256: str | None

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, value: object) -> object:
        """``{"best": 3}`` was the whole file once."""
        return {"version": value, "manifest_sha256": None} if type(value) is int else value


_POINTERS = TypeAdapter(dict[str, _Pointer])


def registry_root(path: Path | None = None) -> Path:
    """The registry's folder: `path`, else ``AMPCLI_REGISTRY``, else ``./registry``; it need not exist."""
    return path or Path(os.environ.get("AMPCLI_REGISTRY") or "registry")


def names(root: Path) -> list[str]:
    """Names of the models that have a version, sorted.

    Raises:
        NotFoundError: there is no such registry.
    """
    if not root.is_dir():
        raise NotFoundError(
            f"there is no registry {root}",
            f"Name one with {setting('registry')} or AMPCLI_REGISTRY; training makes it.",
        )
    return sorted(
        folder.name for folder in root.iterdir() if re.fullmatch(NAME, folder.name) and versions(root, folder.name)
    )


def versions(root: Path, name: str) -> list[int]:
    """Versions of a model, oldest first; none if there is no such model."""
    home = root / name
    if not home.is_dir():
        return []
    return sorted(int(v.name) for v in home.iterdir() if _VERSION.fullmatch(v.name) and v.is_dir())


def references(root: Path) -> list[str]:
    """All versions of all models as ``name@version``.

    Raises:
        NotFoundError: there is no such registry.
    """
    return [f"{name}@{version}" for name in names(root) for version in versions(root, name)]


def resolve(root: Path, reference: str) -> Path:
    """The folder of ``name@3``, of ``name@best`` (an alias), or of the newest version of ``name``.

    Raises:
        UsageError: not a reference at all.
        NotFoundError: no such registry, model, version or alias.
        IntegrityError: damaged aliases, or one that meant another manifest.
    """
    name, at, selector = reference.partition("@")
    check_name(name)
    if at and not (_VERSION.fullmatch(selector) or _ALIAS.fullmatch(selector)):
        raise UsageError(f'cannot read "{reference}": after "@" comes a version (1, 2, ...) or an alias', _ALIAS_HINT)
    available = versions(root, name)
    if not available:
        raise NotFoundError(f'no model "{name}" in the registry {root}', f"It holds: {_listed(names(root))}.")
    movable: dict[str, _Pointer] = {}
    if not at:
        version = available[-1]
    elif _VERSION.fullmatch(selector):
        version = int(selector)
    else:
        movable = _pointers(root / name)
        if selector not in movable:
            raise NotFoundError(
                f'"{name}" has no alias "{selector}" in the registry {root}',
                f"Aliases: {_listed(list(movable))}; versions: {_listed(available)}.",
            )
        version = movable[selector].version
    if version not in available:
        raise NotFoundError(
            f'"{reference}": there is no version {version} in the registry {root}',
            f"Versions: {_listed(available)}.",
        )
    folder = root / name / str(version)
    if selector in movable and movable[selector].manifest_sha256 not in (None, manifest_sha256(folder)):
        raise IntegrityError(
            f'"{reference}": version {version} is not the one that the alias was given to',
            "Import the model again, or give the alias anew.",
        )
    return folder


def expand_range(reference: str) -> list[str]:
    """``name@1-20`` as ``name@1`` ... ``name@20``; any other reference alone.

    Raises:
        UsageError: the range runs backwards.
    """
    name, _, selector = reference.partition("@")
    found = _RANGE.fullmatch(selector)
    if found is None:
        return [reference]
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise UsageError(f'"{reference}": the range of versions is empty', f"Write {name}@{last}-{first}.")
    return [f"{name}@{version}" for version in range(first, last + 1)]


def aliases(root: Path, name: str) -> dict[str, int]:
    """The movable names of a model's versions.

    Raises:
        IntegrityError: the file that holds them is not valid, or was changed since it was sealed.
    """
    return {alias: pointer.version for alias, pointer in _pointers(root / name).items()}


def _pointers(home: Path) -> dict[str, _Pointer]:
    path = home / ALIASES
    hint = "Remove it, and set the aliases anew with `ampcli registry alias`."
    try:
        document = json.loads(read_file(path))
        if isinstance(document, dict) and isinstance(document.get("aliases"), dict):
            check_seal(document, path, hint)
            document = document["aliases"]
        return _POINTERS.validate_python(document, strict=True)
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, RecursionError):  # a ValidationError is a ValueError
        raise IntegrityError(f"{path} is damaged: it is no file of aliases", hint) from None


def set_alias(root: Path, name: str, alias: str, version: int) -> None:
    """Let ``name@alias`` mean this version, as it is now, from now on.

    Raises:
        UsageError: the alias is no name, or reads like a version.
        NotFoundError: no such registry, model or version.
        LockedError: another process holds the aliases of this model for too long.
        AmpcliError: the registry cannot be written.
    """
    if _ALIAS.fullmatch(alias) is None:
        raise UsageError(f'"{alias}" cannot be an alias', _ALIAS_HINT)
    home = resolve(root, f"{name}@{version}").parent
    busy = f"another process holds {home / '.lock'}"
    with (
        writing(home),
        locked(home / ".lock", busy, "Wait for it to end, then try again.", _LOCK_SECONDS),
        replacing(home / ALIASES) as fresh,
    ):
        pointer = _Pointer(version=version, manifest_sha256=manifest_sha256(home / str(version)))
        moved = _POINTERS.dump_python({**_pointers(home), alias: pointer})
        write_durably(fresh, json.dumps(sealed({"aliases": moved})).encode())


def _listed(entries: list[str] | list[int]) -> str:
    return ", ".join(map(str, entries)) or "none"
