"""Models as one file: a plain tar of version folders, members of an ensemble or a set before it."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.files import replacing, staged, sync_folder, writing
from ampcli.registry.intake import FILES, take_in
from ampcli.registry.manifest import MANIFEST
from ampcli.registry.members import member_folders
from ampcli.registry.naming import NAME, VERSION
from ampcli.registry.renamed import renamed
from ampcli.registry.search import AnyRegistry, as_registry
from ampcli.registry.sets import read_entry
from ampcli.registry.storage import Check, verify

ENDING = ".tar"

_MOST_FILES = 10_000
_LARGEST_MANIFEST = 2**26  # an ensemble of a thousand models with their correlations has a third of it
#: What `tarfile` raises at damaged headers, besides its own error.
_UNREADABLE = (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError)
_ENTRY = re.compile(rf"{NAME}/{VERSION}/({'|'.join(map(re.escape, FILES))})")


def export_model(folder: Path, archive: Path, registry: AnyRegistry | None = None) -> list[str]:
    """Write a version, with the members of an ensemble or a set, to a new tar file.

    Args:
        registry: where members are; None: beside it.

    Returns:
        The models in it, as ``name@version``.

    Raises:
        IntegrityError: the model does not verify.
        UsageError: the file exists, or its name is not that of a tar.
        NotFoundError: its folder does not.
        AmpcliError: its folder cannot be written.
    """
    if archive.suffix != ENDING:
        raise UsageError(
            f"{archive}: models are exported as a plain tar, whose name ends in {ENDING}",
            f"Weights hardly compress: call it {archive.name.partition('.')[0]}{ENDING}.",
        )
    if archive.exists():
        raise UsageError(f"{archive} is already there", "Choose another file, or remove that one.")
    if not archive.parent.is_dir():
        raise NotFoundError(f"there is no folder {archive.parent}", "Make it first.")
    registry = folder.parent.parent if registry is None else registry
    verify(folder, registry=registry)
    folders = _with_members(folder, registry)
    with replacing(archive) as fresh, tarfile.open(fresh, "w") as tar:
        for source in folders:
            for name in FILES:
                if (source / name).exists():
                    inside = f"{source.parent.name}/{source.name}/{name}"
                    tar.add(source / name, inside, recursive=False, filter=_anonymous)
    return [f"{source.parent.name}@{source.name}" for source in folders]


def import_model(
    registry: AnyRegistry, archive: Path, check: Check | None = None, name: str | None = None
) -> list[str]:
    """Add the models of an exported file to a registry, all verified before any appears.

    A version that is already there, identical, is left as it is; damaged weights or probes of it are replaced.

    Args:
        registry: they are added to its first folder, which is created if need be.
        archive: what `export_model` wrote.
        check: recomputes the probe's predictions as well.
        name: what the model is to be called here, and its members ``NAME-MEMBER``; None: as it was.

    Returns:
        The models in the file, as ``name@version``.

    Raises:
        NotFoundError: there is no such file.
        UsageError: what cannot name a model, or a name for several.
        IntegrityError: it is not such a file, holds anything else, does not verify, or holds a version that
            is different in the registry.
        AmpcliError: the registry cannot be written.
    """
    if not archive.is_file():
        raise NotFoundError(f"there is no file {archive}")
    top = as_registry(registry).top
    with staged(top, "import") as staging:  # a registry in itself: members are found in it
        with writing(top):
            folders = _unpack(archive, staging)
            if name is not None:
                for folder in folders:
                    verify(folder)
                folders = renamed(folders, name, staging / ".renamed")
        return take_in(registry, folders, archive, check)


def _with_members(folder: Path, registry: AnyRegistry) -> list[Path]:
    """The version's folder, after those of its members and theirs, each once."""
    found: dict[Path, None] = {}
    for member in member_folders(registry, read_entry(folder)):
        found.update(dict.fromkeys(_with_members(member, registry)))
    return [*found, folder]


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info


def _unpack(archive: Path, staging: Path) -> list[Path]:
    """Write the files of an archive, all headers checked before, below `staging`; the version folders in order.

    Only contents are taken: links, modes, owners and paths of the archive never reach the disk.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            entries = _checked_entries(tar, archive)
            for entry in entries:
                path = staging / PurePosixPath(entry.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                data = tar.extractfile(entry)
                assert data is not None  # it is an ordinary file
                with path.open("xb") as file:
                    shutil.copyfileobj(data, file)
                    file.flush()
                    os.fsync(file.fileno())
    except _UNREADABLE as error:
        raise IntegrityError(f"{archive} is damaged, or not a file of `ampcli registry export`: {error}") from None
    folders = dict.fromkeys(staging / PurePosixPath(entry.name).parent for entry in entries)
    if not folders:
        raise IntegrityError(f"{archive} holds no model")
    for folder in folders:
        sync_folder(folder)
    return list(folders)


def _checked_entries(tar: tarfile.TarFile, archive: Path) -> list[tarfile.TarInfo]:
    """The members, none of which may be anything but a file of a model that the archive holds in full."""
    entries: dict[str, tarfile.TarInfo] = {}
    size = archive.stat().st_size
    for entry in tar:
        if len(entries) == _MOST_FILES:
            raise IntegrityError(f"{archive} holds more than {_MOST_FILES} files")
        expands = entry.issparse() or any(key == "size" or key.startswith("GNU.sparse") for key in entry.pax_headers)
        if not entry.isreg() or expands or _ENTRY.fullmatch(entry.name) is None:
            raise IntegrityError(
                f"{archive} holds {entry.name[:200]!r}, which is no part of a model",
                f"Only files NAME/VERSION/{{{', '.join(FILES)}}} are accepted, without holes.",
            )
        if entry.name in entries:
            raise IntegrityError(f'{archive} holds "{entry.name}" twice')
        if entry.size < 0 or entry.offset_data + entry.size > size:
            raise IntegrityError(f'{archive} is damaged: "{entry.name}" is larger than what is left of it')
        if entry.name.endswith(MANIFEST) and entry.size > _LARGEST_MANIFEST:
            raise IntegrityError(f'{archive}: "{entry.name}" of {entry.size} bytes is too large for a manifest')
        entries[entry.name] = entry
    _require_end(tar, archive)
    return list(entries.values())


def _require_end(tar: tarfile.TarFile, archive: Path) -> None:
    """Make sure that the members that were found are all: `tarfile` takes a damaged header for the end of the archive.

    Raises:
        IntegrityError: where the last of them ends, the two blocks of zeros that end an archive are not.
    """
    with archive.open("rb") as file:
        file.seek(tar.offset)
        if file.read(2 * tarfile.BLOCKSIZE) != bytes(2 * tarfile.BLOCKSIZE):
            raise IntegrityError(f"{archive} is damaged, or cut off, after its first {len(tar.getmembers())} files")
