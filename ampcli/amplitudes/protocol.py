"""What ampcli asks of a source of exact amplitudes (docs/extending.md)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from ampcli.errors import UsageError, setting
from ampcli.process import Process, parse_process, with_boson_masses
from ampcli.records.provider import ProviderRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ampcli.kinematics import FloatArray


class Provider(Protocol):
    """Exact |M|^2: summed over final and averaged over initial spins and colours, 1/k! for k identical particles.

    Values of either sign take their place where a provider is `signed`: of loops and interferences, say.
    Providers are picklable and are opened in each process that evaluates them.
    """

    process: Process

    @property
    def fault(self) -> str | None:
        """Why its numbers are not right, where they are taken all the same; None: they are right."""
        return None

    @property
    def signed(self) -> bool:
        """Whether its values may have either sign."""
        return False

    def identity(self) -> ProviderRecord:
        """Name, version, options and physical parameters; prepares the provider where that is needed."""
        ...

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,).

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why.
        """
        ...


class ColourFlowProvider(Provider, Protocol):
    """A provider that knows colour flows."""

    def colour_flows(self, momenta: npt.ArrayLike, uniforms: FloatArray) -> npt.NDArray[np.int32]:
        """Colour flows of momenta (n, n_external, 4), drawn with random numbers (n,) in [0, 1).

        Returns:
            (n, n_external, 2): colour and anticolour line of every leg in the convention of Les Houches event
            files (hep-ph/0109068), 501, 502, ..., and 0 for none.
        """
        ...


@runtime_checkable
class LeadingColourProvider(Provider, Protocol):
    """A provider that knows |M|^2 at leading colour."""

    def leading_colour(self, momenta: npt.ArrayLike) -> FloatArray:
        """|M|^2 at leading colour in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,)."""
        ...


class Failure(str):
    """What a provider did at a point in place of giving a value: "crashed (SIGSEGV)"."""


@runtime_checkable
class FallibleProvider(Provider, Protocol):
    """A provider that may fail at single points, and then goes on: a library of other people."""

    def attempt(self, momenta: FloatArray, on_pass: Callable[[], None]) -> Iterator[float | Failure]:
        """|M|^2 of momenta (n, n_external, 4) one after the other, or how the provider failed there.

        Args:
            on_pass: called now and then while a point takes long; may raise to stop.

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why.
        """
        ...


@dataclass(frozen=True)
class Limits:
    """When a library fails at a point: after so many seconds, or with a relative accuracy that is worse."""

    seconds: float = 60.0
    accuracy: float = 1e-3

    def __post_init__(self) -> None:
        for name, value in (("time_limit", self.seconds), ("accuracy", self.accuracy)):
            if not value > 0:
                raise UsageError(f"{setting(name)} {value:g}: a positive number is needed")


class ProviderKind(ABC):
    """A source of exact amplitudes before it is asked for a process.

    Attributes:
        name: in the catalogue, in stores and in manifests.
        version: changes whenever its numbers change, be it in the last digit: part of every store's identity.
        parameters: names of the couplings and masses that can be set.
        place: the smallest of those that cover a process is taken by default; of equal ones, ours.
        general: covers most processes: the yardstick of what surrogates gain.
        alone: its amplitudes are those of one process: reduced ones have to come from elsewhere.
        flavour_blind: one massless quark stands for others of its charge in channels of several flavours.
        draws_colour_flows: its providers are `ColourFlowProvider`.
        knows_leading_colour: its providers are `LeadingColourProvider`.
    """

    name: str
    parameters: tuple[str, ...] = ()
    place: ClassVar[int] = 0
    general: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    flavour_blind: ClassVar[bool] = True
    draws_colour_flows: ClassVar[bool] = False
    knows_leading_colour: ClassVar[bool] = False

    @property
    @abstractmethod
    def version(self) -> str: ...

    def of(self, argument: str) -> ProviderKind:
        """The kind that ``NAME:ARGUMENT`` asks for, or ``NAME`` (an empty one).

        Raises:
            UsageError: it takes no argument, or not this one.
        """
        if argument:
            raise UsageError(f'the provider {self.name} takes no argument: "{self.name}:{argument}"', "Leave it out.")
        return self

    def of_either_sign(self) -> ProviderKind:
        """The kind whose values are taken for what they are, of either sign.

        Raises:
            UsageError: its values are squared amplitudes.
        """
        raise UsageError(
            f"{setting('signed')}: the values of the provider {self.name} are squared amplitudes, and positive",
            "Leave it out.",
        )

    def process(self, text: str, parameters: Mapping[str, float]) -> Process:
        """The process of a string, with the particles and masses of its amplitudes.

        Args:
            parameters: those of `parameters` that differ from the defaults.

        Raises:
            UsageError: no process, or parameters that cannot be set.
        """
        return with_boson_masses(parse_process(text), parameters)

    def within(self, limits: Limits) -> ProviderKind:
        """The kind whose points fail beyond these limits.

        Raises:
            UsageError: it is no library.
        """
        raise UsageError(
            f"{setting('time_limit')} and {setting('accuracy')} are for libraries, and {self.name} is none",
            "Leave them out.",
        )

    @abstractmethod
    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        """None if its amplitudes of a process are exact and right as far as is known at once; else why not.

        Args:
            unchecked: those that are known or suspected to be wrong do as well.
        """

    def at_once(self, process: Process) -> bool:
        """Whether amplitudes of a process that is covered are there without minutes of preparation."""
        return True

    @abstractmethod
    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> Provider:
        """The provider for a process that is covered.

        Args:
            parameters: those of `parameters` that differ from the defaults.

        Raises:
            UsageError: impossible values.
        """

    def require_settable(self, parameters: Mapping[str, float]) -> None:
        """Make sure that parameters of these names can be set.

        Raises:
            UsageError: they cannot.
        """
        if parameters and not self.parameters:
            raise UsageError(
                f"the provider {self.name} has fixed parameters: {', '.join(parameters)} cannot be set",
                "Leave them out.",
            )
        if unknown := [name for name in parameters if name not in self.parameters]:
            raise UsageError(
                f'the provider {self.name} has no parameter "{unknown[0]}"', f"Known: {', '.join(self.parameters)}."
            )

    def of_record(self, record: ProviderRecord, process: Process) -> Provider:
        """The provider that a store or a model was made with.

        Raises:
            UsageError: this version computes something else.
        """
        parameters = record.parameters if self.parameters else {}
        self.require_settable(parameters)
        return self.make(process, parameters, "unchecked" in record.options)

    def note(self, record: ProviderRecord, process: Process) -> str | None:
        """What has to be said about the exact amplitudes of a store or a model, if anything."""
        return None
