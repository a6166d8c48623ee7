"""How the bytes of event files are packed: not at all, by gzip or by zstd."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from backports import zstd

from ampcli.errors import UsageError

#: Names of event files that can be written.
EVENT_FILES = (".lhe", ".lhe.gz", ".lhe.zst")

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


def require_name(out: Path) -> None:
    """Raises: UsageError: an output that is not called like an event file."""
    if not out.name.endswith(EVENT_FILES):
        raise UsageError(f"{out}: the output is a .lhe, .lhe.gz or .lhe.zst file")


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
    with path.open("wb") as raw:
        if name.endswith(".gz"):  # without name and time
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as zipped:
                yield cast(IO[bytes], zipped)
        elif name.endswith(".zst"):
            with zstd.ZstdFile(raw, "wb", options=_ZSTD_OPTIONS) as squeezed:
                yield cast(IO[bytes], squeezed)
        else:
            yield raw
