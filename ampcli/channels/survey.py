"""The cross section of every channel before its events, and how many points each gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from ampcli.channels.record import Survey
from ampcli.errors import UsageError
from ampcli.generation.pool import Pool, explained_loss
from ampcli.generation.proton_points import ADAPTATION, ProtonPoints
from ampcli.generation.run import Stopped
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import Adaptation

#: Share of the cross section that channels with short adaptations may have, all together.
_SMALL = 0.1


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

    def survey_or_none(self, number: int, stop: Event | None = None) -> Survey | None:
        """The same; None where next to nothing passes the cuts, which more points may."""
        try:
            return self.survey(number, stop)
        except UsageError:
            return None


def surveyed(
    sources: list[ProtonPoints], folders: list[Path], workers: int, on_channel: Callable[[int], None]
) -> list[tuple[Survey, bool]]:
    """Survey all channels: shortly, and those again with a full adaptation that matter.

    Channels that carry little of the cross section, all together, keep the short one.  It costs an eighth, and no bias:
    whatever the adaptation, a channel's own run gives its cross section, from points that had no part in this.

    Args:
        folders: for each channel's full adaptation; the short one lies in `short_folder` of it.

    Returns:
        The survey of each, in order, and whether its adaptation is the short one.
    """
    shortly = Surveys([source.shortly for source in sources], [short_folder(folder) for folder in folders])
    first: list[Survey | None] = []
    with explained_loss(), Pool(shortly, min(workers, len(sources))) as pool:
        first.extend(pool.in_order("survey_or_none", range(len(sources))))
    small = smallest(first)
    on_channel(len(small))
    chosen = [number for number in range(len(sources)) if number not in small]
    found = {number: (survey, True) for number, survey in enumerate(first) if number in small and survey is not None}
    fully = Surveys(sources, folders)
    with explained_loss(), Pool(fully, min(workers, len(chosen))) as pool:
        for number, survey in zip(chosen, pool.in_order("survey", chosen), strict=True):
            found[number] = (survey, False)
            on_channel(1)
    return [found[number] for number in range(len(sources))]


def short_folder(folder: Path) -> Path:
    """Where the short adaptation of a channel lies."""
    return folder / "short"


def smallest(surveys: Sequence[Survey | None]) -> set[int]:
    """The smallest channels, as many as carry `_SMALL` of the cross section together, three errors up; never all."""
    total = sum(each.cross_section for each in surveys if each is not None)
    most = sorted((each.cross_section + 3 * each.error, n) for n, each in enumerate(surveys) if each is not None)
    reached, found = 0.0, set[int]()
    for upper, number in most:
        reached += upper
        if reached > _SMALL * total:
            break
        found.add(number)
    return found if len(found) < len(surveys) else set()


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
