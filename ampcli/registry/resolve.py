"""From ``name``, ``name@3`` or ``name@best`` to a folder: ``REGISTRY/NAME/VERSION``."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ampcli.errors import IntegrityError, LockedError, NotFoundError, UsageError
from ampcli.files import replacing, write_durably, writing
from ampcli.registry.manifest import NAME, VERSION, check_name

ALIASES = "aliases.json"

_VERSION = re.compile(VERSION)
_ALIAS = re.compile(rf"(?![0-9]+\Z){NAME}")
_RANGE = re.compile(rf"({VERSION})-({VERSION})")
_ALIAS_HINT = 'An alias has lower-case letters, digits, ".", "_" and "-", and is not a number.'
_LOCK_SECONDS = 30.0


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
            f"there is no registry {root}", "Name one with --registry or AMPCLI_REGISTRY; training makes it."
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
    """
    name, at, selector = reference.partition("@")
    check_name(name)
    if at and not (_VERSION.fullmatch(selector) or _ALIAS.fullmatch(selector)):
        raise UsageError(f'cannot read "{reference}": after "@" comes a version (1, 2, ...) or an alias', _ALIAS_HINT)
    known = names(root)
    if name not in known:
        raise NotFoundError(f'no model "{name}" in the registry {root}', f"It holds: {_listed(known)}.")
    available = versions(root, name)
    if not at:
        version = available[-1]
    elif _VERSION.fullmatch(selector):
        version = int(selector)
    else:
        movable = aliases(root, name)
        if selector not in movable:
            raise NotFoundError(
                f'"{name}" has no alias "{selector}" in the registry {root}',
                f"Aliases: {_listed(list(movable))}; versions: {_listed(available)}.",
            )
        version = movable[selector]
    if version not in available:
        raise NotFoundError(
            f'"{reference}": there is no version {version} in the registry {root}',
            f"Versions: {_listed(available)}.",
        )
    return root / name / str(version)


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
        IntegrityError: the file that holds them is not valid.
    """
    path = root / name / ALIASES
    try:
        return TypeAdapter(dict[str, int]).validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        return {}
    except ValidationError:
        raise IntegrityError(
            f'{path} is damaged: it should read like {{"best": 3}}', "Repair it by hand, or remove it."
        ) from None


def set_alias(root: Path, name: str, alias: str, version: int) -> None:
    """Let ``name@alias`` mean this version from now on.

    Raises:
        UsageError: the alias is no name, or reads like a version.
        NotFoundError: no such registry, model or version.
        LockedError: another process holds the aliases of this model for too long.
        AmpcliError: the registry cannot be written.
    """
    from filelock import FileLock, Timeout

    if _ALIAS.fullmatch(alias) is None:
        raise UsageError(f'"{alias}" cannot be an alias', _ALIAS_HINT)
    home = resolve(root, f"{name}@{version}").parent
    try:
        with (
            writing(home),
            FileLock(home / ".lock", timeout=_LOCK_SECONDS),
            replacing(home / ALIASES) as fresh,
        ):
            moved = {**aliases(root, name), alias: version}
            write_durably(fresh, TypeAdapter(dict[str, int]).dump_json(moved))
    except Timeout:
        raise LockedError(f"another process holds {home / '.lock'}", "Wait for it to end, then try again.") from None


def _listed(entries: list[str] | list[int]) -> str:
    return ", ".join(map(str, entries)) or "none"
