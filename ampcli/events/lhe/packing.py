"""How the bytes of event files are packed: not at all, by gzip or by zstd, or as HDF5."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from backports import zstd

from ampcli.errors import UsageError
from ampcli.events.lhe.hdf5 import require_writer, write_hdf5
from ampcli.files import drafted

#: Names of event files in text.
EVENT_FILES = (".lhe", ".lhe.gz", ".lhe.zst")

#: The name of those in HDF5, which are written and not read.
HDF5 = ".hdf5"

#: What reading a packed file that is damaged or truncated raises.
UNREADABLE = (OSError, EOFError, zlib.error, zstd.ZstdError)

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after 0x50 to 0x5f: a frame without content, which pzstd writes first
# Higher levels cost much more time for a few percent of the size; levels 2 to 9 of zstd even write larger files.
_GZIP_LEVEL = 6
_ZSTD_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
}


def require_name(out: Path, names: tuple[str, ...] = EVENT_FILES) -> None:
    """Make sure that an output is called like an event file, and can be written.

    Raises:
        UsageError: another name.
        AmpcliError: the package that writes HDF5 is missing.
    """
    if not out.name.endswith(names):
        raise UsageError(f"{out}: the output is a {', '.join(names[:-1])} or {names[-1]} file")
    if out.name.endswith(HDF5):
        require_writer()


def unpacked(raw: BinaryIO) -> BinaryIO:
    """The content of a file, whatever its name; it may raise one of `UNREADABLE`."""
    head = raw.read(4)
    raw.seek(0)
    if head.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if head == _ZSTD or (head[1:] == _SKIPPABLE and head[0] >> 4 == 5):
        return cast(BinaryIO, zstd.ZstdFile(raw))
    return raw


@contextmanager
def packed(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Write a file as `name`, which it is going to have, asks; the same content gives the same bytes."""
    if name.endswith(HDF5):
        with drafted(path.with_name(name)) as folder:
            text, converted = folder / "events.lhe", folder / "events.hdf5"
            with text.open("wb") as raw:
                yield raw
            write_hdf5(text, converted)
            shutil.copyfile(converted, path)  # the file itself may be locked, and HDF5 locks what it writes
        return
    with path.open("wb") as raw:
        if name.endswith(".gz"):  # without name and time
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as zipped:
                yield cast(IO[bytes], zipped)
        elif name.endswith(".zst"):
            with zstd.ZstdFile(raw, "wb", options=_ZSTD_OPTIONS) as squeezed:
                yield cast(IO[bytes], squeezed)
        else:
            yield raw
