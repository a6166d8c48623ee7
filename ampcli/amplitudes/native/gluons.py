"""Which processes of gluons alone the native engine covers, and their colour.

The amplitude is a gluon current of all gluons but the last, contracted with the last one's polarisation.  Currents that
begin with the first gluon are a basis; each comes with a chain of structure constants from the first gluon to the last
(V. Del Duca, L.J. Dixon, F. Maltoni, Nucl. Phys. B571 (2000) 51).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.colour import ColourForm, IntArray, block_form, orderings, symmetries
from ampcli.amplitudes.native.tables import Tables, tables_with
from ampcli.amplitudes.standard_model import COLOUR_GENERATORS
from ampcli.process import Process

FEWEST, MOST = 4, 6


@dataclass(frozen=True)
class Gluons:
    """A process of gluons alone."""

    process: Process

    @property
    def gluons(self) -> tuple[int, ...]:
        return tuple(range(self.process.n_external))

    def engine_legs(self) -> npt.NDArray[np.int32]:
        """The numbers of `struct Legs` of kinematics.h; the last gluon stands where the ends of a quark line would."""
        *others, last = self.gluons
        return np.array([len(self.gluons), -1, -1, last, last, *others], dtype=np.int32)


def find_gluons(process: Process) -> Gluons | None:
    """g g > g g, g g > g g g, g g > g g g g; None for any other process."""
    gluons = all(leg.kind == "gluon" for leg in process.legs)
    return Gluons(process) if gluons and FEWEST <= process.n_external <= MOST else None


@cache
def colour_matrix(between: int) -> IntArray:
    """Products of chains of structure constants, for all orderings of the gluons between the first and the last.

    Returns:
        A symmetric matrix (n!, n!) of integers, which these products are.
    """
    t = COLOUR_GENERATORS
    f = (-2j * np.einsum("aij,bjk,cki->abc", t, t, t) + 2j * np.einsum("bij,ajk,cki->abc", t, t, t)).real
    chain = np.eye(8)
    for _ in range(between):
        chain = np.einsum("...x,xby->...by", chain, f)
    words = orderings(between)
    products = {
        word: round(float((chain * chain.transpose(0, *(1 + letter for letter in word), between + 1)).sum()))
        for word in words
    }
    place = [{letter: position for position, letter in enumerate(word)} for word in words]
    return np.array([[products[tuple(p[letter] for letter in word)] for word in words] for p in place], dtype=np.int64)


def colour_form(between: int) -> ColourForm:
    """The colour matrix in the basis of states that are even or odd under its symmetries."""
    return block_form(colour_matrix(between), 1, symmetries(between))


@cache
def tables(gluons: int) -> Tables:
    """The tables for so many gluons: those of currents of all but the last."""
    form = colour_form(gluons - 2)
    unused = len(list(permutations(range(gluons - 1)))) - len(form.rows)  # orderings that are not in the basis
    return tables_with(gluons - 1, ColourForm(form.butterflies, [*form.rows, *([] for _ in range(unused))]))
