"""The page of `ampcli trajectory`."""

from __future__ import annotations

from collections.abc import Sequence

from ampcli.evaluation.trajectories import TrajectoryResult
from ampcli.evaluation.trajectory_seeds import SeedsResult
from ampcli.evaluation.trajectory_table import COLUMNS, SEEDS_COLUMNS, seeds_rows, trajectory_rows
from ampcli.phasespace.unresolved import REGIONS
from ampcli.plots.style import Plot
from ampcli.reports.page import Page, Section, Table


def trajectory_page(result: TrajectoryResult | SeedsResult, plots: Sequence[Plot], lineage: Sequence[Section]) -> Page:
    """How models fare along trajectories of one seed or several, and where all of it comes from."""
    about = (
        f"{result.process}, √s = {result.sqrt_s:g} GeV, {result.count} trajectories of {result.points} points, no cuts"
    )
    if isinstance(result, SeedsResult):
        seeds = f"for each seed from {result.seeds[0]} to {result.seeds[-1]}"
        table = Table(SEEDS_COLUMNS, seeds_rows(result), "In %: mean +- spread of one seed.")
    else:
        seeds, table = f"seed {result.seed}", Table(COLUMNS, trajectory_rows(result), "In %.")
    text = [
        "Trajectories are straight lines between random points of the unit cube, through RAMBO. Nothing is cut away: "
        "they lead beyond the region that the models were trained on.",
        "Regions: "
        + "; ".join(f"{name}, {meaning}" for name, meaning in REGIONS.items())
        + ". y_cut is that of the model.",
    ]
    sections = [Section("Result", text, tables=[table]), Section("Plots", plots=plots)]
    return Page(f"{', '.join(result.models)} along trajectories", f"{about}, {seeds}", [*sections, *lineage])
