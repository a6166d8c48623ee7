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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Splitting:
    """Two gluons that are neighbours in a string, where their parent has the neighbours `left` and `right`."""

    pair: tuple[int, int]
    left: int
    right: int
    terms: tuple[int, ...]
    """Places of the terms with this splitting."""


def splittings(terms: Sequence[Strings], quark: int, antiquark: int) -> list[Splitting]:
    """Every pair of gluons (i < j) with every pair of neighbours of their parent, ordered by them.

    For 1, 2, 3, 4 gluons there are 0, 1, 9, 36: a string looks the same from both of its ends.
    """
    found: dict[tuple[int, int, int, int], list[int]] = {}
    for place, strings in enumerate(terms):
        for order in strings:
            legs = (quark, *order, antiquark)
            for at in range(1, len(order)):
                i, j = sorted(legs[at : at + 2])
                left, right = sorted((legs[at - 1], legs[at + 2]))
                found.setdefault((i, j, left, right), []).append(place)
    return [Splitting((i, j), left, right, tuple(places)) for (i, j, left, right), places in sorted(found.items())]


def chains_of(terms: Sequence[Strings]) -> list[tuple[int, ...]]:
    """Orders of gluons that occur in terms or begin such an order, the shorter ones first."""
    found = {order[: length + 1] for strings in terms for order in strings for length in range(len(order))}
    return sorted(found, key=lambda order: (len(order), order))
