"""Trajectories of several seeds: how much Table 2 of FAME depends on which lines were drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Self

from pydantic import FiniteFloat

from ampcli.errors import UsageError, setting
from ampcli.evaluation.metrics import THRESHOLDS
from ampcli.evaluation.trajectories import Accuracy, ModelOnTrajectories, TrajectoryPoints, TrajectoryResult, follow
from ampcli.inference.predictor import Predictor
from ampcli.progress import nothing
from ampcli.records.base import Frozen

MOST_SEEDS = 1000


class Spread(Frozen):
    """Of one number over seeds: mean, standard deviation of one seed's (None for a single one), largest.

    Attributes:
        mean: over seeds.
        spread: standard deviation of one seed's; None for a single seed.
        largest: over seeds.
    """

    mean: FiniteFloat
    spread: FiniteFloat | None
    largest: FiniteFloat

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(mean=fmean(values), spread=stdev(values) if len(values) > 1 else None, largest=max(values))


class AccuracyOverSeeds(Frozen):
    """Of a region; all but `fraction` over the seeds that have points in it.

    `outside`: fractions of a seed's points with |Delta| above "0.1%", "1%", "5%"; `outside_points`: how many of all.

    Attributes:
        seeds: how many of them have points in the region.
        points: in the region, of all seeds.
        fraction: share of a seed's points that lie in the region.
        median_abs_delta: a seed's median of |predicted / exact - 1|.
        outside: fractions of a seed's points with |Delta| above "0.1%", "1%", "5%".
        outside_points: how many points of all seeds lie above "0.1%", "1%", "5%".
        negative: predictions <= 0, of all seeds.
    """

    seeds: int
    points: int
    fraction: Spread
    median_abs_delta: Spread | None
    outside: dict[str, Spread]
    outside_points: dict[str, int]
    negative: int


class ModelOverSeeds(Frozen):
    """A model in all regions, and in those of its certificate.

    Attributes:
        y_cut: cut on s_ij / s for the regions.
        regions: "all", and by the number of pairs below the cut.
        certificate: points "inside" and "outside" the training region.
    """

    y_cut: FiniteFloat
    regions: dict[str, AccuracyOverSeeds]
    certificate: dict[str, AccuracyOverSeeds]


class SeedsResult(Frozen):
    """What the command reports for several seeds; `by_seed` as for one.

    Attributes:
        process: of the models.
        sqrt_s: centre-of-mass energy in GeV.
        seeds: of the ends of trajectories.
        count: trajectories of each seed.
        points: on each trajectory.
        models: over all seeds, by name@version.
        by_seed: as for one seed.
    """

    process: str
    sqrt_s: FiniteFloat
    seeds: list[int]
    count: int
    points: int
    models: dict[str, ModelOverSeeds]
    by_seed: list[TrajectoryResult]


def parse_seeds(text: str) -> range:
    """``3-14``, or ``12`` for 1 to 12.

    Raises:
        UsageError: anything else, or no seed.
    """
    first, dash, last = text.strip().partition("-")
    if not dash:
        first, last = "1", first
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit() and len(first + last) < 40):
        raise UsageError(f"{setting('seeds')} {text}: write it as 1-12, or 12 for the same")
    found = range(int(first), int(last) + 1)
    if not 1 <= int(last) - int(first) + 1 <= MOST_SEEDS:
        raise UsageError(f"{setting('seeds')} {text}: between 1 and {MOST_SEEDS} seeds are needed, the first one first")
    return found


def follow_seeds(
    predictors: Sequence[Predictor],
    count: int,
    points: int,
    seeds: Sequence[int],
    y_cut: float | None = None,
    on_rows: Callable[[int], None] = nothing,
) -> tuple[TrajectoryPoints, SeedsResult]:
    """`follow` for one seed after the other; the points are those of the first.

    Raises:
        UsageError: as `follow`.
    """
    shown, first = follow(predictors, count, points, seeds[0], y_cut, on_rows)
    results = [first, *(follow(predictors, count, points, seed, y_cut, on_rows)[1] for seed in seeds[1:])]

    def over(model: str, regions: Callable[[ModelOnTrajectories], dict[str, Accuracy]]) -> dict[str, AccuracyOverSeeds]:
        return {
            name: _over_seeds([regions(result.models[model])[name] for result in results])
            for name in regions(first.models[model])
        }

    models = {
        name: ModelOverSeeds(
            y_cut=model.y_cut,
            regions=over(name, lambda found: found.regions),
            certificate=over(name, lambda found: found.certificate),
        )
        for name, model in first.models.items()
    }
    return shown, SeedsResult(
        process=first.process,
        sqrt_s=first.sqrt_s,
        seeds=list(seeds),
        count=count,
        points=points,
        models=models,
        by_seed=results,
    )


def _over_seeds(found: Sequence[Accuracy]) -> AccuracyOverSeeds:
    populated = [accuracy for accuracy in found if accuracy.points]
    medians = [accuracy.median_abs_delta for accuracy in populated if accuracy.median_abs_delta is not None]
    return AccuracyOverSeeds(
        seeds=len(populated),
        points=sum(accuracy.points for accuracy in found),
        fraction=Spread.of([accuracy.fraction for accuracy in found]),
        median_abs_delta=Spread.of(medians) if medians else None,
        outside={name: Spread.of([a.outside[name].value for a in populated]) for name in THRESHOLDS if populated},
        outside_points={name: sum(round(a.outside[name].value * a.points) for a in populated) for name in THRESHOLDS},
        negative=sum(accuracy.negative for accuracy in found),
    )
