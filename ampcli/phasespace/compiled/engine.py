"""The compiled modules of phase space; numbers do not depend on the instruction set."""

from __future__ import annotations

from typing import Any

from ampcli.instructions import compiled_module, instruction_set


def phase_space(on: str | None = None) -> Any:
    """The module of an instruction set (default: the best).

    Raises:
        AmpcliError: it was not compiled.
    """
    return compiled_module("ampcli.phasespace.compiled", on or instruction_set())
