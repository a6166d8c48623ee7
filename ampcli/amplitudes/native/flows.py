"""Colour flows of the orderings along a quark line, as colour lines of event files."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.colour import orderings
from ampcli.amplitudes.native.quark_line import QuarkLine

_FIRST_LINE = 501


def flow_tags(line: QuarkLine) -> npt.NDArray[np.int32]:
    """Colour and anticolour line of every leg, for every ordering; shape (n!, n_external, 2), 0 for none.

    The outgoing quark's colour line ends in the anticolour of the first gluon, whose colour line goes on to the
    next one, and so on to the antiquark.  Incoming legs carry the lines of the outgoing antiparticle.
    """
    ordered = orderings(len(line.gluons))
    tags = np.zeros((len(ordered), line.process.n_external, 2), dtype=np.int32)
    for row, word in enumerate(ordered):
        chain = [line.quark, *(line.gluons[letter] for letter in word), line.antiquark]
        for number, (before, after) in enumerate(pairwise(chain)):
            tags[row, before, 0] = tags[row, after, 1] = _FIRST_LINE + number
    tags[:, :2] = tags[:, :2, ::-1]
    return tags
