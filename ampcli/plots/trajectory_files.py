"""All files of `ampcli trajectory`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.evaluation.trajectories import TrajectoryPoints, most_varied
from ampcli.files import replacing
from ampcli.plots.errors import plot_cumulative
from ampcli.plots.trajectories import plot_amplitudes, plot_kinematics
from ampcli.process import Process


def write_trajectories(
    points: TrajectoryPoints, document: Mapping[str, object], process: Process, show: int | None, folder: Path
) -> list[Path]:
    """Write trajectories.json (what the command reports), trajectories.npz (all points), and the plots.

    trajectory and kinematics show one of them (`show`, or the one of the largest span), cumulative the errors of all.
    """
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
    number = most_varied(points) if show is None else show
    written = plot_amplitudes(points, number, folder)
    written += plot_kinematics(points, process, number, folder)
    deltas = {reference: (m.amplitude / points.exact - 1.0).ravel() for reference, m in points.models.items()}
    written += plot_cumulative(deltas, folder)
    return [numbers, table, *written]
