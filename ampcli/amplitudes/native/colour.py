"""Colour of one quark line: the matrix of squared orderings, exactly, and its block-diagonal form."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import permutations
from math import lcm

import numpy as np
import numpy.typing as npt

N_C = 3

Word = tuple[int, ...]
IntArray = npt.NDArray[np.int64]


def orderings(gluons: int) -> list[Word]:
    """The orderings of gluons 0 .. n - 1 along the quark line, lexicographic."""
    return list(permutations(range(gluons)))


@cache
def product_of_traces(traces: tuple[Word, ...]) -> Fraction:
    """Tr(T..T) Tr(T..T) ... in which every generator occurs twice, Tr(T^a T^b) = delta^ab / 2."""
    value = Fraction(1)
    words = []
    for word in traces:
        if word:
            words.append(word)
        else:
            value *= N_C
    if not words:
        return value
    (letter, *rest), *others = words
    if letter in rest:  # Tr(a Y a Z) = (Tr(Y) Tr(Z) - Tr(Y Z) / N) / 2
        at = rest.index(letter)
        y, z = tuple(rest[:at]), tuple(rest[at + 1 :])
        joined, apart = (y + z, *others), (y, z, *others)
        return value / 2 * (product_of_traces(apart) - product_of_traces(joined) / N_C)
    # Tr(a X) Tr(Y a Z) = (Tr(X Z Y) - Tr(X) Tr(Y Z) / N) / 2
    partner = next(word for word in others if letter in word)
    remaining = [word for word in others if word is not partner]
    at = partner.index(letter)
    y, z = partner[:at], partner[at + 1 :]
    joined, apart = (tuple(rest) + z + y, *remaining), (tuple(rest), y + z, *remaining)
    return value / 2 * (product_of_traces(joined) - product_of_traces(apart) / N_C)


@cache
def colour_matrix(gluons: int) -> tuple[IntArray, int]:
    """Sum over colours of T^s1 .. T^sn times the conjugate of T^t1 .. T^tn, for all orderings s, t.

    Returns:
        A symmetric integer matrix (n!, n!) and the number that divides it.
    """
    words = orderings(gluons)
    first = [product_of_traces((tuple(range(gluons)) + tuple(reversed(word)),)) for word in words]
    divisor = lcm(*(value.denominator for value in first))
    numbers = {word: int(value * divisor) for word, value in zip(words, first, strict=True)}
    matrix = np.empty((len(words), len(words)), dtype=np.int64)
    for row, left in enumerate(words):
        renamed = {letter: position for position, letter in enumerate(left)}
        matrix[row] = [numbers[tuple(renamed[letter] for letter in right)] for right in words]
    return matrix, divisor


def leading_colour(gluons: int) -> float:
    """What one ordering's square counts at leading colour: N (N/2)^n."""
    return N_C * (N_C / 2) ** gluons


@dataclass(frozen=True)
class ColourForm:
    """The quadratic form x C x after sums and differences of pairs of the x.

    Attributes:
        butterflies: pairs (i, j), to be applied in order: x_i, x_j = x_i + x_j, x_i - x_j.
        rows: for each i, the pairs (j, coefficient), j >= i, of sum_i x_i sum_j coefficient x_j.
    """

    butterflies: list[tuple[int, int]]
    rows: list[list[tuple[int, float]]]


def symmetries(gluons: int) -> list[list[int]]:
    """Commuting involutions of the orderings that leave the colour matrix alone: relabelled gluons, reversal."""
    words = orderings(gluons)
    index = {word: i for i, word in enumerate(words)}
    found = []
    for first in range(0, gluons - 1, 2)[:2]:
        swap = {first: first + 1, first + 1: first}
        found.append([index[tuple(swap.get(letter, letter) for letter in word)] for word in words])
    if gluons > 2:
        found.append([index[word[::-1]] for word in words])
    return found


@cache
def colour_form(gluons: int) -> ColourForm:
    """The colour matrix in the basis of states that are even or odd under its symmetries, block by block."""
    return block_form(*colour_matrix(gluons), symmetries(gluons))


def block_form(matrix: IntArray, divisor: int, symmetries: list[list[int]]) -> ColourForm:
    """The form x (matrix / divisor) x after sums and differences.

    Args:
        matrix: symmetric.
        symmetries: commuting involutions of the x that leave the matrix alone, each as the list of images.
    """
    n = len(matrix)
    states = np.eye(n, dtype=np.int64)  # rows: the combinations of the original x that the x_i have become
    butterflies: list[tuple[int, int]] = []
    for image in symmetries:
        moved = states[:, image]
        done = set()
        for i in range(n):
            overlap = states @ moved[i]
            j = int(np.argmax(np.abs(overlap)))
            if j == i or i in done:
                continue
            done |= {i, j}
            butterflies.append((i, j))
            states[[i, j]] = states[i] + states[j], states[i] - states[j]
    norms = (states**2).sum(axis=1)
    blocks = states @ matrix @ states.T
    rows = []
    for i in range(n):
        partners = [j for j in range(i, n) if blocks[i, j] != 0]
        scale = [(1 if j == i else 2) / (divisor * int(norms[i]) * int(norms[j])) for j in partners]
        rows.append([(j, float(blocks[i, j]) * factor) for j, factor in zip(partners, scale, strict=True)])
    return ColourForm(butterflies, rows)
