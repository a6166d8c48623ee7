"""Colour of two quark lines: flows between the four ends, and the matrix of their products.

A flow (v, w) has the gluons v on the colour line of the first quark and w on that of the second.  There are two kinds:
those whose first line ends at the second antiquark, (T^v)_q0a1 (T^w)_q1a0, and those whose first line ends at the
first antiquark, (T^v)_q0a0 (T^w)_q1a1; the first kind comes first everywhere.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import lcm

import numpy as np

from ampcli.amplitudes.native.colour import ColourForm, IntArray, Word, block_form, orderings, product_of_traces

Flow = tuple[Word, Word]


def flows(gluons: int) -> list[Flow]:
    """All ways to share ordered gluons between two colour lines: (n + 1)!."""
    return [(word[:cut], word[cut:]) for word in orderings(gluons) for cut in range(gluons + 1)]


def _product(first: tuple[int, Flow], second: tuple[int, Flow]) -> Fraction:
    """One kind of flow times the conjugate of another, summed over all colours."""
    (kind, (v, w)), (other, (x, y)) = first, second
    if kind == other:
        return product_of_traces((v + x[::-1], w + y[::-1]))
    return product_of_traces((v + y[::-1] + w + x[::-1],))


@cache
def colour_matrix(gluons: int) -> tuple[IntArray, int]:
    """Products of all flows, those of the first kind first.

    Returns:
        A symmetric integer matrix (2 (n + 1)!, 2 (n + 1)!) and the number that divides it.
    """
    every = [(kind, flow) for kind in (0, 1) for flow in flows(gluons)]
    products = [[_product(row, column) for column in every] for row in every]
    divisor = lcm(*(value.denominator for row in products for value in row))
    return np.array([[int(value * divisor) for value in row] for row in products], dtype=np.int64), divisor


@cache
def colour_form(gluons: int) -> ColourForm:
    """The colour matrix in the basis of states that are even or odd under its symmetries."""
    ordered = flows(gluons)
    index = {flow: i for i, flow in enumerate(ordered)}

    def image(first: list[Flow], second: list[Flow]) -> list[int]:
        return [*(index[flow] for flow in first), *(len(ordered) + index[flow] for flow in second)]

    exchanged = [(w, v) for v, w in ordered]  # of the two colour lines
    images = [image(exchanged, exchanged)]
    if gluons > 1:
        swap = {0: 1, 1: 0}
        relabelled = [
            (tuple(swap.get(a, a) for a in v), tuple(swap.get(a, a) for a in w)) for v, w in ordered
        ]  # of the first two gluons
        reversed_words = [(v[::-1], w[::-1]) for v, w in ordered]
        images += [image(relabelled, relabelled), image(reversed_words, [(w[::-1], v[::-1]) for v, w in ordered])]
    return block_form(*colour_matrix(gluons), images)
