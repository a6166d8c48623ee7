"""Accuracy along trajectories as text, like Table 2 of FAME."""

from __future__ import annotations

from ampcli.evaluation.metrics import THRESHOLDS
from ampcli.evaluation.report import aligned, with_error
from ampcli.evaluation.trajectories import Accuracy, TrajectoryResult
from ampcli.phasespace.unresolved import REGIONS


def trajectory_table(result: TrajectoryResult) -> str:
    """A row for each region and model; fractions of points in per cent, with errors in the last digits."""
    rows = [["region", "", "model", "y_cut", "of points", "median|Delta|", *(f">{name}" for name in THRESHOLDS)]]
    for name, meaning in REGIONS.items():
        for reference, model in result.models.items():
            if (accuracy := model.regions[name]).points:
                rows.append([name, meaning, reference, f"{model.y_cut:g}", *_cells(accuracy)])
    for name in ("inside", "outside"):
        for reference, model in result.models.items():
            if (accuracy := model.certificate[name]).points:
                rows.append([name, "the training region", reference, f"{model.y_cut:g}", *_cells(accuracy)])
    lines = [
        f"{result.process}, {result.count} trajectories of {result.points} points, seed {result.seed}; in %:",
        "",
        *aligned(rows, left=3),
    ]
    negative = {
        reference: sum(model.certificate[name].negative for name in ("inside", "outside"))
        for reference, model in result.models.items()
    }
    lines += [f"{count} predictions of {reference} are <= 0" for reference, count in negative.items() if count]
    return "\n".join(lines)


def _cells(accuracy: Accuracy) -> list[str]:
    assert accuracy.median_abs_delta is not None
    shares = [with_error(accuracy.outside[name].value, accuracy.outside[name].error, 100) for name in THRESHOLDS]
    return [f"{100 * accuracy.fraction:.3g}", f"{100 * accuracy.median_abs_delta:.3g}", *shares]
