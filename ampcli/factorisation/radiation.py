"""Radiation types and ranks: which emissions of a process can be undone, and how.

AS: L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 2 and App. A.  CS: S. Catani,
M.H. Seymour, Nucl. Phys. B485 (1997) 291.  The kernels printed in AS lack terms: "corrected" is CS, "paper" is as
printed (docs/physics.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from ampcli.errors import UsageError
from ampcli.process import PARTICLES, Process

Kernel = Literal["flows", "corrected", "paper"]
Pair = Literal["product", "delta-r"]
Spectator = Literal["energetic", "s-ijk", "gluon"]

#: Their numbers in the compiled features.
SPECTATORS: tuple[Spectator, ...] = get_args(Spectator)


@dataclass(frozen=True)
class Choices:
    """What AS leaves to choose in undoing an emission; the defaults are the paper's, but for the kernel.

    Attributes:
        kernel: as corrected (docs/physics.md), or as printed; or the ratio of sums over colour flows, for processes
            with a `colour_string` (others: as corrected).
        pair: final-state pairs are singular by p_i.p_j, or by Delta R; initial-state ones always by p_a.p_i.
        spectator: the most energetic jet, or the one with the largest s_ijk, or the gluon with it (a quark, where no
            gluon is left).
    """

    kernel: Kernel = "corrected"
    pair: Pair = "product"
    spectator: Spectator = "energetic"


@dataclass(frozen=True)
class Radiation:
    """A radiation type with its rank, such as FG2; `steps` is 2 for FG1^2.

    Attributes:
        initial: emission from an initial leg.
        gluon: the emitter may be a gluon; quark: it may be a quark (both: FA, which the paper does not have).
        rank: 1 for the most singular pair.
    """

    initial: bool
    gluon: bool
    rank: int
    steps: int = 1
    quark: bool = False

    def __post_init__(self) -> None:
        if not self.gluon and not self.quark:
            object.__setattr__(self, "quark", True)

    @property
    def name(self) -> str:
        emitter = "a" if self.either else "g" if self.gluon else "q"
        return f"{'i' if self.initial else 'f'}{emitter}{self.rank}{'^2' if self.steps == 2 else ''}"

    @property
    def either(self) -> bool:
        """The emitter is a gluon in one event and a quark in another."""
        return self.gluon and self.quark


def parse_radiation(name: str) -> Radiation | None:
    """``fg1``, ``iq2``, ``fa1``, ``fg1^2``; None for other names."""
    found = re.fullmatch(r"(fg|fq|fa|ig|iq)([1-9])(\^2)?", name.lower())
    if found is None:
        return None
    kind = found[1]
    return Radiation(kind[0] == "i", kind[1] in "ga", int(found[2]), 2 if found[3] else 1, kind[1] in "qa")


def emissions(process: Process, radiation: Radiation) -> list[tuple[int, int]]:
    """Emitter and emitted gluon, as external positions: gluon pairs once (i < j).

    Raises:
        UsageError: the process has too few such radiations, or no spectator for them.
    """
    found, spectators = _pairs(process, radiation), _spectators(process, radiation)
    if len(found) < radiation.rank or spectators < 1:
        kinds = _emitters(radiation)
        massive = [leg.name for leg in process.outgoing if leg.kind in kinds and leg.mass > 0 and not radiation.initial]
        undone = f" ({' and '.join(dict.fromkeys(massive))} are massive: what they emit is not undone)"
        raise UsageError(
            f'"{process}" has {len(found)} radiations {radiation.name[:2].upper()} and {max(spectators, 0)} spectators '
            f"for them: no {radiation.name.upper()}{undone if massive else ''}",
            _hint(process),
        )
    return found


def _emitters(radiation: Radiation) -> tuple[str, ...]:
    """Kinds of legs that may emit."""
    return (("gluon",) if radiation.gluon else ()) + (("quark", "antiquark") if radiation.quark else ())


def _pairs(process: Process, radiation: Radiation) -> list[tuple[int, int]]:
    legs, kinds = process.legs, _emitters(radiation)
    gluons = [i for i in process.jet_legs if legs[i].kind == "gluon"]
    emitters = [i for i in (range(2) if radiation.initial else process.jet_legs) if legs[i].kind in kinds]
    return [(i, j) for i in emitters for j in gluons if (i < j if legs[i].kind == "gluon" else i != j)]


def _spectators(process: Process, radiation: Radiation) -> int:
    return len(process.jet_legs) - (1 if radiation.initial else 2)


def _hint(process: Process) -> str:
    """The radiations that a process has."""
    ranks = {}
    for kind in ("fg", "fq", "fa", "ig", "iq"):
        radiation = Radiation(kind[0] == "i", kind[1] in "ga", 1, quark=kind[1] in "qa")
        if _spectators(process, radiation) > 0:
            ranks[kind] = len(_pairs(process, radiation))
    known = [f"{kind}1" + (f" to {kind}{rank}" if rank > 1 else "") for kind, rank in ranks.items() if rank]
    if not known:
        return 'It has no emission to undo: take the features "invariants", or `train --model nofa` without any.'
    return f'"{process}" has {", ".join(known)}.'


def reduced_process(process: Process) -> Process:
    """The process without its last outgoing gluon."""
    last = last_gluon(process)
    return Process(process.incoming, tuple(leg for i, leg in enumerate(process.outgoing, start=2) if i != last))


#: Gluons between the ends of a string that the compiled features take.
_MOST_GLUONS = 8


@dataclass(frozen=True)
class ColourString:
    """Where colour flows along one string: its ends, and the power of s by which |M|^2 is like the sum over flows.

    The ends are the quark and the antiquark; of gluons alone, whose string is closed, both are the first gluon.
    """

    ends: tuple[int, int]
    numerator: int


def colour_string(process: Process) -> ColourString | None:
    """The string of a process with one quark line, or without quarks; None for others, and for too many gluons."""
    legs = process.legs
    quarks = [i for i, leg in enumerate(legs) if leg.kind in ("quark", "antiquark")]
    gluons = [i for i, leg in enumerate(legs) if leg.kind == "gluon"]
    if len(gluons) - (not quarks) > _MOST_GLUONS or len(quarks) not in (0, 2):
        return None
    if not quarks:
        return ColourString((gluons[0], gluons[0]), 4)
    return ColourString((quarks[0], quarks[1]), 3 if len(legs) == len(quarks) + len(gluons) else 2)


def last_gluon(process: Process) -> int:
    """External position of the last outgoing gluon."""
    return max(i for i in process.jet_legs if process.legs[i].kind == "gluon")


def mirror_symmetric(process: Process) -> bool:
    """Whether |M|^2 stays the same when the two beams' momenta are exchanged.

    CP turns d(p_1) d~(p_2) into d~(-p_1) d(-p_2) and reflects the rest, so that with neutral outgoing particles the
    beams may be exchanged; two like beams may be in any case.  Of particles of UFO models nothing is known.
    """
    first, second = process.incoming
    if first.pdg == second.pdg:
        return True
    return first.pdg == -second.pdg and all(
        leg.kind not in ("quark", "antiquark", "lepton") and leg.name in PARTICLES for leg in process.outgoing
    )
