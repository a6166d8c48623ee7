"""One trajectory through phase space: amplitudes, ratio, rapidities, azimuths and energies (FAME, Figs. 7 and 8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ampcli.evaluation.metrics import Floats
from ampcli.evaluation.trajectories import Predicted, TrajectoryPoints
from ampcli.phasespace.unresolved import REGIONS
from ampcli.plots.style import save, style
from ampcli.process import Process

_SHADES = {"pink": "#f7b6d2", "purple": "#b39ddb", "blue": "#9ecae1", "grey": "#bdbdbd", "red": "#ef9a9a"}
_RATIO = 0.10  # half of the ratio's axis; what lies beyond is drawn on its edge


def plot_amplitudes(points: TrajectoryPoints, number: int, folder: Path, name: str = "trajectory") -> list[Path]:
    """Left: exact and predicted |M|^2; right: their ratio with the uncertainty as a band; a row for each model.

    Points are coloured by min s_ij / s, regions by the names of `ampcli.phasespace.unresolved.REGIONS`.

    Args:
        number: of the trajectory, from 0.
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
    """
    exact, min_sij = points.exact[number], np.maximum(points.min_sij[number], 1e-14)
    position = _positions(points)
    norm = LogNorm(min_sij.min(), max(min_sij.max(), 1.01 * min_sij.min()))
    with style():
        figure = Figure(figsize=(13, 3.9 * len(points.models)))
        rows = figure.subplots(len(points.models), 2, squeeze=False, sharex=True)
        for (left, right), (reference, model) in zip(rows, points.models.items(), strict=True):
            predicted, sigma = model.amplitude[number], model.uncertainty[number]
            for axes in (left, right):
                _shade(axes, position, model, number)
            left.plot(position, exact, color="black", linewidth=1, label="exact", zorder=2)
            positive = predicted > 0
            dots = left.scatter(position[positive], predicted[positive], c=min_sij[positive], norm=norm, s=9, zorder=3)
            left.set_yscale("log")
            left.set_ylabel(r"$|\mathcal{M}|^2$")
            left.set_title(reference, fontsize=13, loc="left")
            ratio, band = predicted / exact, sigma / exact
            right.fill_between(position, ratio - band, ratio + band, color="0.5", alpha=0.5, linewidth=0, zorder=2)
            clipped = np.clip(ratio, 1 - _RATIO, 1 + _RATIO)
            right.scatter(position, clipped, c=min_sij, norm=norm, s=9, zorder=3)
            right.axhline(1, color="black", linewidth=0.8)
            right.set_ylim(1 - 1.05 * _RATIO, 1 + 1.05 * _RATIO)
            right.set_ylabel("network / exact")
            figure.colorbar(dots, ax=right, label=r"$\min\, s_{ij}/s$")
        for axes in rows[-1]:
            axes.set_xlabel("Position on the trajectory")
        numbers = {
            "trajectory": number,
            "position": position.tolist(),
            "exact": exact.tolist(),
            "min_sij_over_s": points.min_sij[number].tolist(),
            "models": {reference: _numbers(model, number) for reference, model in points.models.items()},
        }
        return save(figure, numbers, folder, name)


def plot_kinematics(
    points: TrajectoryPoints, process: Process, number: int, folder: Path, name: str = "kinematics"
) -> list[Path]:
    """Left: azimuth against rapidity of the outgoing partons; right: their energies along the trajectory.

    Args:
        number: of the trajectory, from 0.
        folder, name: writes NAME.png, NAME.pdf and NAME.json there.
    """
    p = points.momenta[number]
    position = _positions(points)
    rapidity = np.arctanh(np.clip(p[..., 3] / p[..., 0], -1 + 1e-15, 1 - 1e-15))
    azimuth = np.arctan2(p[..., 2], p[..., 1])
    labels = _labels(process)
    with style():
        figure = Figure(figsize=(13, 5))
        left, right = figure.subplots(1, 2)
        for leg, label in enumerate(labels):
            left.scatter(rapidity[:, leg], azimuth[:, leg], s=4 + 10 * position, label=label)
            right.plot(position, p[:, leg, 0], label=label)
        left.set_xlabel("Rapidity (dots grow along the trajectory)")
        left.set_ylabel("Azimuth")
        left.set_ylim(-np.pi, np.pi)
        right.set_xlabel("Position on the trajectory")
        right.set_ylabel("Energy [GeV]")
        right.legend(loc="best", ncols=2)
        numbers = {
            "trajectory": number,
            "position": position.tolist(),
            "rapidity": dict(zip(labels, rapidity.T.tolist(), strict=True)),
            "azimuth": dict(zip(labels, azimuth.T.tolist(), strict=True)),
            "energy": dict(zip(labels, p[..., 0].T.tolist(), strict=True)),
        }
        return save(figure, numbers, folder, name)


def _positions(points: TrajectoryPoints) -> Floats:
    steps = points.exact.shape[1]
    return np.asarray((np.arange(steps) + 0.5) / steps)


def _labels(process: Process) -> list[str]:
    """Names of the outgoing legs, numbered where they repeat: d, d~, g1, g2."""
    names = [leg.name for leg in process.outgoing]
    return [f"{name}{names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _shade(axes: Axes, position: Floats, model: Predicted, number: int) -> None:
    half = 0.5 / len(position)
    for name, colour in _SHADES.items():
        for first, last in _runs(model.regions[name][number]):
            alpha = 0.45 if name == "red" else 0.7
            axes.axvspan(
                position[first] - half, position[last] + half, color=colour, alpha=alpha, linewidth=0, zorder=0
            )


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of every run of True in (n,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last) - 1) for first, last in edges.reshape(-1, 2)]


def _numbers(model: Predicted, number: int) -> dict[str, object]:
    return {
        "predicted": model.amplitude[number].tolist(),
        "uncertainty": [value if value > 0 else None for value in model.uncertainty[number].tolist()],
        "outside_training_region": model.outside[number].tolist(),
        "regions": {name: model.regions[name][number].tolist() for name in REGIONS},
    }
