"""Relevant permutations {ijk}: emitter i, emitted gluon j, spectator k (FAME, Sec. 2.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from ampcli.errors import UsageError
from ampcli.factorisation.kernels import Splitting
from ampcli.process import Process


@dataclass(frozen=True)
class Permutations:
    """The dipoles of a final state; legs are positions among the outgoing legs, from 0.

    `triples` runs in lexicographic order; `kinds` holds "qg" or "gg" for each, the splitting of the emitter.
    `gluon_pairs` are the pairs that get spin-correlation terms.
    """

    triples: tuple[tuple[int, int, int], ...]
    kinds: tuple[Splitting, ...]
    gluon_pairs: tuple[tuple[int, int], ...]


def relevant_permutations(process: Process) -> Permutations:
    """Quark emitters with any gluon, and gluon pairs i < j, each with every other parton as spectator.

    For q q~ + 1, 2, 3 gluons these are 2, 10, 27 permutations (FAME, Table 1).

    Raises:
        UsageError: the final state is not one massless quark-antiquark pair and at least one gluon.
    """
    gluons = process.final_positions("gluon")
    quarks = (*process.final_positions("quark"), *process.final_positions("antiquark"))
    is_one_line = len(process.final_positions("quark")) == len(process.final_positions("antiquark")) == 1
    if not is_one_line or not gluons or process.n_jets != process.n_final:
        raise UsageError(
            f'"{process}" has no final-state dipoles of one quark line',
            "The features fame cover a massless quark, its antiquark and one or more gluons.",
        )
    found: list[tuple[tuple[int, int, int], Splitting]] = []
    for i in range(process.n_final):
        for j in gluons:
            if i == j or (i in gluons and j < i):
                continue
            kind: Splitting = "qg" if i in quarks else "gg"
            found += [((i, j, k), kind) for k in range(process.n_final) if k not in (i, j)]
    found.sort()
    pairs = tuple((i, j) for i in gluons for j in gluons if i < j)
    return Permutations(tuple(t for t, _ in found), tuple(kind for _, kind in found), pairs)
