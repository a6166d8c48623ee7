"""Amplitudes of UFO models by pyamplicol (``pyamplicol:PATH``, ``pyamplicol:NAME@DIGEST``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from ampcli.amplitudes import artifacts, check
from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.amplitudes.pyamplicol import PYAMPLICOL, Generated
from ampcli.amplitudes.ufo import Model, find_model
from ampcli.errors import UsageError, setting
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

_ALPHA_S = "alpha_s"

#: Difference in another frame that is taken.  Widths of particles that are legs and internal, too, make up to this.
_LARGEST = 1e-2


class UfoAmplitude(Generated):
    """Full-colour trees of a process of a UFO model.

    There is nothing else to compare them with.  They are held against themselves in another frame.

    Args:
        process: of the model.
        model: with the values of its parameters.
        unchecked: take an amplitude that depends on the frame.
    """

    def __init__(self, process: Process, model: Model, unchecked: bool = False) -> None:
        self.process, self.model, self.unchecked = process, model, unchecked

    @cached_property
    def artifact(self) -> Path:
        """Folder of the generated code.

        Raises:
            UsageError: the amplitude depends on the frame, and `unchecked` was not asked for; or there is none.
        """
        if not self.unchecked and self.fault is not None:
            raise UsageError(
                f'pyamplicol\'s amplitude of "{self.process}" in {self.model.reference} is not right: {self.fault}',
                f"{setting('unchecked')} takes it as it is, and marks the store.",
            )
        return artifacts.ensure_artifact(self.process, self.model)

    @cached_property
    def _in_frames(self) -> float:
        """Largest relative difference of the amplitude from itself in another frame."""
        folder = artifacts.ensure_artifact(self.process, self.model)
        return check.recorded_difference(
            folder.with_name(f"{folder.name}.check.json"),
            folder.name,
            lambda: check.difference_in_frames(self.process, lambda momenta: self._values(folder, momenta)),
        )

    @property
    def fault(self) -> str | None:
        """Why the amplitude is not right; None where nothing is known against it."""
        found = self._in_frames
        return None if found <= _LARGEST else f"in another frame it differs by {found:.2g} of its value"

    @property
    def _runs(self) -> bool:
        """Whether |M|^2 goes with that power of alpha_s by which weights run with the scale."""
        name, folder = self.model.alpha_s, self.artifact
        if name is None:
            return False
        doubled = {name: 2.0 * self.model.parameters[name]}
        found = check.recorded_difference(
            folder.with_name(f"{folder.name}.alpha_s.json"),
            folder.name,
            lambda: check.scaling_difference(
                self.process,
                lambda momenta: self._values(folder, momenta),
                lambda momenta: self._values(folder, momenta, **doubled),
            ),
        )
        return found <= check.TOLERANCE

    def identity(self) -> ProviderRecord:
        """Parameters are those of the model, by its names, and ``alpha_s`` where |M|^2 goes with a power of it."""
        self.artifact  # noqa: B018 - is made, and compared with itself
        parameters = dict(self.model.parameters)
        if self.model.alpha_s is not None and self._runs:
            parameters[_ALPHA_S] = self.model.parameters[self.model.alpha_s]
        options = dict(artifacts.OPTIONS)
        if self.unchecked:
            options["unchecked"] = "yes"
        if self._in_frames > check.TOLERANCE:
            options["frame"] = "dependent"
        return ProviderRecord(
            name=UfoKind(self.model.reference).name,
            version=artifacts.generator_version(),
            options=options,
            parameters=parameters,
            particles=self.model.records(self.process),
        )


class UfoKind(ProviderKind):
    """Amplitudes of one UFO model.

    Args:
        text: as `find_model` takes it.
    """

    flavour_blind = False

    def __init__(self, text: str) -> None:
        self.model = find_model(text)
        self.name = f"{PYAMPLICOL.name}:{self.model.reference}"
        self.parameters = tuple(self.model.parameters)

    @property
    def version(self) -> str:
        return artifacts.generator_version()

    def process(self, text: str, parameters: Mapping[str, float]) -> Process:
        self.require_settable(parameters)
        return self.model.with_parameters(parameters).process(text)

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        """Of the model's particles, all processes are covered for now."""
        leg = self.model.lacks(process)
        return None if leg is None else f"{leg} is no particle of {self.model.reference}"

    def at_once(self, process: Process) -> bool:
        """Its code was generated before."""
        return artifacts.artifact_folder(process, self.model).is_dir()

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> UfoAmplitude:
        """As `ProviderKind.make`; of those of a record, ``alpha_s`` is but another name for the model's."""
        own = {name: value for name, value in parameters.items() if name in self.parameters}
        model = self.model.with_parameters(own)
        return UfoAmplitude(model.process(str(process)), model, unchecked)

    def of_record(self, record: ProviderRecord, process: Process) -> Provider:
        return self.make(process, record.parameters, "unchecked" in record.options)
