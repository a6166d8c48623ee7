"""What can be exported: processes with native amplitudes, and models of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.provider import NATIVE, Native
from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.errors import UsageError
from ampcli.library.bundle import Value
from ampcli.library.contents import exact_content
from ampcli.process import parse_process

if TYPE_CHECKING:
    from ampcli.inference.predictor import Predictor


@dataclass(frozen=True)
class Source:
    """A model for a library.

    Attributes:
        content: of its bundle.
        about: more of what it is, for the manifest.
    """

    content: Mapping[str, Value]
    about: Mapping[str, Any]


def exact_source(text: str, parameters: Mapping[str, float]) -> Source:
    """The exact amplitude of a process such as "d d~ > z g g".

    Args:
        parameters: couplings and masses that differ from the defaults.

    Raises:
        UsageError: no process, one that the native amplitudes do not cover, or wrong parameters.
    """
    process = parse_process(text)
    if reason := NATIVE.covers(process):
        raise UsageError(f'the native amplitudes, which a library can hold, do not cover "{process}": {reason}')
    if find_quark_line(process) is None:
        raise UsageError(f'a library can hold amplitudes of one quark line, which "{process}" has not')
    NATIVE.require_settable(parameters)
    provider = Native(process, Parameters.of(parameters))
    return Source(exact_content(provider), {"provider": provider.identity().model_dump(mode="json")})


def model_source(predictor: Predictor, first_alone: float | None = None) -> Source:
    """A trained model.

    Args:
        first_alone: of a pair, the largest relative uncertainty of events that are left to its first network alone.

    Raises:
        UsageError: libraries cannot hold a model of its kind, with its amplitude or its cuts; it is no pair.
    """
    from ampcli.library.surrogates import surrogate_content  # torch, which processes do not need

    manifest = predictor.manifest
    about: dict[str, Any] = {"model": manifest.reference, "provider": manifest.provider.model_dump(mode="json")}
    if first_alone is not None:
        about["first_alone"] = first_alone
    return Source(surrogate_content(predictor, first_alone), about)
