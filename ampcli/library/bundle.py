"""Bundles: named arrays and texts in one file, which `bundle.h` reads without copies.

Little-endian::

    header (64 bytes)   magic (8), format (uint32), CRC-32 of all that follows it (uint32), size of the file, number of
                        entries, bytes of all names (uint64 each), zeros
    entries (64 each)   offset, bytes, shape (4) (uint64 each), offset of the name among the names (uint32), type, rank
                        (uint8 each), zeros; in the order of the names (as bytes), each of which is there once
    names               each with a zero at its end
    payloads            each at the next multiple of 64 bytes, in C order; a text has a zero at its end

Names are paths with slashes ("network/0/weights").
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ampcli.errors import IntegrityError

#: What a bundle holds under a name.
Value = npt.NDArray[Any] | str

MAGIC: Final = b"\x89AMPCLI\n"
FORMAT: Final = 1
MAX_NAME: Final = 127

_HEADER = struct.Struct("<8sIIQQQ24x")
_ENTRY = struct.Struct("<QQ4QIBB2x8x")
_CHECKED_FROM = 16
_ALIGNMENT = 64
_MAX_RANK = 4
_TEXT = 0
_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("u1"),
    2: np.dtype("<i4"),
    3: np.dtype("<i8"),
    4: np.dtype("<f4"),
    5: np.dtype("<f8"),
}
_NUMBERS = {dtype: number for number, dtype in _TYPES.items()}


def write_bundle(content: Mapping[str, Value]) -> bytes:
    """A bundle with arrays (uint8, int32, int64, float32, float64; up to four axes) and texts.

    Raises:
        ValueError: a name, dtype, shape or text that a bundle cannot hold.
    """
    encoded = sorted((_encoded_name(name), value) for name, value in content.items())
    names, entries, payloads = bytearray(), bytearray(), bytearray()
    start = _HEADER.size + _ENTRY.size * len(encoded) + sum(len(name) + 1 for name, _ in encoded)
    for name, value in encoded:
        number, shape, payload = _encoded_value(name.decode(), value)
        payloads += bytes(-(start + len(payloads)) % _ALIGNMENT)
        padded = (*shape, *[0] * (_MAX_RANK - len(shape)))
        entries += _ENTRY.pack(start + len(payloads), len(payload), *padded, len(names), number, len(shape))
        names += name + b"\0"
        payloads += payload
    payloads += bytes(-(start + len(payloads)) % _ALIGNMENT)
    body = bytes(entries + names + payloads)
    size = _HEADER.size + len(body)
    header = _HEADER.pack(MAGIC, FORMAT, 0, size, len(encoded), len(names))
    checksum = zlib.crc32(body, zlib.crc32(header[_CHECKED_FROM:]))
    return _HEADER.pack(MAGIC, FORMAT, checksum, size, len(encoded), len(names)) + body


def read_bundle(data: bytes) -> dict[str, Value]:
    """The content of a bundle.

    Raises:
        IntegrityError: it is damaged, or no bundle.
    """
    if len(data) < _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise IntegrityError("no bundle of ampcli")
    _, version, checksum, size, count, names_size = _HEADER.unpack_from(data)
    if version != FORMAT:
        raise IntegrityError(f"a bundle of format {version}; this ampcli reads {FORMAT}")
    if size != len(data) or checksum != zlib.crc32(data[_CHECKED_FROM:]):
        raise IntegrityError("the bundle is damaged", "Export it again.")
    try:
        return _content(data, count, names_size)
    except (ValueError, KeyError, struct.error) as error:
        raise IntegrityError(f"a bundle whose entries are not valid: {error}") from None


def _content(data: bytes, count: int, names_size: int) -> dict[str, Value]:
    names_at = _HEADER.size + _ENTRY.size * count
    names = data[names_at : names_at + names_size]
    content: dict[str, Value] = {}
    for row in range(count):
        offset, length, *rest = _ENTRY.unpack_from(data, _HEADER.size + _ENTRY.size * row)
        shape, (name_at, number, rank) = rest[:_MAX_RANK], rest[_MAX_RANK:]
        name = names[name_at : names.index(b"\0", name_at)].decode()
        payload = data[offset : offset + length]
        if number == _TEXT:
            content[name] = payload[:-1].decode()
        else:
            content[name] = np.frombuffer(payload, dtype=_TYPES[number]).reshape(shape[:rank]).copy()
    return content


def _encoded_name(name: str) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) <= MAX_NAME or b"\0" in encoded:
        raise ValueError(f"a bundle has no room for the name {name!r}: 1 to {MAX_NAME} bytes without zeros")
    return encoded


def _encoded_value(name: str, value: Value) -> tuple[int, tuple[int, ...], bytes]:
    """Number of the type, shape and payload."""
    if isinstance(value, str):
        text = value.encode()
        if b"\0" in text:
            raise ValueError(f"the text {name} contains a zero")
        return _TEXT, (len(text),), text + b"\0"
    array = np.asarray(value)
    little = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
    if little not in _NUMBERS or array.ndim > _MAX_RANK:
        raise ValueError(f"a bundle cannot hold {name}: {array.dtype}, {array.ndim} axes")
    return _NUMBERS[little], array.shape, array.astype(little, order="C", copy=False).tobytes()
