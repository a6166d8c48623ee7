"""Event files: momenta in npz files, Les Houches event files or stores, read whole or in batches of bounded memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.lhe.read import LheEvents, is_lhe
from ampcli.process import Process
from ampcli.store.reader import Store, open_store

_MEMBER = "momenta.npy"


class Events(Protocol):
    """A sequence of events."""

    @property
    def rows(self) -> int: ...

    def batches(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Momenta (batch, legs, 4), in order."""
        ...


def open_events(path: Path, process: Process) -> Events:
    """Open an npz file with the array ``momenta`` (n, legs, 4), an event file (.lhe, .lhe.gz) of `process`, or a store.

    Raises:
        NotFoundError: nothing there, or no such array in it.
        UsageError: another kind of file.
        IntegrityError: a damaged file.
    """
    if path.is_dir():
        return StoredEvents(open_store(path))
    return LheEvents.open(path, process) if is_lhe(path) else NpzEvents.open(path)


@dataclass(frozen=True)
class StoredEvents:
    """The final-state momenta of a store."""

    store: Store

    @property
    def rows(self) -> int:
        return self.store.rows

    def batches(self, size: int) -> Iterator[npt.NDArray[Any]]:
        for start in range(0, self.rows, size):
            yield self.store.read("momenta", slice(start, start + size))


@dataclass(frozen=True)
class NpzEvents:
    """The array ``momenta`` of an npz file, read as a stream."""

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    @property
    def rows(self) -> int:
        return self.shape[0]

    @classmethod
    def open(cls, path: Path) -> NpzEvents:
        hint = "Write it with numpy.savez(file, momenta=...)."
        if not path.is_file():
            raise NotFoundError(f"no file {path}")
        if not zipfile.is_zipfile(path):
            raise UsageError(f"{path} is not an npz file", hint)
        try:
            with zipfile.ZipFile(path) as archive:
                if _MEMBER not in archive.namelist():
                    names = ", ".join(name.removesuffix(".npy") for name in archive.namelist())
                    raise NotFoundError(f"{path} has no array momenta, only {names or 'nothing'}", hint)
                with archive.open(_MEMBER) as stream:
                    shape, fortran, dtype = _read_header(stream)
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise IntegrityError(f"{path} cannot be read: {error}") from None
        if len(shape) != 3 or shape[2] != 4 or shape[0] == 0:
            raise UsageError(f"{path}: momenta must have the shape (events, legs, 4), not {shape}")
        if fortran or dtype.kind != "f":
            raise UsageError(
                f"{path}: momenta must be floating-point numbers in C order, not {dtype}"
                f"{' in Fortran order' if fortran else ''}",
                "Write numpy.ascontiguousarray(momenta, dtype=float).",
            )
        return cls(path, (shape[0], shape[1], shape[2]), dtype)

    def batches(self, size: int) -> Iterator[npt.NDArray[Any]]:
        row_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(_MEMBER) as stream:
                _read_header(stream)
                for start in range(0, self.rows, size):
                    rows = min(size, self.rows - start)
                    data = stream.read(rows * row_bytes)
                    if len(data) != rows * row_bytes:
                        raise EOFError(f"it ends within event {start + len(data) // row_bytes}")
                    yield np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])
        except (zipfile.BadZipFile, EOFError) as error:
            raise IntegrityError(f"{self.path} cannot be read: {error}", "It is damaged or truncated.") from None

    def read(self) -> npt.NDArray[Any]:
        """All momenta (n, legs, 4)."""
        return np.concatenate(list(self.batches(65536)))


def _read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)
