"""Files that appear whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from uuid import uuid4

from ampcli.errors import AmpcliError, IntegrityError
from ampcli.holders import Holder, beating
from ampcli.objects import ObjectPath
from ampcli.obstacles import clear

_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
_NO_FILE_HINT = "Something else stands in its place: remove it."
_LONGEST_NAME = 200  # with more before and after it, a name of 255 bytes would be no name any more
_SILENT = 3600.0  # seconds


def read_file(path: Path) -> bytes:
    """The content of an ordinary file; a pipe or a device in its place would make a reader wait for ever.

    Raises:
        FileNotFoundError: it is not there (NotADirectoryError: nor can it be).
        IntegrityError: it is something else than a file.
        AmpcliError: it may not be read.
    """
    if isinstance(path, ObjectPath):
        return path.read_bytes()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG):
            raise IntegrityError(f"{path} cannot be read: {error.strerror}", _NO_FILE_HINT) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise AmpcliError(f"{path} cannot be read: {error.strerror}", "Ask for read access to it.") from None
        raise
    try:
        require_ordinary(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def require_ordinary(path: Path, status: os.stat_result | None = None) -> None:
    """Make sure that a path leads to an ordinary file.

    Raises:
        FileNotFoundError: it is not there.
        IntegrityError: it is a folder, a pipe, a socket or a device.
    """
    if isinstance(path, ObjectPath):
        path.size()
    elif not stat.S_ISREG((status or path.stat()).st_mode):
        raise IntegrityError(f"{path} is not an ordinary file", _NO_FILE_HINT)


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
        if error.errno not in _NO_ACCESS + _NO_PLACE:
            raise
        raise AmpcliError(
            f"cannot write to {place}: {error.strerror}", "Choose another place, or ask for write access."
        ) from error


@contextmanager
def staged(folder: Path, kind: str) -> Iterator[Path]:
    """A new hidden folder, below `folder`, to prepare something in and rename it from.

    What is left of it goes away, come what may: after a kill, when something of the same `kind` is staged again.

    Raises:
        AmpcliError: nothing can be written there.
    """
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        with _draft(folder, f".{kind}", is_folder=True) as fresh:
            yield fresh
    finally:
        for place in created:
            with suppress(OSError):  # what was published there keeps its folders from being removed
                place.rmdir()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file at that then takes the place of `path`, in one step, if all went well.

    Raises:
        AmpcliError: nothing can be written there.
    """
    if isinstance(path, ObjectPath):
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / path.name
            yield draft
            path.write_bytes(draft.read_bytes())
        return
    with writing(path.parent), new_file(path) as fresh:
        yield fresh
        fresh.replace(path)
        sync_folder(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A new hidden file beside `path`; what is left under that name goes away, come what may."""
    with _draft(path.parent, _hidden(path), is_folder=False) as fresh:
        yield fresh


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """A new hidden folder beside `target` to prepare it in; what is left under that name goes away, come what may.

    Raises:
        AmpcliError: nothing can be written there.
    """
    with writing(target.parent), _draft(target.parent, _hidden(target), is_folder=True) as fresh:
        yield fresh


def remove_drafts(target: Path) -> None:
    """Remove what killed processes left of their drafts of a file or folder."""
    _remove_leftovers(target.parent, re.escape(_hidden(target)))


def remove_all_drafts(folder: Path) -> None:
    """Remove what killed processes left of their drafts of anything in a folder."""
    _remove_leftovers(folder, r"\..+")


def _hidden(path: Path) -> str:
    """How the names of drafts of a file or folder begin."""
    name = os.fsencode(path.name)
    return f".{path.name}" if len(name) <= _LONGEST_NAME else f".{hashlib.sha256(name).hexdigest()}"


@contextmanager
def _draft(place: Path, stem: str, is_folder: bool) -> Iterator[Path]:
    """A new file or folder whose name says whose it is: ``STEM-(machine)-(process)-(its start)-(8 hex digits)``.

    It is removed where it was left, and so are first those of the same stem whose writers are dead.
    """
    os.fspath(place)  # refuses URLs
    _remove_leftovers(place, re.escape(stem))
    writer = Holder.this_process()
    fresh = place / f"{stem}-{writer.machine}-{writer.pid}-{writer.start}-{uuid4().hex[:8]}"
    with writing(place):
        if is_folder:
            fresh.mkdir(parents=True)
        else:
            fresh.touch(exist_ok=False)
    try:
        with beating(lambda: _touch(fresh)) if is_folder else nullcontext():  # a file is being written, which shows
            yield fresh
    finally:
        _remove(fresh)


def _touch(draft: Path) -> bool:
    try:
        os.utime(draft)
    except OSError:  # it was renamed
        return False
    return True


def _remove_leftovers(place: Path, stem: str) -> None:
    """Remove the drafts of dead processes whose names begin with what `stem` matches."""
    if isinstance(place, ObjectPath):  # objects appear whole
        return
    pattern = re.compile(stem + r"-([0-9a-f]{8})-(\d+)-(\d*)-[0-9a-f]{8}")
    with suppress(OSError), os.scandir(place) as entries:
        for match in filter(None, [pattern.fullmatch(entry.name) for entry in entries]):
            lives = Holder(match[1], int(match[2]), match[3]).lives
            if lives is False or (lives is None and _is_silent(place, place / match[0])):
                _remove(place / match[0])


def _is_silent(place: Path, draft: Path) -> bool:
    """Whether a draft of another machine has not changed for an hour, by the clock of the disk it is on.

    That clock may jump.  A draft that is removed although its writer lives costs this an error, and nobody else
    anything, so that nothing has to be watched here (as locks are).
    """
    try:
        with tempfile.TemporaryFile(dir=place) as now:
            return os.fstat(now.fileno()).st_mtime - draft.stat().st_mtime > _SILENT
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # it was renamed, or could never be written
            path.unlink()


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


def file_names(folder: Path) -> set[str]:
    """Names of the ordinary files in a folder."""
    if isinstance(folder, ObjectPath):
        return {name for name in folder.sizes() if "/" not in name}
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def put_in_place(draft: Path, target: Path) -> None:
    """Rename a folder to `target`, in the place of the one that may be there, which becomes the draft or goes away.

    Readers find the old folder or the new one: under the name of `target`, or where the system cannot exchange two
    folders in one step, for a moment under that of `set_aside(target)`.
    """
    if not target.is_dir():
        clear(target)
        draft.rename(target)
    elif not _exchange(draft, target):
        aside = set_aside(target)
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
        draft.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    sync_folder(target.parent)


def set_aside(target: Path) -> Path:
    """Where `put_in_place` may have left the old folder when it was killed."""
    return target.with_name(f".{target.name}.before")


def restore_set_aside(target: Path) -> None:
    """Finish what a killed `put_in_place` left: the old folder comes back, or goes away if the new one is there."""
    if isinstance(target, ObjectPath):  # never set aside
        return
    aside = set_aside(target)
    if aside.is_dir() and not target.is_dir():
        aside.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False where the system has no such step."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):  # Linux: AT_FDCWD, RENAME_EXCHANGE
        failed = library.renameat2(-100, names[0], -100, names[1], 2)
    elif hasattr(library, "renamex_np"):  # macOS: RENAME_SWAP
        failed = library.renamex_np(names[0], names[1], 2)
    else:
        return False
    if failed and (number := ctypes.get_errno()) not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
        raise OSError(number, os.strerror(number), str(other))
    return not failed
