"""From ``name``, ``name@3`` or ``name@best`` to a folder: ``REGISTRY/NAME/VERSION``.

Of several registries the first that has it counts: the name, the version, or the alias.  What an alias and a member of
an ensemble are pinned to is found by its checksum, in whichever registry it is.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

from ampcli.errors import IntegrityError, NotFoundError
from ampcli.registry import aliases as aliasing
from ampcli.registry.aliases import Pointer, read_pointers
from ampcli.registry.manifest import manifest_sha256
from ampcli.registry.naming import split_reference
from ampcli.registry.search import AnyRegistry, Registry, as_registry, is_version, names, versions

log = logging.getLogger(__name__)


def resolve(registry: AnyRegistry, reference: str) -> Path:
    """The folder of ``name@3``, of ``name@best`` (an alias), or of the newest version of ``name``.

    Raises:
        UsageError: not a reference at all.
        NotFoundError: no such model, version or alias.
        IntegrityError: damaged aliases, or one that meant another manifest.
    """
    registry = as_registry(registry)
    folder = _resolved(registry, reference)
    if registry.shipped is not None and folder.is_relative_to(registry.shipped) and registry.absent:
        _warn_of(", ".join(map(str, registry.absent)), folder.parent.name)
    return folder


def _resolved(registry: Registry, reference: str) -> Path:
    name, selector = split_reference(reference)
    having = [folder for folder in registry.folders if versions(folder, name)]
    if not having:
        held = list(dict.fromkeys(each for folder in registry.folders for each in names(folder)))
        raise NotFoundError(f'no model "{name}" in {registry}', f"Models there: {_listed(held)}.")
    if selector is None:
        return having[0] / name / str(versions(having[0], name)[-1])
    if isinstance(selector, int):
        return _version(registry, name, selector)
    for folder in registry.folders:
        if pointer := read_pointers(folder / name).get(selector):
            return _pointed(registry, reference, name, pointer)
    known = [alias for folder in registry.folders for alias in read_pointers(folder / name)]
    raise NotFoundError(
        f'"{name}" has no alias "{selector}" in {registry}',
        f"Aliases: {_listed(known)}; versions: {_listed(_all_versions(having, name))}.",
    )


@functools.cache  # once is enough
def _warn_of(absent: str, name: str) -> None:
    log.warning("there is no registry %s: %s is the one that ships with ampcli", absent, name)


def places(registry: AnyRegistry, name: str, version: int) -> list[Path]:
    """Folders of a version in all registries that have it, in order."""
    return [
        place
        for folder in as_registry(registry).folders
        if is_version(place := folder / name / str(version))
    ]  # fmt: skip


def references(folder: Path) -> list[str]:
    """All versions of all models in a registry's folder as ``name@version``."""
    return [f"{name}@{version}" for name in names(folder) for version in versions(folder, name)]


def aliases(folder: Path, name: str) -> dict[str, int]:
    """The aliases of a model in a registry's folder.

    Raises:
        IntegrityError: the file that holds them is not valid, or was changed since it was sealed.
    """
    return {alias: pointer.version for alias, pointer in read_pointers(folder / name).items()}


def set_alias(registry: AnyRegistry, reference: str, alias: str) -> Path:
    """Let ``name@alias`` mean a version, as it is now, from now on; returns its folder.

    The alias is written to the first registry, wherever the model is.

    Raises:
        UsageError: the alias is no name, or reads like a version.
        NotFoundError: no such model or version.
        LockedError: another process holds the aliases of this model for too long.
        AmpcliError: the registry cannot be written.
    """
    registry = as_registry(registry)
    folder = resolve(registry, reference)
    pointer = Pointer(version=int(folder.name), manifest_sha256=manifest_sha256(folder))
    aliasing.set_alias(registry.top / folder.parent.name, alias, pointer)
    return folder


def _version(registry: AnyRegistry, name: str, version: int) -> Path:
    if found := places(registry, name, version):
        return found[0]
    registry = as_registry(registry)
    raise NotFoundError(
        f'"{name}@{version}": there is no version {version} in {registry}',
        f"Versions: {_listed(_all_versions(registry.folders, name))}.",
    )


def _pointed(registry: AnyRegistry, reference: str, name: str, pointer: Pointer) -> Path:
    first = _version(registry, name, pointer.version)
    if pointer.manifest_sha256 is None:
        return first
    for folder in places(registry, name, pointer.version):
        if manifest_sha256(folder) == pointer.manifest_sha256:
            return folder
    raise IntegrityError(
        f'"{reference}": version {pointer.version} is not the one that the alias was given to',
        "Import the model again, or give the alias anew.",
    )


def _all_versions(folders: Sequence[Path], name: str) -> list[int]:
    return sorted({version for folder in folders for version in versions(folder, name)})


def _listed(entries: list[str] | list[int]) -> str:
    return ", ".join(map(str, entries)) or "none"
