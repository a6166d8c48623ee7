"""What the recursion of two quark lines (`two_lines.h`) works through, as flat arrays.

Colour-ordered currents (F.A. Berends, W.T. Giele, Nucl. Phys. B306 (1988) 759).  In the planar amplitude of the colour
flow (v, w) the legs lie in the cyclic order q0 v a' q1 w a.  One gluon joins the lines (q0, a) and (q1, a'); on it hang
the gluons next to it: the line (q1, a') is a source of a gluon current J(x|y), of the ordered set x a' q1 y, which the
line (q0, a) absorbs between what is left of v and w.  With -1/N, the gluon of a colour singlet joins the lines and has
no vertices with gluons: the flow is (gluons of the one line, gluons of the other).  The vector couples to the line that
absorbs; a W couples to the first line alone.

Both lines are left-handed.  Gluon polarisations are real, so that a right-handed line is the complex conjugate of a
left-handed one: one set of currents serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.colour import Word
from ampcli.amplitudes.native.two_lines import Exchange
from ampcli.amplitudes.native.two_lines_colour import colour_form, flows

REAL_VECTOR, SPINOR, COMPLEX_VECTOR, SET = 4, 4, 8, 5  # numbers of scratch memory: a set has momentum and 1/P^2

#: Coefficients of the products: flows of the gluon, of the singlet; with ends exchanged.
GLUON, SINGLET, EXCHANGED_GLUON, EXCHANGED_SINGLET = range(4)


class Tables(NamedTuple):
    """Arrays for n gluons.

    Attributes:
        ints: n, states of the vector (1: there is none), pairings of quarks and antiquarks (1, or 2 where flavours are
            identical), lines that absorb (1 or 2), flows (2 (n + 1)!), numbers of scratch memory, address of the
            amplitudes, then the offsets of ten sections.  Addresses are those of scratch memory.
            0 sets of partons: address, whether the vector belongs to them (then the others are listed), partons.
            1 external states: addresses of q0, q1, a0, a1, then of each gluon's two polarisations.
            2 gluon currents of words: address, set; per split two currents, their sets.
            3 quarks and antiquarks that absorbed words: address, set, whether it is an antiquark; spinors and the
              gluon currents they absorb.
            4 lines, a quark and an antiquark joined: address, quark, antiquark.
            5 gluon currents of lines: address, set; lines; gluon (current, set) before current (address, set); current
              before gluon; triples: which one is complex, all three.
            6 as 3, with the vector: address, set, whether it is an antiquark, the spinor that absorbs it; as 3.
            7 lines with the vector: address, quark with it, antiquark; quark, antiquark with it.
            8 amplitudes: number, coefficient, whether the second quark's line absorbs; lines and currents.
            9 colour: butterflies, then rows of the quadratic form.
            Lists are preceded by their length.  Sections 6 to 8 are for one state of the vector.
        colour: coefficients of section 9.
    """

    ints: npt.NDArray[np.int32]
    colour: npt.NDArray[np.float64]


def _cuts(word: Word) -> list[tuple[Word, Word]]:
    return [(word[:j], word[j:]) for j in range(len(word) + 1)]


class _Program:
    """Sections, filled on demand: whatever is asked for is listed once, after what it needs."""

    def __init__(self, gluons: int, states: int, exchange: Exchange, absorbing: int) -> None:
        self.gluons = gluons
        self.with_vector = states > 1
        self.absorbing = absorbing
        self.sections: list[list[int]] = [[] for _ in range(9)]
        self.counts = [0] * 9
        self.size = 0
        self.known: dict[object, int] = {}
        everything = range(4 + gluons)
        self.all = sum(1 << i for i in everything)
        external = [self._new(SPINOR) for _ in range(4)] + [self._new(REAL_VECTOR) for _ in range(2 * gluons)]
        self.external = external
        self.sections[1] = external
        self.counts[1] = len(external)
        self._amplitudes(0, (0, 2), (1, 3))
        if exchange == "antiquarks":
            self._amplitudes(1, (0, 3), (1, 2))
        elif exchange == "quarks":
            self._amplitudes(1, (1, 2), (0, 3))
        self.amplitudes = self.size

    def _new(self, numbers: int) -> int:
        self.size += numbers
        return self.size - numbers

    def _add(self, section: int, numbers: list[int]) -> None:
        self.sections[section] += numbers
        self.counts[section] += 1

    def _once(self, key: object, numbers: int, make: Callable[[int], None]) -> int:
        if key not in self.known:
            address = self._new(numbers)
            make(address)  # lists what it needs first
            self.known[key] = address
        return self.known[key]

    # ---- sets of partons: q0, q1, a0, a1, gluons -------------------------------------------------------------------

    def set(self, partons: list[int], word: Word, vector: bool = False) -> int:
        members = [*partons, *(4 + letter for letter in word)]
        mask = sum(1 << i for i in members)
        if vector:
            mask = self.all - mask
        listed = [i for i in range(4 + self.gluons) if mask >> i & 1]
        return self._once(("set", mask, vector), SET, lambda at: self._add(0, [at, int(vector), len(listed), *listed]))

    # ---- currents; h: polarisations, bit = gluon -------------------------------------------------------------------

    def gluon(self, word: Word, h: int) -> int:
        if len(word) == 1:
            return self.external[4 + 2 * word[0] + (h >> word[0] & 1)]

        def make(at: int) -> None:
            splits = [
                [self.gluon(a, h), self.gluon(b, h), self.set([], a), self.set([], b)] for a, b in _cuts(word)[1:-1]
            ]
            self._add(2, [at, self.set([], word), len(splits), *(n for split in splits for n in split)])

        return self._once(("gluon", word, self._of(word, h)), REAL_VECTOR, make)

    def spinor(self, end: int, word: Word, h: int, vector: bool = False) -> int:
        """A quark (end 0, 1) that absorbed a word, first letter first, or an antiquark (2, 3), last letter first."""
        if not word and not vector:
            return self.external[end]
        cuts = [(a, b) for a, b in _cuts(word) if b] if end < 2 else [(b, a) for a, b in _cuts(word) if a]

        def make(at: int) -> None:
            terms = [n for kept, new in cuts for n in (self.spinor(end, kept, h, vector), self.gluon(new, h))]
            before = [self.spinor(end, word, h)] if vector else []
            listed = [at, self.set([end], word, vector), int(end > 1), *before, len(cuts), *terms]
            self._add(6 if vector else 3, listed)

        return self._once(("spinor", end, vector, word, self._of(word, h)), SPINOR, make)

    def line(self, ends: tuple[int, int], u: Word, v: Word, h: int, vector: bool = False) -> int:
        """A quark that absorbed u, an antiquark that absorbed v, and whatever they absorb between."""
        q, a = ends

        def make(at: int) -> None:
            joined = [self.spinor(q, u, h, vector), self.spinor(a, v, h)]
            if vector:
                joined += [self.spinor(q, u, h), self.spinor(a, v, h, vector)]
            self._add(7 if vector else 4, [at, *joined])

        return self._once(("line", ends, vector, u, v, self._of(u + v, h)), COMPLEX_VECTOR, make)

    def current(self, ends: tuple[int, int], x: Word, y: Word, h: int) -> int:
        """The gluon current of the ordered set x, antiquark, quark, y."""

        def make(at: int) -> None:
            def momentum(x: Word, y: Word) -> int:
                return self.set(list(ends), x + y)

            before = [
                [self.gluon(a, h), self.set([], a), self.current(ends, b, y, h), momentum(b, y)]
                for a, b in _cuts(x)[1:]
            ]
            after = [
                [self.current(ends, x, a, h), momentum(x, a), self.gluon(b, h), self.set([], b)]
                for a, b in _cuts(y)[:-1]
            ]
            triples = list(self._triples(ends, x, y, h))
            listed = [at, momentum(x, y), 1, self.line(ends, y, x, h)]
            for part in (before, after, triples):
                listed += [len(part), *(n for numbers in part for n in numbers)]
            self._add(5, listed)

        return self._once(("current", ends, x, y, self._of(x + y, h)), COMPLEX_VECTOR, make)

    def _triples(self, ends: tuple[int, int], x: Word, y: Word, h: int) -> Iterator[list[int]]:
        """The four-gluon vertex: the ways to split x, antiquark, quark, y in three."""
        for kept_x in range(len(x) + 1):
            for kept_y in range(len(y) + 1):
                left, right = x[:kept_x], y[kept_y:]
                middle = self.current(ends, x[kept_x:], y[:kept_y], h) if len(left) + len(right) > 1 else 0
                if left and right:
                    yield [1, self.gluon(left, h), middle, self.gluon(right, h)]
                if not right:
                    yield from ([2, self.gluon(a, h), self.gluon(b, h), middle] for a, b in _cuts(left)[1:-1])
                if not left:
                    yield from ([0, middle, self.gluon(a, h), self.gluon(b, h)] for a, b in _cuts(right)[1:-1])

    def singlet(self, ends: tuple[int, int], word: Word, h: int) -> int:
        """The current of a gluon that gluons do not couple to, of a line with a word on it."""

        def make(at: int) -> None:
            lines = [self.line(ends, u, v, h) for u, v in _cuts(word)]
            self._add(5, [at, self.set(list(ends), word), len(lines), *lines, 0, 0, 0])

        return self._once(("singlet", ends, word, self._of(word, h)), COMPLEX_VECTOR, make)

    # ---- amplitudes ------------------------------------------------------------------------------------------------

    def _amplitudes(self, pairing: int, first: tuple[int, int], second: tuple[int, int]) -> None:
        ordered = flows(self.gluons)
        gluon, singlet = (EXCHANGED_GLUON, EXCHANGED_SINGLET) if pairing else (GLUON, SINGLET)
        for h in range(1 << self.gluons):
            for line, (ours, theirs) in enumerate([(first, second), (second, first)][: self.absorbing]):
                for number, flow in enumerate(ordered):
                    v, w = flow if ours[0] == 0 else flow[::-1]
                    planar = [
                        (self.line(ours, a, d, h, self.with_vector), self.current(theirs, b, c, h))
                        for a, b in _cuts(v)
                        for c, d in _cuts(w)
                    ]
                    plain = [
                        (self.line(ours, a, b, h, self.with_vector), self.singlet(theirs, w, h)) for a, b in _cuts(v)
                    ]
                    kinds = [(pairing, gluon, planar), (1 - pairing, singlet, plain)]
                    for kind, coefficient, terms in kinds:
                        place = ((pairing * (1 << self.gluons) + h) * 2 + kind) * len(ordered) + number
                        self._add(8, [place, coefficient, line, len(terms), *(n for term in terms for n in term)])

    def _of(self, word: Word, h: int) -> int:
        return sum(h & 1 << letter for letter in word)


@cache
def tables(gluons: int, states: int, exchange: Exchange, absorbing: int) -> Tables:
    """The tables for so many gluons, states of the vector (1: there is none; 2: leptons; 3: Z, W) and lines it sees."""
    pairings = 1 if exchange is None else 2
    program, form = _Program(gluons, states, exchange, absorbing), colour_form(gluons)
    colour = [len(form.butterflies), *(index for pair in form.butterflies for index in pair)]
    for row in form.rows:
        colour += [len(row), *(j for j, _ in row)]
    counted = zip(program.counts, program.sections, strict=True)
    sections = [*([count, *section] for count, section in counted), colour]
    number = len(flows(gluons)) * 2
    # two numbers for each state, pairing, polarisations and flow, line that absorbs, chirality of the second line
    amplitudes = 8 * states * pairings * (number << gluons)
    counts = [gluons, states, pairings, absorbing, number, program.size + amplitudes + 4 * number, program.amplitudes]
    offsets = len(counts) + len(sections) + np.cumsum([0, *(len(section) for section in sections[:-1])])
    ints = [*counts, *offsets.tolist(), *(n for section in sections for n in section)]
    return Tables(np.array(ints, dtype=np.int32), np.array([c for row in form.rows for _, c in row]))
