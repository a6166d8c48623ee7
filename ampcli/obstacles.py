"""What stands where a file or a folder belongs, and keeps it from being made there."""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from pathlib import Path

from ampcli.objects import ObjectPath


def clear(place: Path) -> None:
    """Remove whatever stands at a place: a file, a link, a pipe, a folder with all it holds, or nothing."""
    if isinstance(place, ObjectPath):
        place.remove()
        return
    try:
        place.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(place)


def clear_unless_folder(place: Path) -> None:
    """Remove what stands in the place of a folder; one that another process makes there meanwhile stays."""
    if isinstance(place, ObjectPath) or place.is_dir():
        return
    with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):  # macOS has the last one
        place.unlink()


def clear_unless_file(place: Path) -> None:
    """Remove what stands in the place of an ordinary file; one that another process makes there meanwhile stays."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(place.lstat().st_mode):
            clear(place)


def make_way(file: Path, above: Path) -> None:
    """Remove what keeps a file from being renamed to `file`: a folder there, or no folder on the way from `above`."""
    if isinstance(file, ObjectPath):
        return
    make_folder(file.parent, above)
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)


def make_folder(folder: Path, above: Path) -> None:
    """Make a folder below `above`, in the place of whatever is no folder on the way."""
    if isinstance(folder, ObjectPath):
        return
    for name in [*reversed(folder.relative_to(above).parents), folder.relative_to(above)]:
        if not (above / name).is_dir():
            clear_unless_folder(above / name)
            break
    folder.mkdir(parents=True, exist_ok=True)
