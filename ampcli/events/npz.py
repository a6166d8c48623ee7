"""Momenta and weights in npz files, read as a stream: no pickles, and no more memory than a batch takes."""

from __future__ import annotations

import io
import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.events.batch import Batch
from ampcli.files import require_ordinary
from ampcli.kinematics import FloatArray
from ampcli.process import Process

_MEMBER = "momenta.npy"
_WEIGHTS = "event_weight.npy"
_LONGEST_HEADER = 1 << 16
_FORTRAN_BYTES = 1 << 30  # arrays in Fortran order are read whole: events are not rows of theirs

#: What zipfile, its decompressors and numpy's parser of headers raise for damaged or hostile files.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError,
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, SyntaxError,
    RuntimeError, NotImplementedError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True)
class NpzEvents:
    """The array ``momenta`` of an npz file, (n, n_external, 4) or (n, n_final, 4) without the beams; and where there is
    one, ``event_weight`` (n,), the weights of the events.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int
    """Bytes before the data."""
    weights: _Weights | None = None

    @property
    def rows(self) -> int:
        return self.shape[0]

    @classmethod
    def open(cls, path: Path, process: Process) -> NpzEvents:
        """Look at the arrays of a file, without reading momenta.

        Raises:
            NotFoundError: no array ``momenta`` in it.
            UsageError: not an npz file, or an array that cannot be momenta of `process`.
            IntegrityError: a damaged file.
        """
        require_ordinary(path)
        hint = "Write it with numpy.savez(file, momenta=...)."
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                if file.read(4) == b"PK\x03\x04":
                    raise IntegrityError(f"{path} cannot be read: it has lost its end", "It is damaged or truncated.")
                raise UsageError(f"{path} is not an npz file", hint)
        with reading(path), zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if _MEMBER not in names:
                listed = ", ".join(name.removesuffix(".npy")[:80] for name in names[:10])
                raise NotFoundError(f"{path} has no array momenta, only {listed or 'nothing'}", hint)
            weights = _weights_of(archive, path) if _WEIGHTS in names else None
            member = archive.getinfo(_MEMBER)
            if member.flag_bits & 1:
                raise UsageError(f"{path} is encrypted", hint)
            with archive.open(member) as stream:
                shape, fortran, dtype, offset = _read_header(stream)
                room = member.file_size - offset
        legs = (process.n_external, process.n_final)
        if len(shape) != 3 or shape[1] not in legs or shape[2] != 4 or shape[0] == 0:
            raise UsageError(
                f"{path}: momenta of {process} must have the shape (events, {legs[0]}, 4), or (events, {legs[1]}, 4) "
                f"without the beams, not {_short(shape)}",
                "Legs are ordered as in the process string, incoming first, each as E, px, py, pz in GeV.",
            )
        if dtype.kind != "f" or dtype.itemsize < 4:
            raise UsageError(
                f"{path}: momenta must be floating-point numbers in double or single precision, not {_short(dtype)}",
                "Compute and write them as numpy.float64.",
            )
        needed = shape[0] * shape[1] * shape[2] * dtype.itemsize
        if needed != room:
            held = room // (needed // shape[0])
            raise IntegrityError(
                f"{path} cannot be read: it should hold {shape[0]} events, and ends within event {held} (from 0)"
                if needed > room
                else f"{path} cannot be read: there is something behind its {shape[0]} events",
                "It is damaged or truncated.",
            )
        if fortran and needed > _FORTRAN_BYTES:
            raise UsageError(
                f"{path}: {needed >> 20} MiB of momenta in Fortran order, more than {_FORTRAN_BYTES >> 20}",
                "Write numpy.ascontiguousarray(momenta).",
            )
        if weights is not None and weights.rows != shape[0]:
            raise UsageError(
                f"{path}: there are {weights.rows} numbers in event_weight for {shape[0]} events",
                "Write one for each event.",
            )
        return cls(path, (shape[0], shape[1], shape[2]), dtype, fortran, offset, weights)

    def batches(self, size: int) -> Iterator[Batch]:
        """Events in batches of at most `size`.

        Raises:
            UsageError: a weight that is not finite.
            IntegrityError: a damaged file.
        """
        with ExitStack() as open_files:
            archive = open_files.enter_context(zipfile.ZipFile(self.path))
            stream = open_files.enter_context(archive.open(_MEMBER))
            with reading(self.path):
                stream.read(self.offset)
                whole = self._read(stream, self.rows) if self.fortran else None
            if self.weights is not None:
                beside = open_files.enter_context(archive.open(_WEIGHTS))
                with reading(self.path):
                    beside.read(self.weights.offset)
            for start in range(0, self.rows, size):
                rows = slice(start, min(start + size, self.rows))
                with reading(self.path):
                    momenta = self._read(stream, rows.stop - start) if whole is None else whole[rows]
                    weight = None if self.weights is None else self.weights.read(beside, rows.stop - start)
                if weight is not None and not (finite := np.isfinite(weight)).all():
                    event = start + int(np.argmin(finite))
                    raise UsageError(f"{self.path}: the weight of event {event} (from 0) is not finite", "Remove it.")
                yield Batch(momenta, np.arange(start, rows.stop), weight)

    def _read(self, stream: IO[bytes], rows: int) -> npt.NDArray[Any]:
        flat = _numbers(stream, rows * self.shape[1] * self.shape[2], self.dtype)
        return flat.reshape(4, self.shape[1], rows).T if self.fortran else flat.reshape(rows, self.shape[1], 4)


@dataclass(frozen=True)
class _Weights:
    """The array ``event_weight`` of a file."""

    rows: int
    dtype: np.dtype[Any]
    offset: int

    def read(self, stream: IO[bytes], rows: int) -> FloatArray:
        return _numbers(stream, rows, self.dtype).astype(np.float64)


def _weights_of(archive: zipfile.ZipFile, path: Path) -> _Weights:
    """
    Raises:
        UsageError: an array that cannot be weights.
    """
    with archive.open(_WEIGHTS) as stream:
        shape, _, dtype, offset = _read_header(stream)
    if len(shape) != 1 or dtype.kind != "f":
        raise UsageError(
            f"{path}: event_weight has the shape {_short(shape)} and holds {_short(dtype)}; it needs one number in "
            "floating point for each event",
            "Leave it out where events count alike.",
        )
    return _Weights(shape[0], dtype, offset)


def _numbers(stream: IO[bytes], count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    data = stream.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise EOFError("it ends early")
    return np.frombuffer(data, dtype)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, dtype, and the length of the header."""
    beginning = io.BytesIO(stream.read(_LONGEST_HEADER))  # it may say that it has gigabytes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's on headers of Python 2
        version = np.lib.format.read_magic(beginning)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(beginning)
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"{_short(shape)} is no shape")
    return shape, fortran, dtype, beginning.tell()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say which file is damaged.

    Raises:
        IntegrityError: for whatever a damaged file makes its readers raise.
    """
    try:
        yield
    except _DAMAGE as error:
        raise IntegrityError(
            f"{path} cannot be read: {_short(error) or type(error).__name__}", "It is damaged, or not from numpy."
        ) from None


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else text[:200] + "..."
