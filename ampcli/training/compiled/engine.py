"""The compiled steps of a training on a CPU: network.h and adam.h."""

from __future__ import annotations

from types import ModuleType

from ampcli.instructions import compiled_module, instruction_set


def steps(on: str | None = None) -> ModuleType:
    """The module of an instruction set (default: the best); last digits depend on it.

    Raises:
        AmpcliError: it was not compiled.
    """
    return compiled_module("ampcli.training.compiled", on or instruction_set())
