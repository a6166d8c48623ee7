"""Compiled modules: one for each instruction set, the best of which is used."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType

from ampcli.errors import AmpcliError


@lru_cache
def compiled_module(package: str, instructions: str) -> ModuleType:
    """The module of a package that was compiled for "baseline", "avx2" or "avx512".

    Raises:
        AmpcliError: it was not compiled.
    """
    try:
        return importlib.import_module(f"{package}._{instructions}")
    except ImportError as error:
        raise AmpcliError(
            f"the compiled modules of ampcli cannot be loaded: {error}",
            "Install ampcli again with a C++17 compiler at hand (`pip install .` in its folder).",
        ) from error


@lru_cache
def instruction_set() -> str:
    """The widest one that this processor has and that was compiled."""
    return str(compiled_module("ampcli.amplitudes.native", "baseline").instruction_set())
