"""The cross section of every channel before its events, and how many points each gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from ampcli.channels.record import Survey
from ampcli.errors import UsageError
from ampcli.generation.proton_points import ADAPTATION, ProtonPoints
from ampcli.generation.run import Pool, Stopped, explained_loss
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import Adaptation


@dataclass(frozen=True)
class Surveys:
    """Channels to survey; the adaptation of each is left in its folder, for its store."""

    sources: list[ProtonPoints]
    folders: list[Path]

    def survey(self, number: int, stop: Event | None = None) -> Survey:
        """Adapt the sampler of a channel, unless that was done, and measure.

        Raises:
            UsageError: next to nothing passes the cuts.
            IntegrityError: a damaged adaptation.
        """
        if stop is not None and stop.is_set():
            raise Stopped
        source, folder = self.sources[number], self.folders[number]
        file = folder / ADAPTATION
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                source.adapted().save(file)
            except UsageError as error:
                raise UsageError(f'"{source.process}": {error.what}', error.hint) from None
        return measured(source.surveyed(Adaptation.load(file)))

    def all(self, workers: int, on_channel: Callable[[int], None]) -> list[Survey]:
        """All of them, in order."""
        found = []
        with explained_loss(), Pool(self, min(workers, len(self.sources))) as pool:
            for each in pool.in_order("survey", range(len(self.sources))):
                found.append(each)
                on_channel(1)
        return found


def measured(weights: FloatArray) -> Survey:
    """What follows from the weights in pb (n,) of points tried, 0 for those beyond the cuts."""
    tried = len(weights)
    variance = float(weights.var())
    accepted = np.count_nonzero(weights) / tried
    return Survey(
        cross_section=float(weights.mean()),
        error=(variance / tried) ** 0.5,
        spread=(variance * accepted) ** 0.5,
    )


def allotted(surveys: Sequence[Survey], points: int, unweighted: bool) -> list[int]:
    """Points of every channel, at least one each, `points` in all.

    There must be as many points as channels.  Unweighted, they go with the cross section, so that events of all
    channels have all but equal weights; weighted, with the spread of the weights, which makes the error of the sum
    smallest.
    """
    measure = np.array([each.cross_section if unweighted else each.spread for each in surveys])
    if not measure.sum() > 0:
        measure = np.ones(len(surveys))
    exact = (points - len(surveys)) * measure / measure.sum()
    found = np.floor(exact).astype(int) + 1
    most = np.argsort(-(exact - np.floor(exact)), kind="stable")[: points - int(found.sum())]
    found[most] += 1
    return [int(each) for each in found]
