"""What Les Houches event files say of a run, an event and a particle (hep-ph/0109068, hep-ph/0609017)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ampcli.errors import IntegrityError
from ampcli.kinematics import FloatArray

INCOMING, OUTGOING, RESONANCE = -1, 1, 2  # status codes


class LheParticle(NamedTuple):
    """A line of an event (a tuple: files hold millions of them).

    Attributes:
        mothers: lines of the first and the last mother, from 1; 0: none.
        colours: tags of the colour and the anticolour line; 0: none.
        momentum: (E, px, py, pz) in GeV.
        mass: as it is stated, in GeV.
        printed: the energy as it is printed, which shows how many digits there are.
    """

    pdg: int
    status: int
    mothers: tuple[int, int]
    colours: tuple[int, int]
    momentum: tuple[float, float, float, float]
    mass: float
    printed: bytes


@dataclass(frozen=True, slots=True)
class LheEvent:
    """An event.

    Attributes:
        number: in the file, from 0.
        kind: which subprocess of <init> it belongs to (IDPRUP).
        weight: XWGTUP, as it is.
        scale: SCALUP in GeV.
        alpha_ew, alpha_s: AQEDUP and AQCDUP; -1: unknown.
    """

    number: int
    kind: int
    weight: float
    scale: float
    alpha_ew: float
    alpha_s: float
    particles: list[LheParticle]

    def with_status(self, status: int) -> list[LheParticle]:
        """Particles of a status, in the order of the file."""
        return [particle for particle in self.particles if particle.status == status]


@dataclass(frozen=True)
class LheSubprocess:
    """A line of <init>: its number (IDPRUP), cross section and error in pb, largest weight."""

    kind: int
    cross_section: float
    error: float
    maximum: float


@dataclass(frozen=True)
class LheInit:
    """The <init> block.

    Attributes:
        beams: PDG codes.
        energies: of the beams in GeV.
        pdf_sets: numbers of parton densities; 0 or -1: none or unknown.
        weighting: what weights mean (IDWTUP).
    """

    beams: tuple[int, int]
    energies: tuple[float, float]
    pdf_sets: tuple[int, int]
    weighting: int
    subprocesses: tuple[LheSubprocess, ...]


def parse_init(text: bytes, where: str) -> LheInit:
    """Read the text of an <init> block; what follows the subprocesses is not looked at.

    Args:
        where: its name, for messages.

    Raises:
        IntegrityError: lines that are not as the standard has them, or fewer subprocesses than it says.
    """
    lines = _lines(text)
    if not lines:
        raise IntegrityError(f"{where} is empty")
    words = lines[0].split()
    if len(words) != 10:
        raise _malformed(where, lines[0], "10 numbers (IDBMUP EBMUP PDFGUP PDFSUP IDWTUP NPRUP)")
    try:
        first, second, *_, one_set, other_set, weighting, said = (integer(words[i]) for i in (0, 1, 4, 5, 6, 7, 8, 9))
        energies = _finite(words[2]), _finite(words[3])
    except ValueError:
        raise _malformed(where, lines[0], "integers, and two finite energies after the first two") from None
    if len(lines) - 1 < said:
        raise IntegrityError(f"{where} says that there are {said} subprocesses, and has {len(lines) - 1}")
    found = []
    for line in lines[1 : 1 + said]:
        words = line.split()
        try:
            section, error, maximum = (_finite(word) for word in words[:3])
            found.append(LheSubprocess(integer(words[3]), section, error, maximum))
        except (ValueError, IndexError):
            raise _malformed(where, line, "3 finite numbers and an integer (XSECUP XERRUP XMAXUP LPRUP)") from None
    return LheInit((first, second), energies, (one_set, other_set), weighting, tuple(found))


def parse_event(block: bytes, number: int, where: str) -> LheEvent:
    """Read the text between <event> and </event>; weights and the like, which follow, are not looked at.

    Args:
        where: the event's name, for messages.

    Raises:
        IntegrityError: lines that are not as the standard has them, or another number of particles than it says.
    """
    lines = _lines(block)
    if not lines:
        raise IntegrityError(f"{where} is empty")
    head = lines[0].split()
    if len(head) != 6:
        raise _malformed(where, lines[0], "6 numbers (NUP IDPRUP XWGTUP SCALUP AQEDUP AQCDUP)")
    try:
        said, kind = integer(head[0]), integer(head[1])
        weight, scale, alpha_ew, alpha_s = [real(word) for word in head[2:]]
    except ValueError:
        raise _malformed(where, lines[0], "2 integers and 4 numbers") from None
    if len(lines) - 1 != said:
        raise IntegrityError(f"{where} says that it has {said} particles, and has {len(lines) - 1}", "It is damaged.")
    particles = [_particle(line, where) for line in lines[1:]]
    return LheEvent(number, kind, weight, scale, alpha_ew, alpha_s, particles)


_PLAIN_BYTES = b"0123456789.eE+- \n\r\t"


@dataclass(frozen=True)
class LheTable:
    """An event whose text is nothing but numbers, as most are: read at once.

    Attributes:
        weight: XWGTUP.
        particles: (n, 13), the numbers of each line.
        shape: what its particles are and where they come from, the same for all events alike.
    """

    weight: float
    particles: FloatArray
    shape: bytes


def read_table(block: bytes) -> LheTable | None:
    """The text between <event> and </event>, read twice as fast as by `parse_event`, at the rate of its numbers.

    Returns:
        None where `parse_event` has to be asked: other text, or numbers that are not those of an event.
    """
    if block.translate(None, _PLAIN_BYTES):
        return None
    try:
        numbers = np.array([*map(float, block.split())])
    except ValueError:  # text such as 1.2.3
        return None
    said, rest = divmod(len(numbers) - 6, 13)
    if said < 1 or rest or numbers[0] != said or block.strip().count(b"\n") != said or numbers[1] % 1:
        return None
    particles = numbers[6:].reshape(said, 13)
    words = particles[:, :6]
    if not np.abs(words).max() < _EXACT:
        return None
    integers = words.astype(np.int64)
    if not (integers == words).all():
        return None
    return LheTable(float(numbers[2]), particles, integers[:, :4].tobytes())


def _lines(text: bytes) -> list[bytes]:
    """Lines with numbers: comments are left out, the first tag ends them."""
    lines = []
    for line in text.splitlines():
        line = line.split(b"#", 1)[0].strip()
        if line.startswith(b"<"):
            break
        if line:
            lines.append(line)
    return lines


def _particle(line: bytes, where: str) -> LheParticle:
    words = line.split()
    if len(words) != 13:
        raise _malformed(where, line, "13 numbers for each particle")
    try:
        try:  # nearly all lines: Python's own readers are quick, but take "1_0", and not what Fortran writes
            if b"_" in line or max(map(len, words[:6])) > _DIGITS:
                raise ValueError
            pdg, status, mother, last, colour, anticolour = map(int, words[:6])
            x, y, z, e, mass, _, _ = map(float, words[6:])
        except ValueError:
            pdg, status, mother, last, colour, anticolour = map(integer, words[:6])
            x, y, z, e, mass, _, _ = map(real, words[6:])
    except ValueError:
        raise _malformed(where, line, "6 integers and 7 numbers for each particle") from None
    return LheParticle(pdg, status, (mother, last), (colour, anticolour), (e, x, y, z), mass, words[9])


_DIGITS = 18
_EXACT = 2.0**53  # integers below are exact as floating-point numbers
_PLAIN = re.compile(rb"[+-]?\d{1,18}")
_FORTRAN = re.compile(rb"([+-]?(?:\d+\.?\d*|\.\d+))(?:[dDqQ]|(?=[+-]))([+-]?\d+)")


def integer(word: bytes) -> int:
    """Raises ValueError for anything but an integer."""
    if (word.isdigit() and len(word) <= _DIGITS) or _PLAIN.fullmatch(word):
        return int(word)
    raise ValueError


def real(word: bytes) -> float:
    """A number, also as Fortran writes it: 1.0D+03, 1.0-100; ValueError if it is none."""
    if b"_" in word:  # which Python takes for a separator of thousands
        raise ValueError
    try:
        return float(word)
    except ValueError:
        if (found := _FORTRAN.fullmatch(word)) is None:
            raise
        return float(found[1] + b"e" + found[2])


def _finite(word: bytes) -> float:
    if not math.isfinite(value := real(word)):
        raise ValueError
    return value


def _malformed(where: str, line: bytes, wanted: str) -> IntegrityError:
    return IntegrityError(f"{where}: the standard has {wanted}, not {repr(line[:120])[1:]}", "It is damaged.")
