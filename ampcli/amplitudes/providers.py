"""The sources of exact amplitudes, by name."""

from __future__ import annotations

from ampcli.amplitudes.protocol import Provider
from ampcli.errors import UsageError
from ampcli.process import Process


def make_provider(name: str, process: Process) -> Provider:
    """The provider of that name for `process`.

    Raises:
        UsageError: an unknown provider.
    """
    if name == "pyamplicol":
        from ampcli.amplitudes.pyamplicol import PyAmplicol

        return PyAmplicol(process)
    raise UsageError(f'unknown provider "{name}"', "Known: pyamplicol.")
