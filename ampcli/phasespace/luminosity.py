"""Products of two parton densities, for one pair of partons or many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ampcli.kinematics import FloatArray
from ampcli.phasespace.partons import density


def luminosities(pdf: Path, beams: Sequence[tuple[int, int]], x: FloatArray, scale: FloatArray) -> FloatArray:
    """f_a(x_1) f_b(x_2) of pairs (a, b) of partons (PDG codes).

    Args:
        x: (n, 2); scale: (n,) in GeV.

    Returns:
        (n, pairs).
    """
    known = {
        (side, code): density(pdf, code, x[:, side], scale)
        for side in (0, 1)
        for code in dict.fromkeys(pair[side] for pair in beams)
    }
    return np.stack([known[0, first] * known[1, second] for first, second in beams], axis=1)


def summed_luminosity(pdf: Path, beams: Sequence[tuple[int, int]], x: FloatArray, scale: FloatArray) -> FloatArray:
    """The sum of `luminosities`, (n,); equal pairs are looked up once."""
    counts = Counter(beams)
    each = luminosities(pdf, list(counts), x, scale)
    return np.asarray(sum(each[:, column] * count for column, count in enumerate(counts.values())))
