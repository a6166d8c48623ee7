"""Whole shards of an array, byte for byte as Zarr writes them (`array_document`), without its machinery around them.

A part of a store is one shard, and Zarr takes several times as long for it as compression and disk do.
"""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd

from ampcli.files import new_file
from ampcli.kinematics import FloatArray
from ampcli.objects import ObjectPath

_CODEC = Zstd(level=-1, checksum=True)  # as in `array_document`; any level can be read
_MISSING = 2**64 - 1  # offset and size of chunks that were never written
_CRC = 4  # bytes


def write_shard(file: Path, values: FloatArray, shard_rows: int, chunk_rows: int) -> None:
    """Write the rows (n, ...) of a shard, at most `shard_rows`; the file is there whole or not at all."""
    pieces: list[bytes] = []
    index = np.full((shard_rows // chunk_rows, 2), _MISSING, dtype="<u8")
    offset = 0
    for number, start in enumerate(range(0, len(values), chunk_rows)):
        chunk = values[start : start + chunk_rows]
        if len(chunk) < chunk_rows:  # the end of the array: chunks are full
            rest = np.full((chunk_rows - len(chunk), *values.shape[1:]), np.nan)
            chunk = np.concatenate([chunk, rest])
        pieces.append(compressed(chunk))
        index[number] = offset, len(pieces[-1])
        offset += len(pieces[-1])
    pieces += [index.tobytes(), _checksum(index.tobytes())]
    if isinstance(file, ObjectPath):
        file.write_bytes(b"".join(pieces))
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file) as draft:
        with draft.open("wb") as stream:
            stream.writelines(pieces)
        draft.replace(file)


def compressed(values: FloatArray) -> bytes:
    """Values as a chunk has them."""
    return bytes(_CODEC.encode(np.ascontiguousarray(values, dtype="<f8")))


def read_shard(file: Path, into: FloatArray, shard_rows: int, chunk_rows: int) -> None:
    """Read the first rows of a shard, as many as `into` (n, ...) has; those that were never written are NaN.

    Raises:
        ValueError, RuntimeError: a damaged shard.
    """
    content = file.read_bytes()
    chunks = shard_rows // chunk_rows
    end = len(content) - 16 * chunks - _CRC
    if end < 0:
        raise ValueError(f"a shard of {len(content)} bytes is too short")
    if _checksum(content[end:-_CRC]) != content[-_CRC:]:
        raise ValueError("the checksum of the index of the shard does not match")
    index = np.frombuffer(content, dtype="<u8", count=2 * chunks, offset=end).reshape(-1, 2).tolist()
    size = 8 * chunk_rows * int(np.prod(into.shape[1:], dtype=int))
    for number, start in enumerate(range(0, len(into), chunk_rows)):
        rows, (offset, length) = into[start : start + chunk_rows], index[number]
        if offset == length == _MISSING:
            rows[...] = np.nan
            continue
        if offset + length > end:
            raise ValueError(f"chunk {number + 1} of the shard lies beyond its end")
        chunk = _CODEC.decode(content[offset : offset + length])
        if len(chunk) != size:
            raise ValueError(f"chunk {number + 1} of the shard has {len(chunk)} bytes where {size} are due")
        rows[...] = np.frombuffer(chunk, dtype="<f8").reshape(chunk_rows, *into.shape[1:])[: len(rows)]


def _checksum(index: bytes) -> bytes:
    return int(google_crc32c.value(index)).to_bytes(_CRC, "little")
