"""Models that come from elsewhere: all are verified before any appears, and none takes the place of another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ampcli.errors import IntegrityError
from ampcli.files import rename_if_free, sync_folder, writing
from ampcli.registry.manifest import MANIFEST, manifest_sha256
from ampcli.registry.removal import is_removed, removed_manifest, unmark_removed
from ampcli.registry.search import AnyRegistry, as_registry
from ampcli.registry.sets import read_entry
from ampcli.registry.storage import PROBE, WEIGHTS, Check, verify

FILES = (WEIGHTS, PROBE, MANIFEST)
"""Of a version, the manifest last: without it the others are nothing."""


def take_in(registry: AnyRegistry, folders: Sequence[Path], source: object, check: Check | None = None) -> list[str]:
    """Move versions into the first folder of a registry.

    A version that is already there, identical, is left as it is; damaged weights or probes of it are replaced.

    Args:
        folders: of the versions in a staged registry, which holds their members too; in the order of appearance.
        source: where they come from, for messages.
        check: recomputes the probe's predictions as well.

    Returns:
        The models, as ``name@version``.

    Raises:
        IntegrityError: one does not verify, or is another than the registry has, or had, under its name.
        AmpcliError: the registry cannot be written.
    """
    registry = as_registry(registry)
    for folder in folders:
        verify(folder, check)
    for folder in folders:
        for root in registry.named:
            if os.path.lexists(place := root / folder.parent.name / folder.name):
                _require_same(folder, place, source)
    with writing(registry.top):
        for folder in folders:
            _add(folder, registry.top / folder.parent.name / folder.name, source)
    return [f"{folder.parent.name}@{folder.name}" for folder in folders]


def _add(folder: Path, target: Path, source: object) -> None:
    """Put a verified version where it belongs, unless it is there already.

    Raises:
        IntegrityError: a different version of that name is there, or one whose manifest cannot be read.
    """
    target.parent.mkdir(exist_ok=True)
    if not os.path.lexists(target) and rename_if_free(folder, target):
        return
    _require_same(folder, target, source)
    if is_removed(target):
        _move_files(folder, target)
        unmark_removed(target)
        return
    try:
        verify(target)
    except IntegrityError:  # the manifest says what the other files are: these
        _move_files(folder, target)


def _move_files(folder: Path, target: Path) -> None:
    for name in FILES:
        if (folder / name).exists():
            (folder / name).replace(target / name)
    sync_folder(target)


def _require_same(folder: Path, target: Path, source: object) -> None:
    reference = f"{target.parent.name}@{target.name}"
    if is_removed(target):
        there, what = removed_manifest(target), f"{target} was a different model from {reference} in {source}"
    else:
        try:
            read_entry(target)
        except IntegrityError as error:
            raise IntegrityError(error.what, f"Remove {target}, then take {source} again.") from None
        there, what = manifest_sha256(target), f"{target} is a different model from {reference} in {source}"
    if manifest_sha256(folder) != there:
        raise IntegrityError(
            what,
            "Versions never change: import it under another name (`ampcli registry import FILE --as NAME`), "
            "or into another registry.",
        )
