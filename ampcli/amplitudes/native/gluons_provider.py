"""Native amplitudes of gluons alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.base import NativeAmplitude
from ampcli.amplitudes.native.colour import N_C, orderings
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.flows import chain_tags
from ampcli.amplitudes.native.gluons import MOST, Gluons, find_gluons
from ampcli.errors import UsageError
from ampcli.process import Process

COVERED = f"four to {MOST} gluons alone"


class NativeGluons(NativeAmplitude):
    """Full-colour |M|^2 of g g > g g, g g > g g g and g g > g g g g (docs/amplitudes.md).

    Args:
        process: of gluons alone.
        parameters: couplings and masses.
        threads: CPU threads of one evaluation.

    Raises:
        UsageError: the engine does not cover the process, or fewer than one thread.
    """

    line: Gluons

    def __init__(self, process: Process, parameters: Parameters = DEFAULTS, threads: int = 1) -> None:
        line = find_gluons(process)
        if line is None:
            raise UsageError(f'the native amplitudes of gluons do not cover "{process}": they cover {COVERED}')
        super().__init__(process, line, parameters, threads)

    @property
    def alpha_s_power(self) -> int:
        return len(self.line.gluons) - 2

    @property
    def orderings(self) -> list[tuple[int, ...]]:
        """Legs in their cyclic order, the last one first: columns of `squared_orderings`."""
        *others, last = self.line.gluons
        return [(last, *(others[letter] for letter in word)) for word in orderings(len(others))]

    @property
    def _flow_weight(self) -> float:
        """N^n of a trace of n generators, times 2 / 2^n for their normalisation."""
        return float(2 * N_C ** len(self.line.gluons) / 2 ** (len(self.line.gluons) - 1))

    def _flow_tags(self) -> npt.NDArray[np.int32]:
        return chain_tags(self.process, [((*ordering, ordering[0]),) for ordering in self.orderings])
