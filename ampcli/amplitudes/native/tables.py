"""What the recursion (`currents.h`, `amplitude.h`) needs to know about words of gluons, as flat arrays for CPU and GPU.

A word is an ordered set of the gluons 0 .. n - 1.  Every stored word (0 to n - 1 gluons) has 2^letters slots, one for
each choice of polarisations, of which bit i belongs to the word's i-th letter.  A "set" is a bit mask of gluons.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.colour import ColourForm, Word, colour_form, orderings


class Tables(NamedTuple):
    """Arrays of the recursion for n gluons.

    Attributes:
        ints: n, stored slots, orderings, basis words of n gluons, then the offsets of six sections:
            0 gluon currents: for 2 .. n - 1 letters: words that begin with their first letter (slot, set; per split:
              slots of prefix and suffix, their sets); the other words, slot by slot (slot, negative, with tensor,
              sources).
            1 quark currents: words of 1 .. n - 1 letters (slot, letters, set; per split, 0 letters in the prefix
              first: slots of prefix and suffix).
            2 orderings: per split slots of prefix and suffix; for every choice h of polarisations by gluon, the same
              by position.
            3 basis words of n gluons: ordering, then splits as in 0.
            4 colour: butterflies, then rows of the quadratic form.
            5 relations: for every ordering, sign and basis words of its longest gluon current.
            Lists are preceded by their length.
        colour: coefficients of section 4.
    """

    ints: npt.NDArray[np.int32]
    colour: npt.NDArray[np.float64]


def shuffles(left: Word, right: Word) -> list[Word]:
    """All words of the letters of both that keep the order of each."""
    found = []
    for places in combinations(range(len(left) + len(right)), len(left)):
        one, other = iter(left), iter(right)
        found.append(tuple(next(one) if i in places else next(other) for i in range(len(left) + len(right))))
    return found


def kleiss_kuijf(word: Word) -> tuple[int, list[Word]]:
    """A gluon current in terms of those that begin with the smallest letter.

    J(a 1 b) = (-1)^len(a) sum J(1 c) over the shuffles c of a reversed and b (Kleiss, Kuijf, Nucl. Phys. B312 (1989)
    616), which holds off shell.

    Returns:
        The sign and the words.
    """
    at = word.index(min(word))
    before, after = word[:at], word[at + 1 :]
    return (-1) ** at, [(word[at], *rest) for rest in shuffles(before[::-1], after)]


def letters_mask(word: Word) -> int:
    return sum(1 << letter for letter in word)


def by_position(word: Word, polarisations: int) -> int:
    """Polarisations given by gluon (bit = gluon), as bits by position in a word."""
    return sum((polarisations >> letter & 1) << position for position, letter in enumerate(word))


def by_letter(word: Word, polarisations: int) -> int:
    """The inverse of `by_position`."""
    return sum((polarisations >> position & 1) << letter for position, letter in enumerate(word))


class _Slots:
    """Where the currents of words of `gluons` gluons are stored."""

    def __init__(self, gluons: int) -> None:
        self.gluons = gluons
        self.words = [word for letters in range(max(gluons, 1)) for word in permutations(range(gluons), letters)]
        self.of: dict[Word, int] = {}
        self.count = 0
        for word in self.words:
            self.of[word] = self.count
            self.count += 1 << len(word)

    def gluon_splits(self, word: Word) -> list[int]:
        """Slots and sets of prefix and suffix, neither empty."""
        cuts = [(word[:j], word[j:]) for j in range(1, len(word))]
        return [n for a, b in cuts for n in (self.of[a], self.of[b], letters_mask(a), letters_mask(b))]

    def quark_splits(self, word: Word) -> list[int]:
        """Slots of prefix and suffix, which may be empty (0 for the whole word of all gluons, which is not stored)."""
        cuts = [(word[:j], word[j:]) for j in range(len(word) + 1)]
        return [self.of.get(part, 0) for cut in cuts for part in cut]


def _gluon_currents(slots: _Slots) -> list[int]:
    section: list[int] = []
    for letters in range(2, slots.gluons):
        words = list(permutations(range(slots.gluons), letters))
        basis = [word for word in words if word[0] == min(word)]
        section.append(len(basis))
        for word in basis:
            section += [slots.of[word], letters_mask(word), *slots.gluon_splits(word)]
        derived = [word for word in words if word[0] != min(word)]
        section.append(len(derived) << letters)
        for word in derived:
            sign, sources = kleiss_kuijf(word)
            with_tensor = int(0 not in word)  # only suffixes of words that begin with gluon 0 need it
            for h in range(1 << letters):
                by_gluon = by_letter(word, h)
                places = [slots.of[source] + by_position(source, by_gluon) for source in sources]
                section += [slots.of[word] + h, int(sign < 0), with_tensor, len(places), *places]
    return section


def _quark_currents(slots: _Slots) -> list[int]:
    words = [word for word in slots.words if word]
    section = [len(words)]
    for word in words:
        section += [slots.of[word], len(word), letters_mask(word), *slots.quark_splits(word)]
    return section


def _orderings(slots: _Slots, ordered: list[Word]) -> list[int]:
    section: list[int] = []
    for word in ordered:
        section += [*slots.quark_splits(word), *(by_position(word, h) for h in range(1 << slots.gluons))]
    return section


def _basis_words(slots: _Slots, ordered: list[Word], basis: list[Word]) -> list[int]:
    section: list[int] = []
    for word in basis:
        section += [ordered.index(word), *slots.gluon_splits(word)]
    return section


def _colour(form: ColourForm) -> list[int]:
    section = [len(form.butterflies), *(index for pair in form.butterflies for index in pair)]
    for row in form.rows:
        section += [len(row), *(j for j, _ in row)]
    return section


def _relations(ordered: list[Word], basis: list[Word]) -> list[int]:
    section: list[int] = []
    for word in ordered:
        sign, sources = kleiss_kuijf(word) if word else (1, [])
        section += [int(sign < 0), len(sources), *(basis.index(source) for source in sources)]
    return section


@cache
def tables(gluons: int) -> Tables:
    """The tables for so many gluons."""
    return tables_with(gluons, colour_form(gluons))


def tables_with(gluons: int, form: ColourForm) -> Tables:
    """The tables for so many gluons, and other colours than those of a quark line."""
    slots, ordered = _Slots(gluons), orderings(gluons)
    basis = [word for word in ordered if word and word[0] == 0]
    sections = [
        _gluon_currents(slots),
        _quark_currents(slots),
        _orderings(slots, ordered),
        _basis_words(slots, ordered, basis),
        _colour(form),
        _relations(ordered, basis),
    ]
    counts = [gluons, slots.count, len(ordered), len(basis)]
    offsets = len(counts) + len(sections) + np.cumsum([0, *(len(section) for section in sections[:-1])])
    ints = [*counts, *offsets.tolist(), *(n for section in sections for n in section)]
    coefficients = [coefficient for row in form.rows for _, coefficient in row]
    return Tables(np.array(ints, dtype=np.int32), np.array(coefficients))
