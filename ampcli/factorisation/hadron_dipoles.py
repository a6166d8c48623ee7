"""Which Catani-Seymour dipoles a process with incoming partons has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ampcli.errors import UsageError
from ampcli.factorisation.kernels import Splitting
from ampcli.process import Process

#: Emitter and spectator: final-final, final-initial, initial-final, initial-initial (CS, Secs. 5.1 to 5.4).
Configuration = Literal["FF", "FI", "IF", "II"]

_COLOURED = ("quark", "antiquark", "gluon")


@dataclass(frozen=True)
class DipoleGroup:
    """Dipoles of one kind: (emitter, emitted, spectator) as positions among all external legs."""

    configuration: Configuration
    splitting: Splitting
    triples: tuple[tuple[int, int, int], ...]


def hadron_dipoles(process: Process) -> tuple[DipoleGroup, ...]:
    """All dipoles whose reduced process does not vanish, in the order FF, FI, IF, II; gluon pairs once (i < j).

    Raises:
        UsageError: a massive parton, or no dipole.
    """
    legs = process.legs
    partons = [i for i, leg in enumerate(legs) if leg.kind in _COLOURED]
    if any(legs[i].mass > 0 for i in partons):
        raise UsageError(
            f'"{process}" has massive partons', "The features fame have dipoles of massless quarks and gluons only."
        )
    found: list[tuple[Configuration, Splitting, tuple[int, int, int]]] = []
    for i in partons:
        for j in partons:
            splitting = _splitting(process, i, j)
            if splitting is None:
                continue
            for k in partons:
                if k not in (i, j):
                    found.append((_configuration(i, k), splitting, (i, j, k)))
    if not found:
        raise UsageError(f'"{process}" has no dipoles', "The features fame need an emission from massless partons.")
    found.sort()
    return tuple(
        DipoleGroup(configuration, splitting, tuple(triple for *_, triple in members))
        for (configuration, splitting), members in groupby(found, key=lambda dipole: dipole[:2])
    )


def _configuration(emitter: int, spectator: int) -> Configuration:
    if emitter < 2:
        return "II" if spectator < 2 else "IF"
    return "FI" if spectator < 2 else "FF"


def _splitting(process: Process, i: int, j: int) -> Splitting | None:
    """How emitter i and emitted outgoing leg j come from one parton; None where they do not."""
    first, second = process.legs[i], process.legs[j]
    if j < 2 or i == j:
        return None
    if second.kind == "gluon":
        if first.kind != "gluon":
            return "qg"
        return "gg" if i < j else None
    if first.kind == "gluon":
        return "gq" if i < 2 else None
    same_line = first.pdg == second.pdg if i < 2 else (first.kind == "quark" and first.pdg == -second.pdg)
    return "qq" if same_line and not _vanishes_without(process, i, j) else None


def _vanishes_without(process: Process, i: int, j: int) -> bool:
    """Whether no quark is left that colourless legs could couple to once legs i and j make a gluon."""
    kinds = {leg.kind for position, leg in enumerate(process.legs) if position not in (i, j)}
    return kinds.isdisjoint(("quark", "antiquark")) and not kinds <= set(_COLOURED)
