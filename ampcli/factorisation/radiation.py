"""Radiation types and ranks, Catani-Seymour maps and splitting kernels of one emission.

AS: L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 2 and App. A.  CS: S. Catani,
M.H. Seymour, Nucl. Phys. B485 (1997) 291.  The kernels printed in AS lack terms: "corrected" is CS, "paper" is as
printed (docs/physics.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.factorisation.kernels import C_A, C_F
from ampcli.process import Process

Kernel = Literal["corrected", "paper"]
Pair = Literal["product", "delta-r"]
Spectator = Literal["energetic", "s-ijk"]

#: Initial-state kernels may turn negative far from their singularity; a factor of a positive amplitude may not.
KERNEL_FLOOR = 1e-2


@dataclass(frozen=True)
class Choices:
    """What AS leaves to choose in undoing an emission; the defaults are the paper's, but for the kernel.

    Attributes:
        kernel: as corrected (docs/physics.md), or as printed.
        pair: final-state pairs are singular by p_i.p_j, or by Delta R; initial-state ones always by p_a.p_i.
        spectator: the most energetic jet, or the one with the largest s_ijk.
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
    legs = process.legs
    gluons = [i for i in process.jet_legs if legs[i].kind == "gluon"]
    kinds = (("gluon",) if radiation.gluon else ()) + (("quark", "antiquark") if radiation.quark else ())
    emitters = [i for i in (range(2) if radiation.initial else process.jet_legs) if legs[i].kind in kinds]
    found = [(i, j) for i in emitters for j in gluons if (i < j if legs[i].kind == "gluon" else i != j)]
    spectators = len(process.jet_legs) - (1 if radiation.initial else 2)
    if len(found) < radiation.rank or spectators < 1:
        raise UsageError(
            f'"{process}" has {len(found)} radiations {radiation.name[:2].upper()} and {max(spectators, 0)} spectators '
            f"for them: no {radiation.name.upper()}",
            "Choose a lower rank or another type: fg, fq, fa, ig, iq.",
        )
    return found


def reduced_process(process: Process) -> Process:
    """The process without its last outgoing gluon."""
    last = last_gluon(process)
    return Process(process.incoming, tuple(leg for i, leg in enumerate(process.outgoing, start=2) if i != last))


def last_gluon(process: Process) -> int:
    """External position of the last outgoing gluon."""
    return max(i for i in process.jet_legs if process.legs[i].kind == "gluon")


def final_variables(pij: Tensor, pjk: Tensor, pik: Tensor) -> tuple[Tensor, Tensor]:
    """y_ij,k and z_ij,k (AS, Eq. 29)."""
    return pij / (pij + pjk + pik), pik / (pik + pjk)


def initial_variables(pai: Tensor, pak: Tensor, pik: Tensor) -> tuple[Tensor, Tensor]:
    """x_ai,k and u_ai,k (AS, Eq. 37)."""
    return (pak + pai - pik) / (pak + pai), pai / (pai + pak)


def final_kernel(gluon: bool, y: Tensor, z: Tensor, kernel: Kernel = "corrected") -> Tensor:
    """F p_i.p_j / (4 pi alpha_s) of q -> q g or g -> g g (AS, Eqs. 44, 45; CS, Eqs. 5.7, 5.9)."""
    if gluon:
        soft = 1 / (1 - z * (1 - y)) + 1 / (1 - (1 - z) * (1 - y))
        return 2 * C_A * (soft - 2 + (z * (1 - z) if kernel == "corrected" else 0))
    return C_F * (2 / (1 - z * (1 - y)) - (1 + z if kernel == "corrected" else 1 - z))


def initial_kernel(gluon: bool, x: Tensor, u: Tensor, kernel: Kernel = "corrected") -> Tensor:
    """F x p_a.p_i / (4 pi alpha_s), floored (AS, Eqs. 50, 51; CS, Eqs. 5.77, 5.79)."""
    if gluon:
        value = 2 * C_A * (1 / (1 - x + u) + ((1 - x) / x if kernel == "corrected" else 0) - 1 + x * (1 - x))
    else:
        value = (1 if kernel == "corrected" else 2) * C_F * (2 / (1 - x + u) - (1 + x))
    return value.clamp_min(KERNEL_FLOOR)


