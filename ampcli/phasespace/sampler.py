"""Accepted phase-space points from a random stream."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.phasespace.emissions import colour_strings, emission_density, emission_dimensions, emit
from ampcli.phasespace.flat_points import flat_points
from ampcli.phasespace.rambo import massive_weight, rambo, with_masses
from ampcli.phasespace.selection import Selection
from ampcli.process import Process

#: Events per pass: the temporaries stay in the second-level cache.  Part of the definition of a random stream.
BLOCK = 2048

Sampling = Literal["flat", "mixed"]

#: Versions of flat sampling: 1 rounds as numpy does on a machine; 2, compiled, rounds alike on all.
Version = Literal[1, 2]

_PILOT_BLOCKS = 16  # of either kind of points, to find how many pass the cuts

#: Give up when fewer than one point in this many passes the cuts.
_HOPELESS = 200_000


class Sample(NamedTuple):
    """Accepted points.

    momenta: (n, n_final, 4) in GeV, C-contiguous.
    weight: (n,) relative to flat phase space.
    tries: (n,) how many points had been tried when this one was accepted, itself included.
    """

    momenta: FloatArray
    weight: FloatArray
    tries: npt.NDArray[np.int64]


@dataclass(frozen=True)
class LeptonSampler:
    """Phase space of a 2 -> n collision at fixed energy, within a selection.

    Attributes:
        sampling: flat, or mixed: half of the points are flat, half lie where QCD amplitudes are large
            (`ampcli.phasespace.emissions`); flat alone where there are legs besides massless partons.
        version: of flat sampling; stores that older versions began are finished with 1.
    """

    process: Process
    selection: Selection
    sampling: Sampling = "flat"
    version: Version = 2

    def __post_init__(self) -> None:
        if any(leg.kind in ("quark", "antiquark", "gluon") for leg in self.process.incoming):
            raise UsageError(
                f'no sampler for "{self.process}" at a fixed energy: its beams are partons',
                f"Give the points with {setting('momenta')}, or proton beams with {setting('beams')} lhc13.",
            )
        if heavy := [leg for leg in self.process.incoming if leg.mass]:
            raise UsageError(
                f'the beams of "{self.process}" must be massless, and {heavy[0].name} has {heavy[0].mass:g} GeV',
                f"Give the points with {setting('momenta')}.",
            )
        if self.process.n_jets != self.process.n_final:
            self._require_samplable()
        elif self.process.n_final < 3:
            raise UsageError(
                f'"{self.process}" has {self.process.n_final} partons; the jet selection needs at least 3',
                f"Give the points with {setting('momenta')}.",
            )
        pairs = self.process.n_final * (self.process.n_final - 1) / 2
        # All s_ij of massless momenta add up to s, so the smallest cannot exceed s / pairs.
        if not 0 <= self.selection.y_cut < 1 / pairs:
            raise UsageError(
                f"{setting('y_cut')} {self.selection.y_cut:g} is impossible: with {pairs:.0f} pairs of partons, "
                f"min s_ij / s lies between 0 and {1 / pairs:.3g}",
                "Typical values are 1e-2, 1e-3 and 1e-4.",
            )

    def _require_samplable(self) -> None:
        """Refuse what is not sampled where there are legs besides massless partons."""
        process, sqrt_s = self.process, self.selection.sqrt_s
        given = f"Give the points with {setting('momenta')}."
        if self.selection.cuts != "jade":
            raise UsageError(
                f'the selection {self.selection.cuts} is one of massless partons, and "{process}" has others',
                f"Give {setting('cuts')} jade: 2 p_i.p_j >= {setting('y_cut')} s of all pairs.",
            )
        if self.sampling != "flat":
            raise UsageError(
                f'"{process}" has legs besides massless partons, whose points are drawn from flat phase space alone',
                f"Leave out {setting('sampling')} and {setting('unweighted')}.",
            )
        if process.n_final < 2:
            raise UsageError(f'"{process}" has one outgoing particle, and phase space needs two', given)
        beams = {leg.pdg for leg in process.incoming}
        if along := [
            leg.name for leg in process.outgoing if leg.pdg in beams or (leg.kind == "vector" and not leg.mass)
        ]:
            raise UsageError(f'"{process}" has an infinite cross section: {along[0]} may go along a beam', given)
        if sum(process.final_masses) >= sqrt_s:
            raise UsageError(
                f'the masses of "{process}" add up to {sum(process.final_masses):g} GeV, and {setting("sqrt_s")} is '
                f"{sqrt_s:g}"
            )

    @cached_property
    def _mixture(self) -> _Mixture:
        return _Mixture.of(self.process, self.selection)

    def draw(self, rng: np.random.Generator, rows: int) -> Sample:
        """Sample until `rows` points are accepted.

        Raises:
            UsageError: (almost) nothing passes the cuts.
        """
        accepted = np.empty((rows, self.process.n_final, 4))
        weight, tries = np.ones(rows), np.empty(rows, dtype=np.int64)
        u = np.empty((4, self.process.n_final, BLOCK))
        done = tried = 0
        while done < rows:
            if self.sampling == "flat":
                rng.random(out=u)
                kept, p = self._flat(u)
            else:
                p, exists = self._mixture.points(rng)
                kept = np.flatnonzero(exists & self.selection.accepts(p))
                p = p[kept]
            kept, p = kept[: rows - done], p[: rows - done]
            if self.sampling == "mixed":
                weight[done : done + len(kept)] = self._mixture.weight(p)
            elif any(self.process.final_masses):
                weight[done : done + len(kept)] = massive_weight(p, self.selection.sqrt_s)
            accepted[done : done + len(kept)] = p
            tries[done : done + len(kept)] = tried + kept + 1
            done += len(kept)
            tried += BLOCK
            if done < rows and tried > _HOPELESS * (done + 1):
                raise UsageError(
                    f"only {done} of {tried} points pass the cuts at y_cut = {self.selection.y_cut:g}",
                    f"Lower {setting('y_cut')}.",
                )
        return Sample(accepted, weight, tries)

    def _flat(self, u: FloatArray) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Which points of the cube (4, n_final, n) are accepted, and their momenta."""
        massive = any(self.process.final_masses)
        if self.version == 2 and not massive:
            return flat_points(u, self.selection)
        p = rambo(np.moveaxis(u, (0, 1, 2), (2, 1, 0)), self.selection.sqrt_s)
        if massive:
            p = with_masses(p, self.process.final_masses)
        kept = np.flatnonzero(self.selection.accepts(p))
        return kept, p[kept]


