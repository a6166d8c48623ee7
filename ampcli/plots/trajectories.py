"""One trajectory through phase space: amplitudes, ratio, rapidities, azimuths and energies (FAME, Figs. 7 and 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ampcli.evaluation.metrics import Floats
from ampcli.evaluation.trajectories import Predicted, TrajectoryPoints
from ampcli.phasespace.unresolved import REGIONS
from ampcli.plots.style import Plot
from ampcli.process import Process

_SHADES = {"pink": "#f7b6d2", "purple": "#b39ddb", "blue": "#9ecae1", "grey": "#bdbdbd", "red": "#ef9a9a"}
_SMALLEST_RANGE, _LARGEST_RANGE = 1e-5, 1.0  # of |ratio - 1| on its axis
_SHOWN = 0.98  # of the points are within


def plot_amplitudes(points: TrajectoryPoints, process: Process, number: int, name: str = "trajectory") -> Plot:
    """Left: exact and predicted |M|^2; right: their ratio with the uncertainty as a band; a row for each model.

    Points are coloured by min s_ij / s, regions by the names of `ampcli.phasespace.unresolved.REGIONS`.  The axis of
    the ratio holds 98 % of the points; arrows stand for the others.

    Args:
        number: of the trajectory, from 0.
    """
    exact, min_sij = points.exact[number], np.maximum(points.min_sij[number], 1e-14)
    position = _positions(points)
    norm = LogNorm(min_sij.min(), max(min_sij.max(), 1.01 * min_sij.min()))
    dimension = 4 - 2 * process.n_final
    unit = rf"  [GeV$^{{{dimension}}}$]" if dimension else ""

    def amplitude(reference: str, model: Predicted) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            shades = _shade(axes, position, model, number)
            (line,) = axes.plot(position, exact, color="black", linewidth=1, label="exact", zorder=2)
            predicted = model.amplitude[number]
            positive = predicted > 0
            axes.scatter(position[positive], predicted[positive], c=min_sij[positive], norm=norm, s=9, zorder=3)
            axes.set_yscale("log")
            axes.set_ylabel(r"$|\mathcal{M}|^2$" + unit)
            _finish(axes, reference)
            dot = Line2D([], [], marker="o", linestyle="", markersize=4, color="#21918c", label="network")
            axes.legend(handles=[line, dot, *shades], loc="best", fontsize=11)

        return draw

    def ratio(reference: str, model: Predicted) -> Callable[[Axes], None]:
        def draw(axes: Axes) -> None:
            shades = _shade(axes, position, model, number)
            found, band = 100 * (model.amplitude[number] / exact - 1), 100 * model.uncertainty[number] / exact
            half = 100 * _range(found / 100)
            label = "predicted uncertainty"
            between = axes.fill_between(
                position, found - band, found + band, color="0.5", alpha=0.5, linewidth=0, zorder=2, label=label
            )
            inside = np.abs(found) <= half
            dots = axes.scatter(position[inside], found[inside], c=min_sij[inside], norm=norm, s=9, zorder=3)
            out = {}
            for marker, beyond, edge in (("^", found > half, half), ("v", found < -half, -half)):
                if beyond.any():
                    out[marker] = int(beyond.sum())
                    colours = min_sij[beyond]
                    edges = np.full(out[marker], 1.06 * edge)
                    axes.scatter(position[beyond], edges, c=colours, norm=norm, s=36, marker=marker, zorder=4)
            axes.axhline(0, color="black", linewidth=0.8)
            axes.set_ylim(-1.15 * half, 1.15 * half)
            axes.set_ylabel("network / exact $-$ 1  [%]")
            axes.figure.colorbar(dots, ax=axes, label=r"$\min\, s_{ij}/s$")
            _finish(axes, reference)
            arrows = [
                Line2D([], [], marker=m, linestyle="", color="0.3", label=f"{n} point{'s' * (n > 1)} beyond the axis")
                for m, n in out.items()
            ]
            axes.legend(handles=[between, *arrows, *shades], loc="best", fontsize=11)

        return draw

    numbers = {
        "trajectory": number,
        "position": position.tolist(),
        "exact": exact.tolist(),
        "min_sij_over_s": points.min_sij[number].tolist(),
        "models": {reference: _numbers(model, number) for reference, model in points.models.items()},
    }
    panels = tuple(draw(*item) for item in points.models.items() for draw in (amplitude, ratio))
    caption = (
        f"Trajectory {number}: exact and predicted |M|², and what the prediction is off by, with its uncertainty. "
        "Dots are coloured by min s_ij/s, the background by what is unresolved."
    )
    return Plot(name, caption, panels, numbers, size=(6.8, 4.4))


def plot_kinematics(points: TrajectoryPoints, process: Process, number: int, name: str = "kinematics") -> Plot:
    """Left: azimuth against rapidity of the outgoing partons; right: their energies along the trajectory.

    Args:
        number: of the trajectory, from 0.
    """
    p = points.momenta[number]
    position = _positions(points)
    rapidity = np.arctanh(np.clip(p[..., 3] / p[..., 0], -1 + 1e-15, 1 - 1e-15))
    azimuth = np.arctan2(p[..., 2], p[..., 1])
    labels = _labels(process)

    def directions(axes: Axes) -> None:
        for leg, label in enumerate(labels):
            axes.scatter(rapidity[:, leg], azimuth[:, leg], s=4 + 10 * position, color=f"C{leg}", label=label)
        start = {"facecolors": "none", "edgecolors": "black", "linewidths": 1.5, "zorder": 4, "label": "start"}
        axes.scatter(rapidity[0], azimuth[0], s=110, **start)  # type: ignore[arg-type]
        axes.set_xlabel("Rapidity (dots grow along the trajectory)")
        axes.set_ylabel("Azimuth  [rad]")
        axes.set_ylim(-np.pi, np.pi)
        axes.legend(loc="best", ncols=2)

    def energies(axes: Axes) -> None:
        for leg, label in enumerate(labels):
            axes.plot(position, p[:, leg, 0], color=f"C{leg}", label=label)
        axes.set_xlabel("Position on the trajectory")
        axes.set_ylabel("Energy  [GeV]")
        axes.legend(loc="best", ncols=2)

    numbers = {
        "trajectory": number,
        "position": position.tolist(),
        "rapidity": dict(zip(labels, rapidity.T.tolist(), strict=True)),
        "azimuth": dict(zip(labels, azimuth.T.tolist(), strict=True)),
        "energy": dict(zip(labels, p[..., 0].T.tolist(), strict=True)),
    }
    caption = f"Trajectory {number}: directions and energies of the outgoing partons."
    return Plot(name, caption, (directions, energies), numbers)


def _range(delta: Floats) -> float:
    """Half the axis of the ratio - 1: 1, 2 or 5 times a power of ten that holds most points, at most 100 %."""
    wanted = float(np.clip(np.quantile(np.abs(delta), _SHOWN), _SMALLEST_RANGE, _LARGEST_RANGE))
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-9)))


def _finish(axes: Axes, reference: str) -> None:
    axes.set_title(reference, fontsize=13, loc="left")
    axes.set_xlabel("Position on the trajectory")


def _positions(points: TrajectoryPoints) -> Floats:
    steps = points.exact.shape[1]
    return np.asarray((np.arange(steps) + 0.5) / steps)


def _labels(process: Process) -> list[str]:
    """Names of the outgoing legs, numbered where they repeat: d, d~, g1, g2."""
    names = [leg.name for leg in process.outgoing]
    return [f"{name}{names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _shade(axes: Axes, position: Floats, model: Predicted, number: int) -> list[Patch]:
    """Colour the regions; what stands for those that there are in a legend."""
    half = 0.5 / len(position)
    present = []
    for name, colour in _SHADES.items():
        look: dict[str, Any] = {"color": colour, "alpha": 0.45 if name == "red" else 0.7, "linewidth": 0}
        flags = model.regions[name][number]
        for first, last in _runs(flags):
            axes.axvspan(position[first] - half, position[last] + half, zorder=0, **look)
        if flags.any():
            present.append(Patch(label=REGIONS[name], **look))
    return present


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
