"""The compiled engine on this machine's CPU."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native import gluons, two_lines_tables
from ampcli.amplitudes.native.couplings import (
    Parameters,
    engine_parameters,
    gluons_parameters,
    two_lines_parameters,
)
from ampcli.amplitudes.native.gluons import Gluons
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.amplitudes.native.tables import tables
from ampcli.amplitudes.native.two_lines import TwoLines
from ampcli.instructions import compiled_module, instruction_set
from ampcli.kinematics import FloatArray

PACKAGE = "ampcli.amplitudes.native"


@lru_cache
def constants(line: QuarkLine, parameters: Parameters) -> tuple[npt.NDArray[Any], ...]:
    """What the engine takes beside the momenta: integer tables, colour coefficients, legs, parameters."""
    chosen = tables(len(line.gluons))
    return chosen.ints, chosen.colour, line.engine_legs(), engine_parameters(line, parameters)


@lru_cache
def two_lines_constants(lines: TwoLines, parameters: Parameters) -> tuple[npt.NDArray[Any], ...]:
    """As `constants`, for two quark lines."""
    chosen = two_lines_tables.tables(len(lines.gluons), lines.vector.states, lines.exchange, lines.absorbing)
    return chosen.ints, chosen.colour, lines.engine_legs(), two_lines_parameters(lines, parameters)


@lru_cache
def gluons_constants(line: Gluons, parameters: Parameters) -> tuple[npt.NDArray[Any], ...]:
    """As `constants`, for gluons alone."""
    chosen = gluons.tables(len(line.gluons))
    return chosen.ints, chosen.colour, line.engine_legs(), gluons_parameters(line, parameters)


def evaluate(
    line: QuarkLine | TwoLines | Gluons,
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
        squares: every ordering's (of two lines: every flow's) square, colour factor 1, instead of the sum over colours.
        threads: CPU threads that share the events.
        replaced: a gluon (its number along `line.gluons`; of gluons alone, not the last one) whose polarisations are
            replaced by p / E: gauge invariance makes the result 0.
        on: the instruction set (default: the best).

    Returns:
        Values (n,), or (n, orderings) with `squares`; and which events are not physical (n,), whose values mean
        nothing.
    """
    module = compiled_module(PACKAGE, on or instruction_set())
    if isinstance(line, TwoLines):
        compiled, numbers = module.evaluate_two_lines, two_lines_constants(line, parameters)
    elif isinstance(line, Gluons):
        compiled, numbers = module.evaluate_gluons, gluons_constants(line, parameters)
    else:
        compiled, numbers = module.evaluate, constants(line, parameters)
    values, bad = compiled(momenta, *numbers, squares=squares, threads=threads, replaced=replaced)
    return values if squares else values[:, 0], bad.astype(bool)
