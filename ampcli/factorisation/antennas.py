"""Colour strings of a quark line and their soft-gluon antennae: what every unresolved limit scales like.

In a string q 1 2 ... m q~ the gluons lie between quark and antiquark in an order; its antenna

    s_qq~ s^m / (s_q1 s_12 ... s_mq~)

is the eikonal factor of m ordered gluons (A. Bassetto, M. Ciafaloni, G. Marchesini, Phys. Rept. 100 (1983) 201) and,
where all gluons have one helicity, the whole leading-colour |M|^2 up to a smooth numerator (S.J. Parke, T.R. Taylor,
Phys. Rev. Lett. 56 (1986) 2459).  Gluons of different strings do not see each other's colour: products of strings are
the antennae of what is suppressed by 1/N_c^2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, permutations

import torch
from torch import Tensor

#: Strings of one term: each is an order of gluons.
Strings = tuple[tuple[int, ...], ...]


def colour_strings(gluons: Sequence[int]) -> tuple[Strings, ...]:
    """All ways to distribute gluons over ordered strings between a quark and its antiquark.

    For n = 1, 2, 3, 4 gluons there are 1, 3, 13, 73.
    """
    return tuple(_distributions(tuple(gluons)))


def _distributions(gluons: tuple[int, ...]) -> Iterator[Strings]:
    if not gluons:
        yield ()
        return
    first, *others = gluons
    for size in range(len(others), -1, -1):
        for companions in combinations(others, size):
            rest = tuple(gluon for gluon in others if gluon not in companions)
            for order in permutations((first, *companions)):
                for tail in _distributions(rest):
                    yield (order, *tail)


def string_antenna(invariants: Tensor, strings: Strings, quark: int, antiquark: int) -> Tensor:
    """Product of the antennae of `strings`, without a dimension.

    Args:
        invariants: s_ij / s, (legs, legs, n); strings, quark, antiquark: legs among them.

    Returns:
        (n,), positive.
    """
    product = torch.ones_like(invariants[0, 0])
    for order in strings:
        product = product * invariants[quark, antiquark]
        for left, right in pairwise((quark, *order, antiquark)):
            product = product / invariants[left, right]
    return product


def neighbours(strings: Strings) -> set[tuple[int, int]]:
    """Pairs of gluons (i < j) next to each other in a string: those that become singular together."""
    return {(min(pair), max(pair)) for order in strings for pair in pairwise(order)}


def chains_of(terms: Sequence[Strings]) -> list[tuple[int, ...]]:
    """Orders of gluons that occur in terms or begin such an order, the shorter ones first."""
    found = {order[: length + 1] for strings in terms for order in strings for length in range(len(order))}
    return sorted(found, key=lambda order: (len(order), order))
