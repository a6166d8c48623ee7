"""The features of radiations by operations of torch on whole batches: the reference of the compiled ones.

AS: L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 2 and App. A.  CS: S. Catani,
M.H. Seymour, Nucl. Phys. B485 (1997) 291.  The kernels printed in AS lack terms: "corrected" is CS, "paper" is as
printed (docs/physics.md).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ampcli.factorisation.kernels import C_A, C_F
from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.factorisation.radiation import (
    Choices,
    Kernel,
    Radiation,
    colour_string,
    emissions,
    last_gluon,
    mirror_symmetric,
    reduced_process,
)
from ampcli.features.canonical import canonical_order
from ampcli.features.momenta import log_invariants
from ampcli.features.radiation import RadiationBlock
from ampcli.kinematics import longitudinal_rest, pair_positions
from ampcli.process import Process

#: Initial-state kernels may turn negative far from their singularity; a factor of a positive amplitude may not.
KERNEL_FLOOR = 1e-2

_TINY = 1e-300


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
        return 2 * C_A * (soft - 2 + (0 if kernel == "paper" else z * (1 - z)))
    return C_F * (2 / (1 - z * (1 - y)) - (1 - z if kernel == "paper" else 1 + z))


def initial_kernel(gluon: bool, x: Tensor, u: Tensor, kernel: Kernel = "corrected") -> Tensor:
    """F x p_a.p_i / (4 pi alpha_s), floored (AS, Eqs. 50, 51; CS, Eqs. 5.77, 5.79)."""
    if gluon:
        value = 2 * C_A * (1 / (1 - x + u) + (0 if kernel == "paper" else (1 - x) / x) - 1 + x * (1 - x))
    else:
        value = (2 if kernel == "paper" else 1) * C_F * (2 / (1 - x + u) - (1 + x))
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


def strings_of(momenta: Tensor, process: Process) -> Tensor:
    """Sum over all orders of gluons of 1 / (p_a.p_b) along the string, (n,)."""
    string = colour_string(process)
    assert string is not None
    products = external_products(momenta, process)
    gluons = [i for i, leg in enumerate(process.legs) if leg.kind == "gluon" and i != string.ends[0]]
    total = torch.zeros(len(momenta), dtype=torch.float64)
    for order in itertools.permutations(gluons):
        chain = (string.ends[0], *order, string.ends[1])
        total += torch.stack([1 / products[:, a, b] for a, b in itertools.pairwise(chain)]).prod(dim=0)
    return total


def flow_kernel(external: Tensor, step: Reduction, process: Process, radiation: Radiation, alpha_s: float) -> Tensor:
    """What stands in place of F: the ratio of colour flows, with the numerators of the splitting, (n,)."""
    rows = torch.arange(len(external))
    gluon = gluon_legs(process, external.device)[step.legs[:, 0]]
    if radiation.initial:
        x = step.variables[:, 0]
        numerator = torch.where(gluon, x**-4, x**-2)
    else:
        pt = [torch.hypot(*external[rows, step.legs[:, side], 1:3].T) for side in (0, 1)]
        z = pt[0] / (pt[0] + pt[1])
        numerator = torch.where(gluon, 1 + z**4 + (1 - z) ** 4, 1 + z**2) / 2
    ratio = strings_of(external, process) / strings_of(step.momenta, reduced_process(process))
    return 4 * math.pi * alpha_s * C_A * numerator * ratio


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


def choose_spectator(momenta: Tensor, products: Tensor, process: Process, pair: Tensor, choices: Choices) -> Tensor:
    """The spectator of emitter and emitted gluon (n, 2) among the jets: external position (n,)."""
    positions = torch.tensor(process.jet_legs, device=momenta.device)
    if choices.spectator == "energetic":
        preference = momenta[:, positions, 0].clone()
    else:  # s_ijk = s_ij + s_ik + s_jk, and s_ij is common to all
        rows = torch.arange(len(momenta), device=momenta.device)[:, None]
        preference = (products[rows, pair[:, :1], positions] + products[rows, pair[:, 1:], positions]).clone()
    if choices.spectator == "gluon":
        gluons = torch.tensor([process.legs[leg].kind == "gluon" for leg in process.jet_legs])
        preference += 1e9 * gluons  # GeV^2: more than any invariant
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


def canonical_events(final: Tensor, process: Process) -> tuple[Tensor, Tensor]:
    """Events (n, n_final, 4) in `canonical_order`, boosted along the beams to where they have no longitudinal momentum.

    Returns:
        The events, and the position (n, n_final) that each particle had before.

    Raises:
        ValueError: momenta of another shape.
    """
    if final.shape[1:] != (process.n_final, 4):
        raise ValueError("momenta of another process")
    order = canonical_order(final, process)
    found = final.gather(1, order[:, :, None].expand(-1, -1, 4))
    found[..., 0], found[..., 3] = longitudinal_rest(found)
    return found, order


def canonical_pair(pair: Tensor, initial: bool, mirror: bool) -> Tensor:
    """Momenta of emitter and emitted gluon (n, 2, 4), turned about the beams and reflected into one orientation.

    The transverse momentum of the emitter, or of the gluon where a beam emits, points along x; of an outgoing pair,
    the gluon has p_y >= 0.

    Args:
        mirror: the beams may be exchanged: the emitting beam moves along +z, or the outgoing pair as a whole does.

    Returns:
        E, p_x, p_z of the emitter, whose p_y is 0, and E, p_x, p_y, p_z of the gluon: (n, 7).
    """
    emitter, gluon = pair.unbind(dim=1)
    axis = (gluon if initial else emitter)[:, 1:3]
    axis = axis / torch.linalg.vector_norm(axis, dim=1, keepdim=True).clamp_min(1e-300)
    along = (pair[..., 1:3] * axis[:, None]).sum(dim=2)
    across = (gluon[:, 2] * axis[:, 0] - gluon[:, 1] * axis[:, 1]).abs()
    pz = pair[..., 3]
    if mirror:
        direction = pz[:, 0] if initial else pz.sum(dim=1)
        pz = torch.where((direction < 0)[:, None], -pz, pz)
    return torch.stack([emitter[:, 0], along[:, 0], pz[:, 0], gluon[:, 0], along[:, 1], across, pz[:, 1]], dim=1)


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(_TINY)
    return unit


def cosines(external: Tensor, legs: Tensor) -> Tensor:
    """cos of the azimuth between all pairs of outgoing legs, in the given order (n, legs): (n, pairs)."""
    rows = torch.arange(len(external), device=external.device)[:, None]
    transverse = external[rows, legs][..., 1:3]
    unit = _unit(transverse)
    first, second = (
        torch.tensor(side, device=legs.device) for side in zip(*pair_positions(legs.shape[1]), strict=True)
    )
    found: Tensor = (unit[:, first] * unit[:, second]).sum(dim=2)
    return found


def splitting_azimuths(external: Tensor, legs: Tensor, beam: Tensor) -> Tensor:
    """cos phi and cos 2 phi of the plane of emitter and emitted gluon against beam and spectator, (n, 4).

    Args:
        external: momenta (n, legs, 4); legs: emitter, emitted gluon, spectator (n, 3 or more); beam: (n,).

    In the rest frame of the event, around the direction of the pair.
    """
    rows = torch.arange(len(external), device=external.device)[:, None]
    total = external[:, :2].sum(dim=1)
    beta = total[:, 3] / total[:, 0]
    gamma = (1.0 - beta.square()).rsqrt()
    chosen = external[rows, torch.cat([legs[:, :3], beam[:, None]], dim=1)]
    energy, pz = chosen[..., 0], chosen[..., 3]
    at_rest = gamma[:, None] * (pz - beta[:, None] * energy)
    p = torch.stack([chosen[..., 1], chosen[..., 2], at_rest], dim=2)
    direction = _unit(p)
    axis = _unit(p[:, 0] + p[:, 1])

    def across(vector: Tensor) -> Tensor:
        return _unit(vector - (vector * axis).sum(dim=1, keepdim=True) * axis)

    plane = across(direction[:, 0] - direction[:, 1])
    found = [(plane * across(direction[:, reference])).sum(dim=1) for reference in (3, 2)]
    return torch.stack([*found, *(2.0 * cosine.square() - 1.0 for cosine in found)], dim=1)


def log_variables(variables: Tensor, initial: bool) -> Tensor:
    """ln y and ln(z (1 - z)), or ln(1 - x) and ln u, of every step: (n, 2 steps)."""
    first, second = variables[:, 0::2], variables[:, 1::2]
    if initial:
        return torch.cat([(1.0 - first).clamp_min(1e-12).log(), second.clamp_min(1e-12).log()], dim=1)
    return torch.cat([first.clamp_min(1e-30).log(), (second * (1.0 - second)).clamp_min(1e-30).log()], dim=1)


@dataclass(frozen=True)
class Reference:
    """What a block computes."""

    block: RadiationBlock

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        """As `RadiationBlock.compute`."""
        block = self.block
        if block.version < 3:
            return self._of(momenta)
        events, order = canonical_events(momenta, block.process)
        arrays = self._of(events)
        places = torch.cat([torch.tensor([[0, 1]]).expand(len(order), -1), 2 + order], dim=1)
        arrays["legs"][:, :3] = places.gather(1, arrays["legs"][:, :3].long()).double()
        if not block.extended:
            pairs = block.process.n_external * (block.process.n_external - 1) // 2
            before, pair, after = arrays["inputs"].tensor_split([pairs, pairs + 8], dim=1)
            mirror = block.orient and mirror_symmetric(block.process)
            pair = canonical_pair(pair.reshape(-1, 2, 4), block.radiation.initial, mirror)
            arrays["inputs"] = torch.cat([before, pair, after], dim=1)
        return arrays

    def _of(self, momenta: Tensor) -> dict[str, Tensor]:
        """Arrays of events as they are."""
        external = external_momenta(momenta)
        found = external_products(external, self.block.process)
        candidates = emissions(self.block.process, self.block.radiation)
        order = ranked(distances(external, found, self.block.radiation, self.block.choices), candidates)
        step = self._undo(external, found, self.block.process, candidates, order[:, self.block.radiation.rank - 1])
        steps = [step]
        if self.block.radiation.steps == 2:
            steps.append(self._undo_again(step))
        variables = torch.cat([s.variables for s in steps], dim=1)
        kernel = factor = torch.stack([s.kernel for s in steps]).prod(dim=0)
        flows = self.block.choices.kernel == "flows" and colour_string(self.block.process) is not None
        if flows:
            events = [external, *(s.momenta for s in steps)]
            each = zip(events, steps, self.block.processes, strict=False)
            kernel = torch.stack([flow_kernel(*one, self.block.radiation, self.block.alpha_s) for one in each]).prod(
                dim=0
            )
        reduced = steps[-1].momenta
        if self.block.extended:
            inputs = self._extended_inputs(external, found, step, variables, factor)
            if flows:
                string = colour_string(self.block.process)
                assert string is not None
                above = found[:, 0, 1] ** string.numerator
                logs = [(kernel / factor).log(), (above * strings_of(external, self.block.process)).log()]
                inputs = torch.cat([inputs, torch.stack(logs, dim=1)], dim=1)
        else:
            inputs = self._paper_inputs(external, found, step, variables, order, candidates)
        if self.block.radiation.either:
            emitter_is_gluon = gluon_legs(self.block.process, inputs.device)[step.legs[:, :1]]
            inputs = torch.cat([inputs, emitter_is_gluon.to(inputs)], dim=1)
        return {
            "legs": torch.cat([s.legs for s in steps], dim=1).double(),
            "variables": variables,
            "kernel": kernel,
            "reduced_momenta": reduced[:, 2:].contiguous(),
            "reduced_amplitude": torch.from_numpy(self.block.provider.evaluate(reduced.numpy())),
            "inputs": inputs,
        }

    def _undo(
        self, external: Tensor, found: Tensor, process: Process, candidates: list[tuple[int, int]], chosen: Tensor
    ) -> Reduction:
        pair = torch.tensor(candidates, device=external.device)[chosen]
        if self.block.radiation.gluon and not self.block.radiation.initial:
            both = gluon_legs(process, pair.device)[pair].all(dim=1, keepdim=True)
            pair = torch.where(both, emitter_first(external, pair, self.block.choices), pair)
        spectator = choose_spectator(external, found, process, pair, self.block.choices)
        legs = torch.cat([pair, spectator[:, None]], dim=1)
        return reduce_events(
            external, found, legs, self.block.radiation, process, self.block.choices, self.block.alpha_s
        )

    def _undo_again(self, first: Reduction) -> Reduction:
        """The second emission shares the reduced particle of the first (AS, Sec. 2.3)."""
        process = self.block.processes[1]
        found = external_products(first.momenta, process)
        candidates = emissions(process, replace(self.block.radiation, rank=1))
        order = ranked(distances(first.momenta, found, self.block.radiation, self.block.choices), candidates)
        pairs = torch.tensor(candidates, device=found.device)
        shares = (pairs[order] == first.merged[:, None, None]).any(dim=2)
        chosen = order.gather(1, shares.int().argmax(dim=1, keepdim=True))[:, 0]
        return self._undo(first.momenta, found, process, candidates, chosen)

    def _paper_inputs(
        self,
        external: Tensor,
        found: Tensor,
        step: Reduction,
        variables: Tensor,
        order: Tensor,
        candidates: list[tuple[int, int]],
    ) -> Tensor:
        rows = torch.arange(len(external), device=external.device)
        legs = self._oriented(self._by_singularity(order, candidates, step.legs), found, step)
        emitter, emitted = (external[rows, step.legs[:, side]] for side in (0, 1))
        return torch.cat([log_invariants(found, legs), emitter, emitted, variables], dim=1)

    def _extended_inputs(
        self, external: Tensor, found: Tensor, step: Reduction, variables: Tensor, kernel: Tensor
    ) -> Tensor:
        legs = self._oriented(self._by_role(external, step.legs), found, step)
        pieces = [log_invariants(found, legs), cosines(external, legs[:, 2:])]
        if not self.block.radiation.initial:
            pieces.append(splitting_azimuths(external, step.legs, legs[:, 0]))
        pieces += [log_variables(variables, self.block.radiation.initial), kernel.log()[:, None]]
        return torch.cat(pieces, dim=1)

    def _by_singularity(self, order: Tensor, candidates: list[tuple[int, int]], chosen: Tensor) -> Tensor:
        """Legs with emitters and emitted gluons sorted by the rank at which they first occur; the chosen pair first."""
        rank = order.argsort(dim=1)
        rank = torch.where(rank == self.block.radiation.rank - 1, -1, rank)
        legs = self.block.process.n_external
        first_seen = torch.full((len(order), legs), 10**6, device=order.device)
        for column, pair in enumerate(candidates):
            for side, leg in enumerate(pair):
                first_seen[:, leg] = torch.minimum(first_seen[:, leg], 2 * rank[:, column] + side)
        for side in (0, 1):  # of two gluons, the emitter goes first
            first_seen.scatter_(1, chosen[:, side : side + 1], side - 2)
        return self._sorted_within(first_seen)

    def _by_role(self, external: Tensor, chosen: Tensor) -> Tensor:
        """Legs with emitter, emitted gluon and spectator in front of their like, the others by pT."""
        key = -torch.hypot(external[..., 1], external[..., 2])
        for place in (2, 1, 0):
            key.scatter_(1, chosen[:, place : place + 1], -1e9 * (3 - place))
        return self._sorted_within(key)

    def _sorted_within(self, key: Tensor) -> Tensor:
        """External positions (n, legs), sorted by `key` (n, legs) within each group of exchangeable legs."""
        result = torch.arange(self.block.process.n_external, device=key.device).repeat(len(key), 1)
        for group in self.block._exchangeable():
            places = torch.tensor(group, device=key.device)
            result[:, places] = places[key[:, places].argsort(dim=1, stable=True)]
        return result

    def _oriented(self, legs: Tensor, found: Tensor, step: Reduction) -> Tensor:
        """Legs with the beams exchanged so that the emitter, or the beam nearest to the emitting pair, is first."""
        if not (self.block.orient and mirror_symmetric(self.block.process)):
            return legs
        rows = torch.arange(len(found), device=found.device)
        if self.block.radiation.initial:
            swap = step.legs[:, 0] == 1
        else:
            near = found[rows[:, None], step.legs[:, :2]][:, :, :2].sum(dim=1)
            swap = near[:, 1] < near[:, 0]
        beams = torch.where(
            swap[:, None], torch.tensor([1, 0], device=legs.device), torch.tensor([0, 1], device=legs.device)
        )
        return torch.cat([beams, legs[:, 2:]], dim=1)
