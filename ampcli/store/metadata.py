"""The JSON documents of a store: Zarr's `zarr.json`, the plan, the markers of parts.

They are read here and nowhere else, so that none that is damaged, or that is something else than a file, gets further.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ampcli.errors import AmpcliError, IntegrityError, setting
from ampcli.files import read_file, replacing
from ampcli.obstacles import make_way

ZARR = "zarr.json"
RESUME = f"Run its `ampcli gen` command again with {setting('resume')}."

#: What says something about this process or the machine, not about the file that was to be read.
_NOT_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@contextmanager
def reading(place: Path, hint: str) -> Iterator[None]:
    """Turn what goes wrong when a file is read into the project's errors; that it is not there passes unchanged.

    Raises:
        AmpcliError: no permission to read it.
        IntegrityError: it cannot be read for another reason.
    """
    try:
        yield
    except PermissionError as error:
        raise AmpcliError(f"cannot read {error.filename or place}: {error.strerror}", "Ask for access to it.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        if error.errno in _NOT_THE_FILE:
            raise
        raise IntegrityError(f"{place} cannot be read: {error.strerror or error}", hint) from None


def read_document(file: Path, hint: str = RESUME) -> dict[str, Any]:
    """A JSON object in an ordinary file.

    Raises:
        FileNotFoundError: it is not there (NotADirectoryError: nor can it be).
        AmpcliError: no permission to read it.
        IntegrityError: something else than a JSON object in an ordinary file.
    """
    with reading(file, hint):
        content = read_file(file)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:  # undecodable bytes and endless integers are ValueErrors too
        raise IntegrityError(f"{file} is damaged: {error}", hint) from None
    if not isinstance(document, dict):
        raise IntegrityError(f"{file} is damaged: not an object", hint)
    return document


def write_document(file: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object; readers see the old file or the new one, whatever stood there before."""
    make_way(file, file.parent)
    with replacing(file) as draft:
        draft.write_text(json.dumps(document, indent=2) + "\n")


def read_attributes(folder: Path, hint: str = RESUME) -> dict[str, Any]:
    """Attributes of a Zarr group.

    Raises:
        FileNotFoundError: there is none.
        IntegrityError: its metadata are damaged.
    """
    document = read_document(folder / ZARR, hint)
    attributes = document.get("attributes", {})
    if document.get("zarr_format") != 3 or document.get("node_type") != "group" or not isinstance(attributes, dict):
        raise IntegrityError(f"{folder / ZARR} is damaged: not the metadata of a Zarr group", hint)
    return attributes


def write_group(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Write the metadata of a Zarr group in one step.

    Consolidated metadata, which other tools may have added, are left out: they would hide what is added later.
    """
    write_document(folder / ZARR, {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)})


def forget_consolidated(folder: Path) -> None:
    """Drop consolidated metadata from a group, so that readers of Zarr see what is really there."""
    if "consolidated_metadata" in read_document(folder / ZARR):
        write_group(folder, read_attributes(folder))


def array_document(rows: int, shard: int, chunk: int, row: Sequence[int]) -> dict[str, Any]:
    """Zarr's metadata of an array of float64.

    Args:
        rows, shard, chunk: in the array, in a file, in a chunk; row: shape of a row.
    """
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = {
        "chunk_shape": [chunk, *row],
        # Level -1: mantissas do not compress (level 1 saves 4 %), and it writes and reads twice as fast.  With the
        # checksum a flipped byte is an error at reading.
        "codecs": [little, {"name": "zstd", "configuration": {"level": -1, "checksum": True}}],
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    return {
        "shape": [rows, *row],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [shard, *row]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN",  # rows that were never written read as NaN, which readers refuse
        "codecs": [{"name": "sharding_indexed", "configuration": inner}],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def check_array(folder: Path, rows: int, shard: int, chunk: int, row: Sequence[int] | None, hint: str) -> None:
    """Make sure that an array is one that ampcli writes, before Zarr believes its metadata.

    Args:
        row: None for any shape of a row; the others as for `array_document`.

    Raises:
        FileNotFoundError: there is no such array.
        IntegrityError: its metadata are damaged, or those of another array.
    """
    found = read_document(folder / ZARR, hint)
    try:
        trailing = found["shape"][1:] if row is None else row
        expected = array_document(rows, shard, chunk, trailing)
        for document in (found, expected):
            document["codecs"][0]["configuration"]["codecs"][1].pop("configuration")  # compressed as you like
        matches = all(found.get(key) == value for key, value in expected.items() if key != "attributes")
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise IntegrityError(f"{folder / ZARR} is damaged: {type(error).__name__} {error}", hint) from None
    if not matches or not all(isinstance(size, int) and size > 0 for size in trailing):
        raise IntegrityError(f"{folder / ZARR} is damaged: it describes another array", hint)