@dataclass(frozen=True)
class _Mixture:
    """Points of flat phase space and of successive emissions, about as many of each within the selection."""

    selection: Selection
    strings: npt.NDArray[np.int64]
    resolutions: tuple[float, ...]
    flat_share: float
    """Of the points tried."""

    @classmethod
    def of(cls, process: Process, selection: Selection) -> _Mixture:
        """Find the shares with which as many points of either kind pass the cuts."""
        # One parton may be unresolved; the others make jets of their own, which their s_ij cannot fall far below.
        hard = selection.y_cut if selection.cuts == "jade" else selection.d_cut / selection.sqrt_s**2
        resolutions = (*[hard] * (process.n_final - 3), selection.y_cut)
        strings = colour_strings(process)
        passed = []
        for share in (1.0, 0.0):
            trial = cls(selection, strings, resolutions, share)
            rng = np.random.default_rng(0)
            blocks = [trial.points(rng) for _ in range(_PILOT_BLOCKS)]
            passed.append(sum(int(np.count_nonzero(exists & selection.accepts(p))) for p, exists in blocks))
        flat, emitted = passed
        # Two digits: the share must not hang on the last bit of a point at the edge of a cut.
        return cls(selection, strings, resolutions, float(f"{max(emitted, 1) / max(flat + emitted, 1):.1e}"))

    def points(self, rng: np.random.Generator) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """One block: momenta (BLOCK, n_final, 4), and which of them exist."""
        n_final, sqrt_s = self.strings.shape[1], self.selection.sqrt_s
        flat = rng.random(BLOCK) < self.flat_share
        count = int(np.count_nonzero(flat))
        momenta = np.empty((BLOCK, n_final, 4))
        exists = np.ones(BLOCK, dtype=bool)
        momenta[flat] = rambo(rng.random((count, n_final, 4)), sqrt_s)
        strings = self.strings[rng.integers(len(self.strings), size=BLOCK - count)]
        cube = rng.random((BLOCK - count, emission_dimensions(n_final)))
        momenta[~flat], exists[~flat] = emit(cube, strings, sqrt_s, self.resolutions)
        return momenta, exists

    def weight(self, momenta: FloatArray) -> FloatArray:
        """Flat phase space over the density of the mixture, of accepted points (n, n_final, 4): (n,)."""
        emitted = emission_density(momenta, self.strings, self.selection.sqrt_s, self.resolutions)
        return np.asarray(1.0 / (self.flat_share + (1.0 - self.flat_share) * emitted))
