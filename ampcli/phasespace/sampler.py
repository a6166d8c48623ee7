"""Accepted phase-space points from a random stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ampcli.errors import UsageError
from ampcli.kinematics import FloatArray
from ampcli.phasespace.rambo import rambo
from ampcli.phasespace.selection import Selection
from ampcli.process import Process

#: Events per pass: the temporaries stay in the second-level cache.  Part of the definition of a random stream.
BLOCK = 2048

#: Give up when fewer than one point in this many passes the cuts.
_HOPELESS = 200_000


@dataclass(frozen=True)
class LeptonSampler:
    """Flat massless phase space of a 2 -> n collision at fixed energy, within a selection."""

    process: Process
    selection: Selection

    def __post_init__(self) -> None:
        if self.process.n_jets != self.process.n_final:
            raise UsageError(
                f'no sampler for "{self.process}": points are sampled for massless quarks and gluons only',
                "Give the points with --momenta, or proton beams with --beams lhc13.",
            )
        if self.process.n_final < 3:
            raise UsageError(
                f'"{self.process}" has {self.process.n_final} partons; the jet selection needs at least 3',
                "Give the points with --momenta.",
            )
        pairs = self.process.n_final * (self.process.n_final - 1) / 2
        # All s_ij of massless momenta add up to s, so the smallest cannot exceed s / pairs.
        if not 0 <= self.selection.y_cut < 1 / pairs:
            raise UsageError(
                f"--y-cut {self.selection.y_cut:g} is impossible: with {pairs:.0f} pairs of partons, "
                f"min s_ij / s lies between 0 and {1 / pairs:.3g}",
                "Typical values are 1e-2, 1e-3 and 1e-4.",
            )

    def draw(self, rng: np.random.Generator, rows: int) -> tuple[FloatArray, int]:
        """Sample until `rows` points are accepted.

        Returns:
            Momenta (rows, n_final, 4) in GeV, C-contiguous, and the number of points tried up to the last one.

        Raises:
            UsageError: (almost) nothing passes the cuts.
        """
        n_final = self.process.n_final
        accepted = np.empty((rows, n_final, 4))
        u = np.empty((4, n_final, BLOCK))
        done = tried = 0
        while done < rows:
            rng.random(out=u)
            p = rambo(np.moveaxis(u, (0, 1, 2), (2, 1, 0)), self.selection.sqrt_s)
            kept = np.flatnonzero(self.selection.accepts(p))[: rows - done]
            accepted[done : done + len(kept)] = p[kept]
            done += len(kept)
            tried += BLOCK if done < rows else int(kept[-1]) + 1
            if done < rows and tried > _HOPELESS * (done + 1):
                raise UsageError(
                    f"only {done} of {tried} points pass the cuts at y_cut = {self.selection.y_cut:g}",
                    "Lower --y-cut.",
                )
        return accepted, tried
