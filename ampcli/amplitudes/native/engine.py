"""The compiled engine on this machine's CPU: one module for each instruction set, the best of which is used."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.couplings import Parameters, engine_parameters
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.amplitudes.native.tables import tables
from ampcli.errors import AmpcliError
from ampcli.kinematics import FloatArray


@lru_cache
def engine(instruction_set: str) -> ModuleType:
    """The engine compiled for "baseline", "avx2" or "avx512".

    Raises:
        AmpcliError: it was not compiled.
    """
    try:
        return importlib.import_module(f"ampcli.amplitudes.native._{instruction_set}")
    except ImportError as error:
        raise AmpcliError(
            f"the compiled amplitude engine cannot be loaded: {error}",
            "Install ampcli again with a C++17 compiler at hand (`pip install .` in its folder).",
        ) from error


@lru_cache
def instruction_set() -> str:
    """The widest one that this processor has and that was compiled."""
    return str(engine("baseline").instruction_set())


@lru_cache
def constants(line: QuarkLine, parameters: Parameters) -> tuple[npt.NDArray[Any], ...]:
    """What the engine takes beside the momenta: integer tables, colour coefficients, legs, parameters."""
    chosen = tables(len(line.gluons))
    return chosen.ints, chosen.colour, line.engine_legs(), engine_parameters(line, parameters)


def evaluate(
    line: QuarkLine,
    parameters: Parameters,
    momenta: FloatArray,
    *,
    squares: bool = False,
    threads: int = 1,
    replaced: int = -1,
    on: str | None = None,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Exact |M|^2 of momenta (n, n_external, 4) in GeV.

    Args:
        momenta: float64, C-contiguous.
        squares: every ordering's square (colour factor 1) instead of the sum over colours.
        threads: CPU threads that share the events.
        replaced: a gluon (its number along `line.gluons`) whose polarisations are replaced by p / E: gauge
            invariance makes the result 0.
        on: the instruction set (default: the best).

    Returns:
        Values (n,), or (n, n!) with `squares`; and which events are not physical (n,), whose values mean nothing.
    """
    values, bad = engine(on or instruction_set()).evaluate(
        momenta, *constants(line, parameters), squares=squares, threads=threads, replaced=replaced
    )
    return values if squares else values[:, 0], bad.astype(bool)
