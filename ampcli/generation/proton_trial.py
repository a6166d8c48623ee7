"""A short run of the sampler of proton collisions (`ampcli.generation.trial`)."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ampcli.generation.points import Points
from ampcli.generation.trial import ROWS, Trial, timed_amplitudes
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import BLOCK, Adaptation, HadronSampler, largest_weight
from ampcli.phasespace.vegas import VegasGrid

_MOST_PASSES = 16
_MOST_SECONDS = 10.0  # of a short adaptation


def proton_trial(
    sampler: HadronSampler,
    rng: np.random.Generator,
    short: Callable[[], Adaptation],
    shorter: int,
    unweighted: bool,
    tail: int,
) -> Trial:
    """Some points, and what they cost.

    Args:
        short: adapts the sampler with the `shorter`-th part of the points.
        tail: passes beyond those of a whole adaptation.

    Raises:
        UsageError: next to no point passes the cuts.
    """
    flat = _Passes(sampler, rng, Adaptation(VegasGrid.flat(sampler.map.axes), 1.0), 1)
    passes = sampler.exact_passes + tail
    if flat.within and flat.seconds * passes / shorter > _MOST_SECONDS:
        kept = flat.kept(largest_weight(flat.weight, sampler.overweight)) if unweighted else flat.within
        return flat.trial(kept, flat.seconds * passes, at_most=True)
    begun = time.perf_counter()
    adaptation = short()
    preparation = shorter * (time.perf_counter() - begun)
    found = _Passes(sampler, rng, adaptation, _MOST_PASSES)
    return found.trial(found.kept(adaptation.w_max) if unweighted else found.within, preparation)


class _Passes:
    """Passes through an adapted sampler until there are some points, or so many passes.

    Attributes:
        within: points within the cuts that were not thinned out.
        weight: of the first of them in pb, (m,).
        seconds: for a pass.
    """

    def __init__(self, sampler: HadronSampler, rng: np.random.Generator, adaptation: Adaptation, most: int) -> None:
        sampler.proposals(rng, adaptation)  # the first call takes longer
        begun = time.perf_counter()
        pieces: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        while len(pieces) < most and sum(len(momenta) for momenta, _, _ in pieces) < ROWS:
            _, momenta, x, factor = sampler.proposals(rng, adaptation)
            pieces.append((momenta, x, factor))
        drawing = time.perf_counter() - begun
        momenta, x, factor = (np.concatenate(each) for each in zip(*pieces, strict=True))
        self.passes, self.within = len(pieces), len(momenta)
        amplitude, each = timed_amplitudes(sampler.provider, momenta[:ROWS]) if self.within else (np.empty(0), 0.0)
        amplitude = np.nan_to_num(amplitude)
        self.weight = factor[: len(amplitude)] * amplitude
        self.seconds = drawing / self.passes + each * self.within / self.passes
        size = len(amplitude)
        self._points = Points(
            momenta[:size, :2],
            np.ascontiguousarray(momenta[:size, 2:]),
            factor[:size],
            BLOCK * self.passes,
            amplitude,
            columns={"x": x[:size]},
        )

    def kept(self, w_max: float) -> float:
        """How many events there are by this largest weight."""
        return self.within * float(np.minimum(self.weight / w_max, 1.0).mean()) if self.within else 0.0

    def trial(self, kept: float, preparation: float, at_most: bool = False) -> Trial:
        tried = BLOCK * self.passes
        return Trial(self._points, tried, max(kept, 1.0), self.seconds * self.passes, preparation, at_most)
