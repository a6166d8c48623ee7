"""Removing versions: a mark in the version's folder, which stays, so that its number is never given again."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from ampcli.errors import IntegrityError
from ampcli.files import read_file, sync_folder, write_durably
from ampcli.registry.manifest import MANIFEST, manifest_sha256
from ampcli.registry.search import REMOVED, is_version
from ampcli.seal import check_seal, sealed


def mark_removed(folder: Path) -> None:
    """From now on the version counts as removed; its files are still there."""
    manifest = manifest_sha256(folder) if (folder / MANIFEST).is_file() else None
    record = {"removed": datetime.now(UTC).isoformat(timespec="seconds"), "manifest_sha256": manifest}
    # Written elsewhere first: the mark is there whole or not at all.
    draft = folder.parent / f".removing-{folder.name}"
    write_durably(draft, json.dumps(sealed(record)).encode())
    draft.replace(folder / REMOVED)
    sync_folder(folder)


def unmark_removed(folder: Path) -> None:
    """A version whose files are all there counts again."""
    (folder / REMOVED).unlink()
    sync_folder(folder)


def remove_files(folder: Path) -> None:
    """All but the mark."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != REMOVED:
            entry.unlink()


def is_removed(folder: Path) -> bool:
    """Whether a version was removed."""
    return folder.is_dir() and not is_version(folder)


def removed_manifest(folder: Path) -> str | None:
    """The SHA-256 of the manifest of a removed version; None: it was damaged then.

    Raises:
        IntegrityError: the mark is damaged.
    """
    path = folder / REMOVED
    hint = f"Remove {folder}: what was there is not known any more."
    try:
        record = json.loads(read_file(path))
        check_seal(record, path, hint)
        found = record["manifest_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IntegrityError(f"{path} is damaged", hint) from None
    return None if found is None else str(found)
