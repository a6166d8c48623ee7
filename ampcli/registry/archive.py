"""Models as one file: a plain tar of version folders, an ensemble's members before the ensemble."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path, PurePosixPath
from uuid import uuid4

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.files import rename_if_free, replacing, staged, sync_folder, write_durably, writing
from ampcli.registry.manifest import MANIFEST, NAME, VERSION, manifest_sha256, read_manifest
from ampcli.registry.storage import PROBE, WEIGHTS, Check, member_folder, verify

_FILES = (MANIFEST, WEIGHTS, PROBE)
_ENTRY = re.compile(rf"{NAME}/{VERSION}/({'|'.join(map(re.escape, _FILES))})")


def export_model(folder: Path, archive: Path) -> list[str]:
    """Write a version, with an ensemble's members, to a new tar file.

    Returns:
        The models in it, as ``name@version``.

    Raises:
        IntegrityError: the model does not verify.
        UsageError: the file exists.
        NotFoundError: its folder does not.
        AmpcliError: its folder cannot be written.
    """
    if archive.exists():
        raise UsageError(f"{archive} is already there", "Choose another file, or remove that one.")
    if not archive.parent.is_dir():
        raise NotFoundError(f"there is no folder {archive.parent}", "Make it first.")
    verify(folder)
    folders = _with_members(folder)
    with replacing(archive) as fresh, tarfile.open(fresh, "w") as tar:
        for source in folders:
            for name in _FILES:
                if (source / name).exists():
                    inside = f"{source.parent.name}/{source.name}/{name}"
                    tar.add(source / name, inside, recursive=False, filter=_anonymous)
    return [f"{source.parent.name}@{source.name}" for source in folders]


def import_model(root: Path, archive: Path, check: Check | None = None) -> list[str]:
    """Add the models of an exported file to a registry, all verified before any appears.

    A version that is already there, identical, is left as it is.

    Args:
        root: the registry's folder, created if need be.
        archive: what `export_model` wrote.
        check: recomputes the probe's predictions as well.

    Returns:
        The models in the file, as ``name@version``.

    Raises:
        NotFoundError: there is no such file.
        IntegrityError: it is not such a file, holds anything else, does not verify, or holds a version that
            is different in the registry.
        AmpcliError: the registry cannot be written.
    """
    if not archive.is_file():
        raise NotFoundError(f"there is no file {archive}")
    with staged(root / f".import-{uuid4().hex}") as staging:  # a registry in itself: members are found in it
        with writing(root):
            folders = _unpack(archive, staging)
        for folder in folders:
            verify(folder, check)
        moves = [(folder, root / folder.parent.name / folder.name) for folder in folders]
        fresh = [(folder, target) for folder, target in moves if not _is_there(folder, target, archive)]
        with writing(root):
            for folder, target in fresh:
                target.parent.mkdir(exist_ok=True)
                if not rename_if_free(folder, target):  # another process was faster
                    _is_there(folder, target, archive)
    return [f"{target.parent.name}@{target.name}" for _, target in moves]


def _with_members(folder: Path) -> list[Path]:
    """The version's folder, after those of its members and theirs, each once."""
    root = folder.parent.parent
    found: dict[Path, None] = {}
    for member in read_manifest(folder).members:
        found.update(dict.fromkeys(_with_members(member_folder(root, member.model))))
    return [*found, folder]


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info


def _unpack(archive: Path, staging: Path) -> list[Path]:
    """Write the files of an archive, names checked, below `staging`; returns the version folders in order.

    Only contents are taken: links, modes, owners and paths of the archive never reach the disk.
    """
    folders: dict[Path, None] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for entry in tar:
                data = tar.extractfile(entry) if entry.isreg() else None
                if data is None or _ENTRY.fullmatch(entry.name) is None:
                    raise IntegrityError(
                        f'{archive} holds "{entry.name}", which is no part of a model',
                        f"Only files NAME/VERSION/{{{', '.join(_FILES)}}} are accepted.",
                    )
                path = staging / PurePosixPath(entry.name)
                if path.exists():
                    raise IntegrityError(f'{archive} holds "{entry.name}" twice')
                path.parent.mkdir(parents=True, exist_ok=True)
                write_durably(path, data.read())
                folders[path.parent] = None
    except tarfile.TarError as error:
        raise IntegrityError(f"{archive} is damaged, or not a file of `ampcli registry export`: {error}") from None
    if not folders:
        raise IntegrityError(f"{archive} holds no model")
    for folder in folders:
        sync_folder(folder)
    return list(folders)


def _is_there(folder: Path, target: Path, archive: Path) -> bool:
    """Whether the registry has this version already.

    Raises:
        IntegrityError: it has a different one of that name.
    """
    if not target.exists():
        return False
    if manifest_sha256(folder) != manifest_sha256(target):
        raise IntegrityError(
            f"{target} is a different model from {target.parent.name}@{target.name} in {archive}",
            "Versions never change: import into another registry.",
        )
    return True
