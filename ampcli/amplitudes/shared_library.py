"""Amplitudes of shared libraries of other people: what the interfaces BLHA2 and UMAMI have in common."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ampcli.amplitudes.library_process import Ended, LibraryProcess
from ampcli.amplitudes.protocol import Failure, FallibleProvider, Limits, Provider, ProviderKind
from ampcli.amplitudes.values import usable
from ampcli.errors import AmpcliError, NotFoundError, UsageError, setting
from ampcli.files import read_file
from ampcli.kinematics import FloatArray, checked_momenta
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

#: What the libraries are told if nobody says it.
ALPHA_S = 0.118


@dataclass(frozen=True)
class Interface:
    """How a library is called for a process.

    Attributes:
        asked: the first request to its process.
        pack: momenta (n, n_external, 4) in GeV as bytes.
        together: points of one request; where they are one call of the library, a failure is looked for one by one.
        is_one_call: whether they are.
    """

    asked: dict[str, Any]
    pack: Callable[[FloatArray], bytes]
    together: int
    is_one_call: bool


class SharedLibrary(FallibleProvider):
    """|M|^2 by a library in a process of its own.

    Args:
        kind: which library, and what it is asked for.
        parameters: those that it is told.
        given: those of them that the user named, which it has to know.
    """

    def __init__(self, kind: LibraryKind, process: Process, parameters: Mapping[str, float], given: set[str]) -> None:
        self.kind, self.process, self.parameters, self._given = kind, process, dict(parameters), given

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_called", "_interface")}

    @property
    def signed(self) -> bool:
        return self.kind.signed

    @cached_property
    def _interface(self) -> Interface:
        return self.kind.interface(self.process, self.parameters, self._given)

    @cached_property
    def _called(self) -> LibraryProcess:
        return LibraryProcess(self.kind.name, self._interface.asked, self.kind.limits.seconds)

    def identity(self) -> ProviderRecord:
        """Its version is the SHA-256 of the library's file.

        Raises:
            UsageError: the library refuses the process or a parameter.
            AmpcliError: it cannot be loaded.
        """
        self._called.start()
        return ProviderRecord(
            name=self.kind.name,
            version=self.kind.version,
            options=self.kind.options,
            parameters=self.parameters,
            signed=self.signed,
        )

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,).

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why.
            AmpcliError: the library fails at a point, naming it.
        """
        values = np.empty(len(momenta))
        for event, found in enumerate(self.attempt(momenta)):
            if isinstance(found, Failure):
                raise AmpcliError(
                    f"{self.kind.name}, event {event} (from 0): the library {found}; "
                    f"its momenta are {np.asarray(momenta)[event].tolist()}"
                )
            values[event] = found
        return values

    def attempt(self, momenta: FloatArray, on_pass: Callable[[], None] = lambda: None) -> Iterator[float | Failure]:
        """See `FallibleProvider`."""
        physical = checked_momenta(momenta, self.process)
        interface = self._interface
        start = singly_until = 0
        while start < len(physical):
            size = 1 if start < singly_until else interface.together
            rows = physical[start : start + size]
            answers = self._called.evaluate(interface.pack(rows), len(rows), on_pass)
            known = 0
            try:
                for value, accuracy, code in answers:
                    if code and len(rows) > 1 and interface.is_one_call:
                        raise Ended
                    yield self._judged(value, accuracy, code)
                    known += 1
            except Ended as end:
                if len(rows) > 1 and interface.is_one_call:
                    singly_until = start + len(rows)
                    continue
                yield Failure(str(end))
                known += 1
            start += known

    def _judged(self, value: float, accuracy: float, code: int) -> float | Failure:
        if code:
            return Failure(f"returned the error code {code}")
        if not np.isfinite(value):
            return Failure(f"returned {value}")
        if accuracy > self.kind.limits.accuracy:
            limit = self.kind.limits.accuracy
            return Failure(f"returned {value:g} with the relative accuracy {accuracy:.2g}, worse than {limit:g}")
        if not usable(np.array([value]), self.signed)[0]:
            wanted = "it may not be 0" if self.signed else "a squared amplitude is positive"
            return Failure(f"returned {value:g}, and {wanted}")
        return value


class LibraryKind(ProviderKind):
    """Shared libraries of one interface; with a path, one of them."""

    place = 99
    alone = True
    parameters = ("alpha_s",)

    def __init__(self, library: str | None = None, signed: bool = False, limits: Limits | None = None) -> None:
        self.library, self.signed, self.limits = library, signed, limits or Limits()

    @abstractmethod
    def interface(self, process: Process, parameters: Mapping[str, float], given: set[str]) -> Interface: ...

    @abstractmethod
    def defaults(self, process: Process) -> dict[str, float]:
        """Parameters that the library is told if the user names none."""

    @property
    def beside(self) -> tuple[Path, ...]:
        """Files beside the library that it is given, and that have to stay what they are."""
        return ()

    @property
    def path(self) -> Path:
        """Of the library, absolute.

        Raises:
            NotFoundError: it is not there.
        """
        assert self.library is not None
        path = Path(self.library)
        if not path.is_file():
            raise NotFoundError(
                f"{self.name}: there is no file {self.library}", f"Give {setting('provider')} {self.usage}."
            )
        return path.resolve()

    #: How it is asked for.
    usage: str

    @cached_property
    def version(self) -> str:
        """SHA-256 of the library's file; of files that it loads by itself nothing is known."""
        return "1" if self.library is None else _digest(self.path)

    @property
    def options(self) -> dict[str, str]:
        """What else decides on its numbers."""
        chosen = {} if self.limits.accuracy == Limits().accuracy else {"accuracy": f"{self.limits.accuracy:g}"}
        return chosen | {file.name: _digest(file) for file in self.beside}

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        return f"{self.usage} takes a library of yours" if self.library is None else None

    def require_settable(self, parameters: Mapping[str, float]) -> None:
        """The library says which it knows, when it is started."""

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> SharedLibrary:
        self.path  # noqa: B018 - refuses a library that is not there
        return SharedLibrary(self, process, self.defaults(process) | dict(parameters), set(parameters))

    def of_record(self, record: ProviderRecord, process: Process) -> Provider:
        limits = Limits(accuracy=float(record.options.get("accuracy", Limits().accuracy)))
        kind = self.within(limits)
        if (record.version, record.options) != (kind.version, kind.options):
            raise UsageError(
                f"{self.library} has changed since the store was made with {self.name}",
                "Put back the file as it was, or make the store again.",
            )
        return kind.make(process, record.parameters)

    @abstractmethod
    def within(self, limits: Limits) -> LibraryKind: ...


def refuse_argument(name: str, argument: str, usage: str) -> NoReturn:
    """Refuse what names no library.

    Raises:
        UsageError: always.
    """
    raise UsageError(f'"{name}:{argument}" names no library', f"Give {setting('provider')} {usage}.")


def _digest(file: Path) -> str:
    return hashlib.sha256(read_file(file)).hexdigest()
