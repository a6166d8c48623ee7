"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ampcli.errors import AmpcliError, IntegrityError

_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def read_file(path: Path) -> bytes:
    """The content of an ordinary file; a pipe or a device in its place would make a reader wait for ever.

    Raises:
        FileNotFoundError: it is not there (NotADirectoryError: nor can it be).
        IntegrityError: it is something else than a file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        require_ordinary(path, os.fstat(descriptor))
        return file.read()


def require_ordinary(path: Path, status: os.stat_result | None = None) -> None:
    """Make sure that a path leads to an ordinary file.

    Raises:
        FileNotFoundError: it is not there.
        IntegrityError: it is a folder, a pipe, a socket or a device.
    """
    if not stat.S_ISREG((status or path.stat()).st_mode):
        raise IntegrityError(f"{path} is not an ordinary file", "Something else stands in its place: remove it.")


def read_model_file(path: Path) -> bytes:
    """The content of a file that belongs to a model.

    Raises:
        IntegrityError: it is not there, or no file.
    """
    try:
        return read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise IntegrityError(
            f"the file {path} is missing", "Import the model again, or take another version."
        ) from None


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn "you cannot write there" into a clear error; a full disk and the like pass unchanged.

    Raises:
        AmpcliError: a read-only file system, no permission, or a path through something that is no folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ACCESS:
            raise
        raise AmpcliError(
            f"cannot write to {place}: {error.strerror}", "Choose another place, or ask for write access."
        ) from error


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder to prepare something in and rename it from; what is left of it goes away, come what may.

    Raises:
        AmpcliError: nothing can be written there.
    """
    created = [parent for parent in folder.parents if not parent.exists()]
    try:
        with writing(folder.parent):
            folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in created:
            with suppress(OSError):  # what was published there keeps its folders from being removed
                parent.rmdir()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file at that then takes the place of `path`, in one step, if all went well.

    Raises:
        AmpcliError: nothing can be written there.
    """
    fresh = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        with writing(path.parent):
            yield fresh
            fresh.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):  # it is gone, or could never be written
            fresh.unlink()


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the entries of a folder (names, renames) are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_if_free(folder: Path, target: Path) -> bool:
    """Rename a folder unless the target has files in it already; of several processes one succeeds."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    sync_folder(target.parent)
    return True
