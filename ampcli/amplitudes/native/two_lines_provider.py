"""Native amplitudes of two quark lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.base import NativeAmplitude
from ampcli.amplitudes.native.colour import N_C
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.flows import chain_tags
from ampcli.amplitudes.native.two_lines import MAX_GLUONS, TwoLines, find_two_lines
from ampcli.amplitudes.native.two_lines_colour import flows
from ampcli.errors import UsageError
from ampcli.process import Process

COVERED = (
    f"two massless quark lines with up to {MAX_GLUONS} gluons, and an outgoing z or w+-, a pair of leptons from a "
    "photon, Z or W, or nothing else"
)


class NativeTwoLines(NativeAmplitude):
    """Full-colour |M|^2 of two massless quark lines, leading in alpha_s (docs/amplitudes.md).

    Args:
        process: u d > u d + gluons, u d > z u d + gluons, u d > w+ d d + gluons, u d > e- e+ u d + gluons (photon and
            Z), u d > e+ ve d d + gluons (W), e- e+ > u u~ d d~ + gluons, crossings of their partons, and other
            flavours, also identical ones; up to 2 gluons.
        parameters: couplings and masses.
        threads: CPU threads of one evaluation.

    Raises:
        UsageError: the engine does not cover the process, or fewer than one thread.
    """

    line: TwoLines

    def __init__(self, process: Process, parameters: Parameters = DEFAULTS, threads: int = 1) -> None:
        lines = find_two_lines(process)
        if lines is None:
            raise UsageError(f'the native amplitudes of two quark lines do not cover "{process}": they cover {COVERED}')
        super().__init__(process, lines, parameters, threads)

    @property
    def alpha_s_power(self) -> int:
        return 2 + len(self.line.gluons)

    @property
    def flows(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Legs along both colour lines, from quark to antiquark: columns of `squared_orderings`.

        The first quark's line ends at the antiquark of the other quark line; where ends are of one flavour there are as
        many flows in which it ends at the first antiquark.
        """
        gluons, (first, second) = self.line.gluons, self.line.quarks
        found = []
        for far, near in (self.line.antiquarks[::-1], self.line.antiquarks)[: 2 if self.line.exchange else 1]:
            for v, w in flows(len(gluons)):
                on_first, on_second = (tuple(gluons[letter] for letter in word) for word in (v, w))
                found.append(((first, *on_first, far), (second, *on_second, near)))
        return found

    @property
    def _flow_weight(self) -> float:
        return N_C**2 * (N_C / 2) ** len(self.line.gluons)

    def _flow_tags(self) -> npt.NDArray[np.int32]:
        return chain_tags(self.process, self.flows)
