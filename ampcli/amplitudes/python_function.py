"""Amplitudes of the user's own: a function of momenta in a Python module (``python:MODULE:FUNCTION``)."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.errors import AmpcliError, NotFoundError, UsageError, setting
from ampcli.kinematics import FloatArray, checked_momenta
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

_HINT = f"Give {setting('provider')} python:MODULE:FUNCTION, of a module in this folder or on PYTHONPATH."


class PythonFunction(Provider):
    """|M|^2 by a function of momenta (n, n_external, 4) in GeV that returns (n,) in GeV^(4 - 2 n_final).

    It is trusted as it is: nothing compares it with another amplitude.  Each process that evaluates it imports the
    module anew.

    Args:
        kind: which function.
        parameters: its keyword-only arguments.
    """

    def __init__(self, kind: PythonKind, process: Process, parameters: Mapping[str, float]) -> None:
        self.kind, self.process, self.parameters = kind, process, dict(parameters)

    @property
    def signed(self) -> bool:
        return self.kind.signed

    def identity(self) -> ProviderRecord:
        return ProviderRecord(
            name=self.kind.name, version=self.kind.version, parameters=self.parameters, signed=self.signed
        )

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,).

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why.
            AmpcliError: the function fails, or returns something else than a number for each event.
        """
        physical = checked_momenta(momenta, self.process)
        if len(physical) == 0:
            return np.empty(0)
        name = self.kind.name
        try:
            values = np.asarray(self.kind.function(physical.copy(), **self.parameters), dtype=np.float64)
        except (Exception, SystemExit) as error:
            raise AmpcliError(
                f"{name} failed: {type(error).__name__}: {error}",
                f"It was given momenta of the shape {physical.shape} in GeV, legs as in the process string; -vv shows "
                "where it failed.",
            ) from error
        if values.shape != (len(physical),):
            raise AmpcliError(
                f"{name} returned an array of the shape {values.shape} for {len(physical)} events",
                f"It has to return |M|^2 of each event: the shape {(len(physical),)}.",
            )
        if not (finite := np.isfinite(values)).all():
            event = int(np.argmin(finite))
            raise AmpcliError(
                f"{name} is {values[event]} for the momenta {physical[event].tolist()}",
                "Every physical event needs a finite |M|^2.",
            )
        return values


@dataclass(frozen=True)
class _Target:
    module: str
    function: str


class PythonKind(ProviderKind):
    """Functions of the user's; with a target, one of them."""

    name = "python"
    place = 99
    alone = True

    def __init__(self, target: _Target | None = None, signed: bool = False) -> None:
        self._target, self.signed = target, signed
        if target is not None:
            self.name = f"python:{target.module}:{target.function}"
            self.parameters = tuple(self.defaults)

    def of(self, argument: str) -> PythonKind:
        """The kind of a function, ``MODULE:FUNCTION``; without one, that of none.

        Raises:
            UsageError: another argument, or what stands there is no such function.
            NotFoundError: no such module, or nothing of that name in it.
        """
        if not argument:
            return self
        module, _, function = argument.partition(":")
        if not all(name.isidentifier() for name in [*module.split("."), function]):
            raise UsageError(f'"python:{argument}" names no function', _HINT)
        return PythonKind(_Target(module, function))

    def of_either_sign(self) -> PythonKind:
        return PythonKind(self._target, signed=True)

    @cached_property
    def module(self) -> ModuleType:
        assert self._target is not None
        if (here := os.getcwd()) not in sys.path:
            sys.path.append(here)  # behind all else: a file of the user's must not hide a package
        try:
            return importlib.import_module(self._target.module)
        except ModuleNotFoundError as error:
            if error.name is not None and f"{self._target.module}.".startswith(f"{error.name}."):
                raise NotFoundError(f"{self.name}: there is no module {error.name} in {here}", _HINT) from None
            raise AmpcliError(f"{self.name}: its module cannot be imported: {error}", "-vv shows where.") from error
        except (Exception, SystemExit) as error:
            raise AmpcliError(
                f"{self.name}: its module cannot be imported: {type(error).__name__}: {error}", "-vv shows where."
            ) from error

    @cached_property
    def function(self) -> Callable[..., Any]:
        assert self._target is not None
        found = getattr(self.module, self._target.function, None)
        if found is None:
            raise NotFoundError(f"{self.name}: {self.module.__name__} has nothing of that name", _HINT)
        if not callable(found):
            raise UsageError(f"{self.name} is no function, but {type(found).__name__}", _HINT)
        return found  # type: ignore[no-any-return]

    @cached_property
    def defaults(self) -> dict[str, float]:
        """Keyword-only arguments of the function that have numbers as defaults: its parameters."""
        try:
            found = inspect.signature(self.function).parameters.values()
        except ValueError:  # a function of C does not tell
            return {}
        own = [each for each in found if each.kind is each.KEYWORD_ONLY]
        if unknown := [each.name for each in own if not isinstance(each.default, int | float)]:
            raise UsageError(
                f"{self.name}: its argument {unknown[0]} has no number as default",
                "Parameters are arguments behind a *, such as f(momenta, *, alpha_s=0.118).",
            )
        return {each.name: float(each.default) for each in own}

    @cached_property
    def version(self) -> str:
        """Digest of the module's file: numbers may change with it.  Of modules that it imports nothing is known."""
        if self._target is None:
            return platform.python_version()
        file = self.module.__file__
        if file is None:
            raise UsageError(f"{self.name}: the module {self.module.__name__} is no file", _HINT)
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        return "python:MODULE:FUNCTION takes a function of yours" if self._target is None else None

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> PythonFunction:
        return PythonFunction(self, process, self.defaults | dict(parameters))

    def of_record(self, record: ProviderRecord, process: Process) -> Provider:
        if record.version != self.version:
            raise UsageError(
                f"{self.module.__file__} has changed since the store was made with {self.name}",
                "Put back the file as it was, or make the store again.",
            )
        return super().of_record(record, process)

    def __reduce__(self) -> tuple[Any, ...]:
        return PythonKind, (self._target, self.signed)


PYTHON = PythonKind()
