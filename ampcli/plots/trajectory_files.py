"""All files of `ampcli trajectory`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.evaluation.trajectories import TrajectoryPoints, most_varied
from ampcli.files import replacing
from ampcli.plots.errors import plot_cumulative
from ampcli.plots.style import Plot, save
from ampcli.plots.trajectories import plot_amplitudes, plot_kinematics
from ampcli.process import Process


def trajectory_plots(points: TrajectoryPoints, process: Process, sqrt_s: float, show: int | None) -> list[Plot]:
    """trajectory and kinematics of one trajectory (`show`, or that of the largest span), cumulative errors of all."""
    number = most_varied(points) if show is None else show
    count, steps = points.exact.shape
    about = f"{process}, √s = {sqrt_s:g} GeV, no cuts"
    one = f"{about}, {steps} points"
    deltas = {reference: (m.amplitude / points.exact - 1.0).ravel() for reference, m in points.models.items()}
    return [
        replace(plot_amplitudes(points, process, number), about=one),
        replace(plot_kinematics(points, process, number), about=one),
        replace(plot_cumulative(deltas), about=f"{about}, {count} trajectories of {steps} points"),
    ]


def write_trajectories(
    points: TrajectoryPoints, document: Mapping[str, object], plots: Sequence[Plot], folder: Path
) -> list[Path]:
    """Write trajectories.json (what the command reports), trajectories.npz (all points), and the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"momenta": points.momenta, "exact": points.exact, "min_sij_over_s": points.min_sij}
    for reference, model in points.models.items():
        arrays |= {
            f"{reference}/predicted": model.amplitude,
            f"{reference}/uncertainty": model.uncertainty,
            f"{reference}/outside": model.outside,
        }
        arrays |= {f"{reference}/region/{name}": flags for name, flags in model.regions.items()}
    table, numbers = folder / "trajectories.npz", folder / "trajectories.json"
    with replacing(table) as draft, draft.open("wb") as file:
        np.savez(file, **arrays)
    with replacing(numbers) as draft:
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    return [numbers, table, *(path for plot in plots for path in save(plot, folder))]
