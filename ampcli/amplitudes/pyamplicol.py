"""Full-colour tree amplitudes from pyamplicol's generated code, evaluated without Symbolica."""

from __future__ import annotations

import importlib.util
import sys
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.amplitudes import artifacts, check, coverage
from ampcli.amplitudes.precision import at_rest, require_digits
from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.errors import IntegrityError, UsageError
from ampcli.kinematics import FloatArray, checked_momenta
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

_importing = threading.Lock()

# Handles belong to the thread that made them; elsewhere they raise a BaseException.
_handles = threading.local()

_PARAMETERS = {
    "normalization.alpha_s_me_check": "alpha_s",
    "normalization.alpha_ew": "alpha_ew",
    "particle.23.mass": "m_z",
    "particle.23.width": "gamma_z",
}


@contextmanager
def _without_symbolica() -> Iterator[None]:
    """Symbolica cannot be imported for a moment, as if it were not installed; afterwards it can.

    With it, pyamplicol would take a slot that one process per user has, and every further process would be aborted.
    """
    with _importing:
        if blocked := "symbolica" not in sys.modules:
            sys.modules["symbolica"] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            if blocked:
                del sys.modules["symbolica"]


def _open(folder: Path) -> Any:
    """The runtime of an artifact, one per thread."""
    runtimes: dict[Path, Any] = _handles.__dict__.setdefault("runtimes", {})
    if folder not in runtimes:
        try:
            with _without_symbolica():
                from pyamplicol import Runtime

                runtimes[folder] = Runtime.load(folder, mute_warnings=True)
        except Exception as error:
            raise IntegrityError(
                f"the cached amplitude {folder} cannot be loaded: {error}",
                "Remove that folder; the next run generates it again.",
            ) from error
    return runtimes[folder]


@lru_cache
def _parameters(folder: Path) -> dict[str, float]:
    known = {p.name: p.default_real for p in _open(folder).physics.model_parameters}
    return {ours: known[theirs] for theirs, ours in _PARAMETERS.items() if theirs in known}


class Generated(Provider):
    """Amplitudes from generated code."""

    factor = 1.0
    """The right |M|^2 over that of the code."""

    @property
    @abstractmethod
    def artifact(self) -> Path:
        """Folder of the code, which is made first where it is missing."""

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,).

        Raises:
            UsageError: momenta that are not physical, or so soft or collinear that fewer than three digits are left,
                naming the first bad event and why.
        """
        physical = checked_momenta(momenta, self.process)
        if len(physical) == 0:
            return np.empty(0)
        rest = at_rest(physical, self.process)
        require_digits(rest, self.process)
        return self._values(self.artifact, rest)

    def _values(self, folder: Path, momenta: FloatArray, **parameters: float) -> FloatArray:
        """|M|^2 of momenta that were checked.

        Args:
            folder: of the code.
            parameters: of the model, to be changed for these momenta.
        """
        runtime = _open(folder)
        if not parameters:
            return np.asarray(np.array(runtime.evaluate(momenta)).real * self.factor)
        before = {p.name: p.default_real for p in runtime.physics.model_parameters if p.name in parameters}
        runtime.set_model_parameters(parameters)
        try:
            return np.asarray(np.array(runtime.evaluate(momenta)).real * self.factor)
        finally:
            runtime.set_model_parameters(before)


class PyAmplicol(Generated):
    """The provider ``pyamplicol``: full-colour trees of the Standard Model, leading in alpha_s (pyamplicol 1.0).

    Every process is compared with trees of our own before its numbers are handed out, where that takes a second, and
    belongs to a class that was (`ampcli.amplitudes.coverage`).

    Args:
        unchecked: take a process whose amplitude is wrong or could not be compared.
    """

    def __init__(self, process: Process, unchecked: bool = False) -> None:
        self.process = process
        self.unchecked = unchecked
        self.factor = coverage.normalisation(process)

    @cached_property
    def artifact(self) -> Path:
        """Folder of the generated code, which is made and compared first where it is missing.

        Raises:
            UsageError: the amplitude is not right, and `unchecked` was not asked for.
        """
        if not self.unchecked and self.fault is not None:
            raise coverage.refusal(self.process, self.fault)
        return artifacts.ensure_artifact(self.process)

    @cached_property
    def fault(self) -> str | None:
        """Why the amplitude is not right; None where it is."""
        known = coverage.class_of(self.process)
        comparable = check.affordable(self.process)
        if known.fault is not None and not (known.mixed and comparable):
            return known.fault
        folder = artifacts.ensure_artifact(self.process)
        found = check.recorded_difference(
            folder.with_name(f"{folder.name}.check.json"),
            folder.name,
            lambda: check.difference(self.process, lambda momenta: self._values(folder, momenta)),
        )
        if found <= check.TOLERANCE:
            return None
        what = "trees that ampcli computes itself" if comparable else "itself when the event is turned"
        return known.fault or f"it differs from {what} by {found:.2g} of its value"

    def identity(self) -> ProviderRecord:
        folder = self.artifact
        options = dict(artifacts.OPTIONS)
        if self.factor != 1.0:
            options["normalisation"] = "corrected"
        if self.unchecked:
            options["unchecked"] = "yes"
        return ProviderRecord(
            name=PYAMPLICOL.name, version=PYAMPLICOL.version, options=options, parameters=_parameters(folder)
        )


class _PyAmplicolKind(ProviderKind):
    name = "pyamplicol"
    general = True

    def of(self, argument: str) -> ProviderKind:
        """The kind of a UFO model (`ampcli.amplitudes.ufo.find_model`)."""
        if not argument:
            return self
        from ampcli.amplitudes.ufo_amplitude import UfoKind

        return UfoKind(argument)

    @property
    def version(self) -> str:
        return artifacts.generator_version()

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        """Of classes in which each process has to be compared itself, all are covered for now."""
        if importlib.util.find_spec("pyamplicol") is None:
            return 'the package pyamplicol is not installed (pip install "ampcli[pyamplicol]")'
        known = coverage.class_of(process)
        if unchecked or known.fault is None or known.mixed:
            return None
        return f"its amplitude ({known.name}) is not right: {known.fault}"

    def at_once(self, process: Process) -> bool:
        """Its code was generated before."""
        return artifacts.artifact_folder(process).is_dir()

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> PyAmplicol:
        return PyAmplicol(process, unchecked)

    def of_record(self, record: ProviderRecord, process: Process) -> Provider:
        provider = super().of_record(record, process)
        if coverage.marks(provider.identity().options) != coverage.marks(record.options):
            raise UsageError(
                f'the amplitudes of "{process}" were made before ampcli corrected those of pyamplicol',
                "Make them again.",
            )
        return provider

    def note(self, record: ProviderRecord, process: Process) -> str | None:
        if record.model is not None:
            frame = "they depend on the frame by up to a per cent, as widths make them"
            if "unchecked" in record.options:
                frame = "they depend on the frame"
            elif "frame" not in record.options:
                frame = "they do not depend on the frame"
            return (
                f"note: the exact amplitudes are those of pyamplicol for the UFO model {record.model}; all that ampcli "
                f"has checked is that {frame}"
            )
        return coverage.note(record.options, process)


PYAMPLICOL = _PyAmplicolKind()
