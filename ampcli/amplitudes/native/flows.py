"""Colour flows along quark lines, as colour lines of event files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.colour import orderings
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.process import Process

_FIRST_LINE = 501


def flow_tags(line: QuarkLine) -> npt.NDArray[np.int32]:
    """Colour and anticolour line of every leg, for every ordering; shape (n!, n_external, 2), 0 for none."""
    words = orderings(len(line.gluons))
    chains = [(line.quark, *(line.gluons[letter] for letter in word), line.antiquark) for word in words]
    return chain_tags(line.process, [(chain,) for chain in chains])


def chain_tags(process: Process, flows: Sequence[tuple[tuple[int, ...], ...]]) -> npt.NDArray[np.int32]:
    """Colour and anticolour line of every leg, for every flow; shape (flows, n_external, 2), 0 for none.

    The outgoing quark's colour line ends in the anticolour of the first gluon, whose colour line goes on to the
    next one, and so on to the antiquark.  Incoming legs carry the lines of the outgoing antiparticle.

    Args:
        flows: chains of legs from a quark to an antiquark.
    """
    tags = np.zeros((len(flows), process.n_external, 2), dtype=np.int32)
    for row, chains in enumerate(flows):
        steps = [step for chain in chains for step in pairwise(chain)]
        for number, (before, after) in enumerate(steps):
            tags[row, before, 0] = tags[row, after, 1] = _FIRST_LINE + number
    tags[:, :2] = tags[:, :2, ::-1]
    return tags
