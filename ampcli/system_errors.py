"""What the operating system's errors mean, and what to do about them."""

from __future__ import annotations

import errno
import os

from ampcli.errors import setting

#: What Python says, in a RuntimeError, where a thread cannot start for lack of memory or of processes.
NO_THREAD = "can't start new thread"

_AGAIN = "Run the same command again."

#: errno -> (what it means, with the file in braces; what to do).
_MEANINGS: dict[str, tuple[str, str]] = {
    "ENOENT": ("there is no {file}", "Check the name."),
    "ENOSPC": ("no space left on the disk{place}", "Free some space. {again}"),
    "EDQUOT": ("no space left on the disk{place}: your quota is used up", "Free some space. {again}"),
    "EFBIG": ("{file} grows beyond the largest file allowed", "Raise the limit (ulimit -f), or choose another disk."),
    "EROFS": ("no permission to write{place}: the disk is read-only", "Choose another place."),
    "EMFILE": (
        "too many open files{place}",
        f"Raise the limit (ulimit -n 4096), or use fewer {setting('workers')}. {{again}}",
    ),
    "ENFILE": ("too many open files on this machine{place}", "Wait, or close other programs. {again}"),
    "ENOMEM": (
        "out of memory",
        f"Use fewer {setting('workers')}, smaller batches, or a machine with more memory. {{again}}",
    ),
    "EAGAIN": (
        "no more processes or threads can be started",
        f"Raise the limit (ulimit -u), or use fewer {setting('workers')}.",
    ),
    "EEXIST": ("{file} exists already", "Choose another name, or remove it."),
    "ENOTEMPTY": ("{file} is not empty", "Another process may be writing there: wait for it, or remove the folder."),
    "ENOTDIR": ("{file} leads through something that is no folder", "Choose another place."),
    "EISDIR": ("{file} is a folder, where a file is needed", "Choose another name, or remove it."),
    "ENAMETOOLONG": ("a name is too long: {file}", "Choose a shorter one."),
    "ELOOP": ("{file} is a loop of links", "Remove the link, or make it lead to a file."),
    "EXDEV": ("{file} would move to another disk", "Keep the whole folder on one disk, without links to others."),
    "ENOLCK": (
        "the disk{place} has no file locks",
        f"Choose a local disk (AMPCLI_CACHE, {setting('registry')}, the store), or have this one mounted with locks.",
    ),
    "EIO": ("the disk{place} fails to read or write", "Choose another disk, and have this one looked at."),
    "ESTALE": ("{file} is gone from the network disk", "Make sure that the disk is there. {again}"),
    "EBUSY": ("{file} is in use", "Wait until the other program has ended. {again}"),
    "ETXTBSY": ("{file} is in use", "Wait until the other program has ended. {again}"),
    "ENXIO": ("{file} is not an ordinary file", "Something else stands in its place: remove it."),
    "ENODEV": ("{file} is not an ordinary file", "Something else stands in its place: remove it."),
    "EINVAL": ("{file} cannot be used: the system calls it invalid", "Check the name, and the disk it is on."),
    "ENOSYS": ("the system cannot do what is needed{place}", "Choose another disk."),
    "EOPNOTSUPP": ("the disk{place} cannot do what is needed", "Choose another disk."),
    "EBADF": ("an input or output{place} is closed", "Do not close it, or send it to /dev/null."),
    "EPIPE": ("the reader of the output has gone", "Let it read to the end."),
    "ETIMEDOUT": ("the disk{place} does not answer", "Make sure that it is there. {again}"),
}
_BY_NUMBER = {getattr(errno, name): meaning for name, meaning in _MEANINGS.items() if hasattr(errno, name)}

_LONGEST_NAME = 200


def explain(error: OSError, again: str = _AGAIN) -> tuple[str, str]:
    """One sentence on what went wrong, with the file where it is known, and one on what to do.

    Args:
        again: how to go on once the cause is gone.
    """
    named = _named(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return _no_permission(error, named)
    what, hint = _BY_NUMBER.get(
        error.errno or 0, (f"{error.strerror or error}{{place}}", "The operating system refused. {again}")
    )
    file = named or "a file"
    place = f" ({named})" if named else ""
    return what.format(file=file, place=place), hint.format(again=again)


def _named(error: OSError) -> str:
    names = [
        os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike)
    ]
    name = names[-1] if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and names else names[0] if names else ""
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "..."


def _no_permission(error: OSError, named: str) -> tuple[str, str]:
    """Reading and writing have one error; the file tells which of them was refused."""
    place = f" {named}" if named else ""
    if isinstance(error.filename, str | bytes | os.PathLike) and os.path.exists(error.filename):
        if not os.access(error.filename, os.R_OK):
            return f"no permission to read{place}", "Ask its owner for read access."
        return f"no permission to write{place}", "Choose another place, or ask for write access."
    return f"no permission to reach or create{place or ' a file'}", "Choose another place, or ask for access."
