"""Points of hadron collisions, weighted or unweighted, from an adapted map of the unit cube."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.protocol import Provider
from ampcli.errors import IntegrityError, UsageError
from ampcli.files import replacing
from ampcli.kinematics import FloatArray
from ampcli.phasespace.candidates import Candidates, EventMap
from ampcli.phasespace.colour_chain import ChainMap
from ampcli.phasespace.cuts import JetCuts, LeptonCuts, described
from ampcli.phasespace.jet_map import JetMap
from ampcli.phasespace.luminosity import luminosities, summed_luminosity
from ampcli.phasespace.rambo import GEV2_PB
from ampcli.phasespace.running_coupling import ONE_LOOP, Running, running_alpha_s
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import Process

#: Points per pass.  Part of the definition of a random stream.
BLOCK = 8192

_ROUNDS, _ROUND_BLOCKS = 12, 8  # of the adaptation: about 0.8 million points
_LAST = 3  # rounds that the grid no longer follows
_THIN = 0.25  # of the weight to unweight by, of weights by the guide
TAIL = 96  # more passes for the weight to unweight by: 0.3 % of the cross section sit in few of the largest weights
HOPELESS = 2_000  # passes without a single event


@dataclass(frozen=True)
class Adaptation:
    """What a sampler learned before it draws events.

    Attributes:
        grid: the map of the unit cube.
        w_max: weight in pb above which an event is always accepted, and keeps its excess as a weight.
        thin: weight by the guide below which points are thinned out, in pb up to the guide's constant; 0: none are.
    """

    grid: VegasGrid
    w_max: float
    thin: float = 0.0

    def save(self, file: Path) -> None:
        with replacing(file) as draft, draft.open("wb") as stream:
            np.savez(stream, edges=self.grid.edges, w_max=self.w_max, thin=self.thin)

    @classmethod
    def load(cls, file: Path) -> Adaptation:
        """What `save` wrote.

        Raises:
            IntegrityError: a damaged file.
        """
        try:
            with file.open("rb") as stream, np.load(stream) as stored:
                thin = float(stored["thin"]) if "thin" in stored else 0.0  # older files
                return cls(VegasGrid(stored["edges"]), float(stored["w_max"]), thin)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise IntegrityError(f"{file} cannot be read: {error}", "Generate the store again.") from None


@dataclass
class Drawn:
    """Events of one or more passes.

    Attributes:
        momenta: (n, n_external, 4) in GeV.
        x: momentum fractions (n, 2).
        amplitude: |M|^2 (n,), at the provider's own alpha_s.
        weight: (n,) in pb, the whole integrand: its sum over tried points is the cross section.
    """

    momenta: FloatArray
    x: FloatArray
    amplitude: FloatArray
    weight: FloatArray

    def chosen(self, rows: npt.NDArray[np.int64]) -> Drawn:
        return Drawn(self.momenta[rows], self.x[rows], self.amplitude[rows], self.weight[rows])


@dataclass(frozen=True)
class HadronSampler:
    """Proton-proton collisions into massless jets and other particles.

    Args:
        provider: of the exact amplitudes.
        alpha_s: the coupling of the provider.
        energy: of the collision in GeV.
        scale: renormalisation and factorisation scale in GeV; None: H_T/2, half the sum of all transverse masses.
        pdf: grid file of the parton densities (LHAPDF format).
        alpha_s_mz: the running coupling at M_Z that goes with it.
        overweight: share of the cross section that may sit in excess weights of unweighted events.
        running: how that coupling runs.
        jets: version of the map of jets (`ampcli.phasespace.jet_map`) that points come from; None: madspace's map.
        beams: PDG codes of the incoming partons of all processes that count, with the |M|^2 of this one; (): its own.
        leptons: cuts on charged leptons, where there are any.
    """

    process: Process
    provider: Provider
    alpha_s: float
    energy: float
    cuts: JetCuts
    scale: float | None
    pdf: Path
    alpha_s_mz: float
    overweight: float
    running: Running = ONE_LOOP
    jets: str | None = None
    beams: tuple[tuple[int, int], ...] = ()
    leptons: LeptonCuts | None = None

    @cached_property
    def map(self) -> EventMap:
        if self.jets is None:
            return ChainMap(self.process, self.energy, self.cuts, leptons=self.leptons)
        return JetMap(self.process, self.energy, self.cuts, leptons=self.leptons, version=self.jets)

    @property
    def _is_guided(self) -> bool:
        return isinstance(self.map, JetMap) and self.map.guided

    @property
    def exact_passes(self) -> int:
        """Passes of an adaptation, without its tail, whose points need exact amplitudes."""
        return (_LAST if self._is_guided else _ROUNDS) * _ROUND_BLOCKS

    def adapting(self, tail: int, shorter: int) -> int:
        """Points of an adaptation (`adapt`)."""
        rounds = _ROUNDS + (_LAST if self._is_guided else 0)
        return (rounds * max(_ROUND_BLOCKS // shorter, 1) + tail) * BLOCK

    def integrand(
        self, cube: FloatArray, choices: npt.NDArray[np.integer], grid: VegasGrid
    ) -> tuple[npt.NDArray[np.int64], Drawn]:
        """Which points (n, axes) of the unit cube lie within the cuts, and these events, with weights in pb."""
        found = self.map.candidates(cube, choices, grid)
        return found.rows, self._exact(found, self._factor(found))

    def proposals(
        self, rng: np.random.Generator, adaptation: Adaptation
    ) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
        """One block without exact amplitudes.

        Returns:
            Rows within the cuts that were not thinned out, their momenta (n, n_external, 4) and momentum fractions
            (n, 2), and the weights in pb that |M|^2 = 1 would have, (n,).
        """
        found, factor = self._thinned(rng, adaptation, self._block(rng, adaptation.grid)[1])
        return found.rows, found.momenta, found.x, factor * found.jacobian

    def _block(self, rng: np.random.Generator, grid: VegasGrid) -> tuple[FloatArray, Candidates]:
        cube = rng.random((BLOCK, grid.axes))
        return cube, self.map.candidates(cube, self.map.choices(rng, BLOCK), grid)

    def _factor(self, found: Candidates) -> FloatArray:
        """The integrand without amplitude and Jacobian, (n,)."""
        x = found.x
        if len(x) == 0:
            return np.empty(0)
        if found.half_ht is None or self.scale is not None:
            scale = event_scales(found.momenta, self.process, self.scale)
        else:
            scale = found.half_ht
        first, second = self.process.incoming
        # Either proton may give either parton; the event with both exchanged is this one, turned round.
        assignments = 1 if first.pdg == second.pdg else 2
        luminosity = summed_luminosity(self.pdf, self.beams or ((first.pdg, second.pdg),), x, scale)
        running = (running_alpha_s(scale, self.alpha_s_mz, self.running) / self.alpha_s) ** self.process.alpha_s_power
        flux = 1 / (2 * x[:, 0] * x[:, 1] * self.energy**2)
        return np.asarray(found.volume * assignments * luminosity * running * flux * GEV2_PB)

    def flavours(self, rng: np.random.Generator, drawn: Drawn) -> FloatArray:
        """Which of `beams` events have, drawn in proportion to the densities; (n,)."""
        scale = event_scales(drawn.momenta, self.process, self.scale)
        reached = np.cumsum(luminosities(self.pdf, self.beams, drawn.x, scale), axis=1)
        chosen = (reached <= (rng.random(len(reached)) * reached[:, -1])[:, None]).sum(axis=1)
        return np.where(reached[:, -1] > 0, chosen, 0).astype(float)

    def _thinned(
        self, rng: np.random.Generator, adaptation: Adaptation, found: Candidates
    ) -> tuple[Candidates, FloatArray]:
        """Events with their factors; where guided, those of small weight are rare, and weigh as much more."""
        factor = self._factor(found)
        if adaptation.thin == 0 or found.guide is None:
            return found, factor
        chance = np.minimum(factor * found.jacobian * found.guide / adaptation.thin, 1.0)
        kept = np.flatnonzero(rng.random(len(chance)) < chance)
        return found.chosen(kept), factor[kept] / chance[kept]

    def _exact(self, found: Candidates, factor: FloatArray) -> Drawn:
        amplitude = self.provider.evaluate(found.momenta) if len(factor) else np.empty(0)
        return Drawn(found.momenta, found.x, amplitude, factor * amplitude * found.jacobian)

    def _pass(self, rng: np.random.Generator, adaptation: Adaptation) -> tuple[npt.NDArray[np.int64], Drawn]:
        """One block: rows within the cuts that were not thinned out, and their events with full weights."""
        found, factor = self._thinned(rng, adaptation, self._block(rng, adaptation.grid)[1])
        return found.rows, self._exact(found, factor)

    def _guided(self, found: Candidates) -> FloatArray:
        """Weights by the guide, or the exact ones of a map without it, (n,)."""
        factor = self._factor(found)
        if found.guide is None:
            return self._exact(found, factor).weight
        return np.asarray(factor * found.jacobian * found.guide)

    def adapt(
        self,
        rng: np.random.Generator,
        tail: int = 0,
        thin: bool = False,
        shorter: int = 1,
        on_pass: Callable[[], None] = lambda: None,
    ) -> Adaptation:
        """Learn the grid and the weight to unweight by.

        Args:
            tail: passes beyond those of the adaptation from which that weight is chosen.
            thin: events of small weight may be thinned out, where the map has a guide.
            shorter: by what the number of points of every step is divided.

        Raises:
            UsageError: next to nothing passes the cuts.
        """
        round_blocks = max(_ROUND_BLOCKS // shorter, 1)
        grid = VegasGrid.flat(self.map.axes)
        weights: list[FloatArray] = []
        guided = False
        for round_ in range(_ROUNDS):
            blocks = [self._block(rng, grid) for _ in range(round_blocks)]
            guided = blocks[0][1].guide is not None
            each = []
            for _, candidates in blocks:
                each.append(self._guided(candidates))
                on_pass()
            found = np.concatenate(each)
            if np.count_nonzero(found) * _ROUND_BLOCKS < 100 * round_blocks:
                cuts = described(self.cuts, self.leptons)
                raise UsageError(
                    f"{np.count_nonzero(found)} of {round_blocks * BLOCK} points pass the cuts {cuts}",
                    "Loosen the cuts.",
                )
            if round_ < _ROUNDS - _LAST:
                grid = grid.refined(np.concatenate([grid.bins(cube[c.rows]) for cube, c in blocks]), found)
            else:
                weights.append(found)
        adapted = Adaptation(grid, 1.0)
        if guided:  # the weights so far are the guide's
            limit = _THIN * largest_weight(np.concatenate(weights), self.overweight) if thin else 0.0
            adapted = Adaptation(grid, 1.0, limit)
            weights = [self.weights(rng, adapted, _LAST * round_blocks, on_pass)]
        weights.append(self.weights(rng, adapted, tail, on_pass))
        return replace(adapted, w_max=largest_weight(np.concatenate(weights), self.overweight))

    def weights(
        self,
        rng: np.random.Generator,
        adaptation: Adaptation,
        passes: int,
        on_pass: Callable[[], None] = lambda: None,
    ) -> FloatArray:
        """Weights in pb of the points of some passes that lie within the cuts and were not thinned out."""
        found = [np.empty(0)]
        for _ in range(passes):
            found.append(self._pass(rng, adaptation)[1].weight)
            on_pass()
        return np.concatenate(found)

    def draw(
        self,
        rng: np.random.Generator,
        rows: int,
        adaptation: Adaptation,
        unweighted: bool,
        on_pass: Callable[[], None],
        on_rows: Callable[[int], None] = lambda rows: None,
    ) -> tuple[Drawn, int]:
        """Events, and how many points were tried for them.

        Unweighted events are accepted with probability weight / w_max; those above keep their weight, the others
        have w_max.
        """
        pieces: list[Drawn] = []
        done = tried = passes = 0
        while done < rows:
            on_pass()
            kept, drawn = self._pass(rng, adaptation)
            if unweighted:
                accepted = np.flatnonzero(rng.random(len(kept)) * adaptation.w_max < drawn.weight)
                kept, drawn = kept[accepted], drawn.chosen(accepted)
                np.maximum(drawn.weight, adaptation.w_max, out=drawn.weight)
            passes += 1
            if done == 0 and passes > HOPELESS:
                raise UsageError(f"none of {tried} points became an event", "Loosen the cuts.")
            taken = min(rows - done, len(kept))
            done += taken
            on_rows(taken)
            tried += BLOCK if done < rows else int(kept[taken - 1]) + 1
            pieces.append(drawn.chosen(np.arange(taken)))
        return joined(pieces), tried


def joined(pieces: list[Drawn]) -> Drawn:
    """All events of these in order."""
    return Drawn(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in Drawn.__dataclass_fields__))


def event_scales(momenta: FloatArray, process: Process, fixed: float | None) -> FloatArray:
    """mu_R = mu_F of events (n, n_external, 4) in GeV: the fixed one, or H_T/2; (n,)."""
    if fixed is not None:
        return np.full(len(momenta), fixed)
    outgoing = momenta[:, 2:]
    transverse2 = outgoing[..., 1] ** 2 + outgoing[..., 2] ** 2
    return np.asarray(0.5 * np.sqrt(transverse2 + np.array(process.final_masses) ** 2).sum(axis=1))


def excess_threshold(weights: FloatArray, share: float, copies: FloatArray | None = None) -> float:
    """The weight whose excess, sum of max(w - w_max, 0), is this share of the sum of all weights.

    Args:
        copies: how many times each weight counts, (n,); not given: once.
    """
    order = np.argsort(weights)[::-1]
    descending = weights[order]
    counts = np.cumsum(np.ones(len(weights)) if copies is None else copies[order])
    above = np.cumsum(descending if copies is None else descending * copies[order])
    excess = above - counts * descending  # were w_max the weight of that rank
    rank = int(np.searchsorted(excess, share * above[-1]))
    rank = min(max(rank, 1), len(descending))
    return float((above[rank - 1] - share * above[-1]) / counts[rank - 1])


def largest_weight(weights: FloatArray, share: float, copies: FloatArray | None = None) -> float:
    """The weight to unweight by: the median of the `excess_threshold` of three thirds of a sample.

    A single point, far above all others, would set that of the whole sample; how much of the cross section lies there
    is not known from one point, and its excess is kept as a weight if it comes again.
    """
    thirds = [slice(first, None, 3) for first in range(3)]
    return float(
        np.median([excess_threshold(weights[k], share, None if copies is None else copies[k]) for k in thirds])
    )
