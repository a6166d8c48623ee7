"""The sources of exact amplitudes, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ampcli.amplitudes import coverage
from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.amplitudes.protocol import Provider
from ampcli.errors import UsageError
from ampcli.process import Process

#: All of them, the one for most processes first.
PROVIDERS = ("pyamplicol", "native")


def make_provider(
    name: str, process: Process, parameters: Mapping[str, float] | None = None, unchecked: bool = False
) -> Provider:
    """The provider of that name for `process`.

    Args:
        name: ``native``, ``pyamplicol``, or ``auto``: native where it covers the process, pyamplicol elsewhere.
        parameters: couplings and masses that differ from the defaults.
        unchecked: take an amplitude of pyamplicol that is not known to be right.

    Raises:
        UsageError: an unknown provider, a process it does not cover, or parameters it cannot change.
    """
    if name == "auto":
        name = "native" if find_quark_line(process) else "pyamplicol"
    if name == "native":
        from ampcli.amplitudes.native.couplings import Parameters
        from ampcli.amplitudes.native.provider import Native

        return Native(process, Parameters.of(parameters or {}))
    if name == "pyamplicol":
        from ampcli.amplitudes.pyamplicol import PyAmplicol

        if parameters:
            raise UsageError(
                f"the provider pyamplicol has fixed parameters: {', '.join(parameters)} cannot be set for {process}",
                "Leave them out.",
            )
        return PyAmplicol(process, unchecked)
    raise UsageError(f'unknown provider "{name}"', "Known: auto, native, pyamplicol.")


def provider_of(name: str, options: Mapping[str, Any], parameters: Mapping[str, Any], process: Process) -> Provider:
    """The provider that a store or a model was made with, from its record.

    Raises:
        UsageError: it was made with amplitudes of pyamplicol that are corrected by now.
    """
    numbers = {key: float(value) for key, value in parameters.items()} if name == "native" else None
    provider = make_provider(name, process, numbers, unchecked="unchecked" in options)
    if name == "pyamplicol" and coverage.marks(provider.identity().options) != coverage.marks(options):
        raise UsageError(
            f'the amplitudes of "{process}" were made before ampcli corrected those of pyamplicol', "Make them again."
        )
    return provider