def final_map(pi: Tensor, pj: Tensor, pk: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Momenta of emitter and spectator before a final-state emission (AS, Eq. 30); momenta (n, 4), y (n,)."""
    factor = (1 / (1 - y))[:, None]
    return pi + pj - y[:, None] * factor * pk, factor * pk


def initial_map(pa: Tensor, pi: Tensor, pk: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Momenta of emitter and spectator without an initial-state emission (AS, Eq. 38); momenta (n, 4), x (n,)."""
    return x[:, None] * pa, pk + pi - (1 - x)[:, None] * pa


@dataclass
class Reduction:
    """Events with one emission undone.

    Attributes:
        legs: emitter, emitted gluon, spectator: external positions (n, 3).
        variables: y, z or x, u: (n, 2).
        kernel: F in GeV^-2, (n,).
        momenta: of `reduced_process`, external, (n, legs - 1, 4).
        merged: external position of the emitter among them, (n,).
    """

    legs: Tensor
    variables: Tensor
    kernel: Tensor
    momenta: Tensor
    merged: Tensor


def distances(momenta: Tensor, products: Tensor, radiation: Radiation, choices: Choices) -> Tensor:
    """How far each pair of legs is from its singularity, (n, legs, legs): p_i.p_j, or (Delta R)^2 of outgoing ones."""
    if choices.pair == "product" or radiation.initial:
        return products
    rapidity = torch.asinh(momenta[..., 3] / torch.hypot(momenta[..., 1], momenta[..., 2]).clamp_min(1e-300))
    azimuth = torch.atan2(momenta[..., 2], momenta[..., 1])
    apart = azimuth[:, :, None] - azimuth[:, None, :]
    apart = torch.remainder(apart + math.pi, 2 * math.pi) - math.pi
    return (rapidity[:, :, None] - rapidity[:, None, :]).square() + apart.square()


def ranked(distance: Tensor, candidates: list[tuple[int, int]]) -> Tensor:
    """Candidates (columns of the result) from the most to the least singular: (n, candidates)."""
    emitter, emitted = (torch.tensor(side, device=distance.device) for side in zip(*candidates, strict=True))
    return distance[:, emitter, emitted].argsort(dim=1, stable=True)


def gluon_legs(process: Process, device: torch.device) -> Tensor:
    """Which legs are gluons, (legs,)."""
    return torch.tensor([leg.kind == "gluon" for leg in process.legs], device=device)


def emitter_first(momenta: Tensor, pair: Tensor, choices: Choices) -> Tensor:
    """Two final-state gluons (n, 2) with the one of more energy (more pT, where pairs go by Delta R) first.

    Kernel and map do not tell them apart; a network that sees them does, and must not depend on how they are labelled.
    """
    rows = torch.arange(len(momenta), device=momenta.device)[:, None]
    p = momenta[rows, pair]
    hardness = p[..., 0] if choices.pair == "product" else torch.hypot(p[..., 1], p[..., 2])
    return torch.where((hardness[:, 1] > hardness[:, 0])[:, None], pair.flip(1), pair)


def choose_spectator(momenta: Tensor, products: Tensor, jets: Sequence[int], pair: Tensor, choices: Choices) -> Tensor:
    """The spectator of emitter and emitted gluon (n, 2) among the jets: external position (n,)."""
    positions = torch.tensor(jets, device=momenta.device)
    if choices.spectator == "energetic":
        preference = momenta[:, positions, 0].clone()
    else:  # s_ijk = s_ij + s_ik + s_jk, and s_ij is common to all
        rows = torch.arange(len(momenta), device=momenta.device)[:, None]
        preference = (products[rows, pair[:, :1], positions] + products[rows, pair[:, 1:], positions]).clone()
    preference[(positions[None, :, None] == pair[:, None, :]).any(dim=2)] = -torch.inf
    return positions[preference.argmax(dim=1)]


def reduce_events(
    momenta: Tensor,
    products: Tensor,
    legs: Tensor,
    radiation: Radiation,
    process: Process,
    choices: Choices,
    alpha_s: float,
) -> Reduction:
    """Undo one emission.

    Args:
        momenta: external, (n, legs, 4) float64 in GeV; products: p_i.p_j, (n, legs, legs).
        legs: emitter, emitted gluon, spectator, (n, 3).
    """
    rows = torch.arange(len(momenta), device=momenta.device)
    i, j, k = legs.unbind(dim=1)
    pi, pj, pk = (momenta[rows, leg] for leg in (i, j, k))
    pij, pik, pjk = products[rows, i, j], products[rows, i, k], products[rows, j, k]
    if radiation.initial:
        first, second = initial_variables(pij, pik, pjk)
        of_gluon, of_quark = (initial_kernel(gluon, first, second, choices.kernel) for gluon in (True, False))
        distance = first * pij
        emitter, spectator = initial_map(pi, pj, pk, first)
    else:
        first, second = final_variables(pij, pjk, pik)
        of_gluon, of_quark = (final_kernel(gluon, first, second, choices.kernel) for gluon in (True, False))
        distance = pij
        emitter, spectator = final_map(pi, pj, pk, first)
    factor = torch.where(gluon_legs(process, momenta.device)[i], of_gluon, of_quark) / distance
    reduced = momenta.clone()
    reduced[rows, i], reduced[rows, k] = emitter, spectator
    # The emitted gluon's place is taken by the last gluon, whose place goes.
    last = last_gluon(process)
    reduced[rows, j] = reduced[:, last].clone()
    kept = [position for position in range(process.n_external) if position != last]
    merged = torch.where(i == last, j, i)
    merged = torch.where(merged > last, merged - 1, merged)
    return Reduction(
        legs, torch.stack([first, second], dim=1), 4 * math.pi * alpha_s * factor, reduced[:, kept].contiguous(), merged
    )
