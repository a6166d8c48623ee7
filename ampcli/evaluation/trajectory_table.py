"""Accuracy along trajectories as text, like Table 2 of FAME."""

from __future__ import annotations

from ampcli.evaluation.metrics import THRESHOLDS
from ampcli.evaluation.trajectories import Accuracy, TrajectoryResult
from ampcli.evaluation.trajectory_seeds import AccuracyOverSeeds, SeedsResult, Spread
from ampcli.phasespace.unresolved import REGIONS
from ampcli.text_table import aligned, with_error

_LIMITS = [f">{name}" for name in THRESHOLDS]
COLUMNS = ["region", "", "model", "y_cut", "of points", "median|Delta|", *_LIMITS]
SEEDS_COLUMNS = ["region", "", "model", "y_cut", "seeds", "of points", "median|Delta|", *_LIMITS, f"most {_LIMITS[-1]}"]


def trajectory_rows(result: TrajectoryResult) -> list[list[str]]:
    """`COLUMNS` of each region and model; fractions of points in per cent, with errors in the last digits."""
    rows = []
    for name, meaning in REGIONS.items():
        for reference, model in result.models.items():
            if (accuracy := model.regions[name]).points:
                rows.append([name, meaning, reference, f"{model.y_cut:g}", *_cells(accuracy)])
    for name in ("inside", "outside"):
        for reference, model in result.models.items():
            if (accuracy := model.certificate[name]).points:
                rows.append([name, "the training region", reference, f"{model.y_cut:g}", *_cells(accuracy)])
    return rows


def trajectory_table(result: TrajectoryResult) -> str:
    """A row for each region and model."""
    lines = [
        f"{result.process}, {result.count} trajectories of {result.points} points, seed {result.seed}; in %:",
        "",
        *aligned([COLUMNS, *trajectory_rows(result)], left=3),
    ]
    negative = {
        reference: sum(model.certificate[name].negative for name in ("inside", "outside"))
        for reference, model in result.models.items()
    }
    lines += [f"{count} predictions of {reference} are <= 0" for reference, count in negative.items() if count]
    return "\n".join(lines)


def seeds_rows(result: SeedsResult) -> list[list[str]]:
    """`SEEDS_COLUMNS` of each region and model: mean +- spread of one seed, in per cent."""
    rows = []
    named = [(name, meaning, "regions") for name, meaning in REGIONS.items()]
    named += [(name, "the training region", "certificate") for name in ("inside", "outside")]
    for name, meaning, kind in named:
        for reference, model in result.models.items():
            found: AccuracyOverSeeds = getattr(model, kind)[name]
            if found.median_abs_delta is not None:
                spreads = [found.fraction, found.median_abs_delta, *(found.outside[key] for key in THRESHOLDS)]
                most = f"{100 * spreads[-1].largest:.2g}"
                cells = [str(found.seeds), *map(_mean_and_spread, spreads), most]
                rows.append([name, meaning, reference, f"{model.y_cut:g}", *cells])
    return rows


def seeds_table(result: SeedsResult) -> str:
    """The same over several seeds."""
    seeds = f"{result.seeds[0]} to {result.seeds[-1]}"
    lines = [
        f"{result.process}, {result.count} trajectories of {result.points} points for each seed, {seeds}; in %,",
        "mean +- spread of one seed:",
        "",
        *aligned([SEEDS_COLUMNS, *seeds_rows(result)], left=3),
    ]
    for reference, model in result.models.items():
        inside = model.certificate["inside"]
        lines.append(
            f"{reference}: {inside.outside_points['1%']} of {inside.points} points inside are off by more than 1%"
        )
    return "\n".join(lines)


def _mean_and_spread(found: Spread) -> str:
    mean = f"{100 * found.mean:.3g}"
    return mean if found.spread is None else f"{mean} +- {100 * found.spread:.2g}"


def _cells(accuracy: Accuracy) -> list[str]:
    assert accuracy.median_abs_delta is not None
    shares = [with_error(accuracy.outside[name].value, accuracy.outside[name].error, 100) for name in THRESHOLDS]
    return [f"{100 * accuracy.fraction:.3g}", f"{100 * accuracy.median_abs_delta:.3g}", *shares]
