"""`ampcli trajectory`: models along random trajectories through phase space (FAME, Sec. 3.3 and Table 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from ampcli.amplitudes.providers import provider_of
from ampcli.errors import UsageError, setting
from ampcli.evaluation.metrics import THRESHOLDS, Floats, Proportion, proportion
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import with_beams
from ampcli.phasespace.selection import Selection
from ampcli.phasespace.trajectories import trajectories
from ampcli.phasespace.unresolved import REGIONS, singular_invariant, unresolved_regions
from ampcli.progress import nothing
from ampcli.records.base import Frozen
from ampcli.uncertainty.kind import UncertaintyKind


class Accuracy(Frozen):
    """Of the points of a region; `outside`: fractions with |Delta| above "0.1%", "1%", "5%".

    Attributes:
        points: in the region.
        fraction: of all points.
        median_abs_delta: median of |predicted / exact - 1|; None where the region is empty.
        outside: fractions of the points with |Delta| above "0.1%", "1%", "5%".
        negative: predictions <= 0.
    """

    points: int
    fraction: FiniteFloat
    median_abs_delta: FiniteFloat | None
    outside: dict[str, Proportion]
    negative: int


class ModelOnTrajectories(Frozen):
    """A model in all regions, and in those of its certificate: "inside" and "outside" the training region.

    Attributes:
        y_cut: cut on s_ij / s for the regions.
        uncertainty_kind: what the model's uncertainties are.
        regions: "all", and by the number of pairs below the cut.
        certificate: points "inside" and "outside" the training region.
    """

    y_cut: FiniteFloat
    uncertainty_kind: UncertaintyKind
    regions: dict[str, Accuracy]
    certificate: dict[str, Accuracy]


class TrajectoryResult(Frozen):
    """What the command reports.

    Attributes:
        process: of the models.
        sqrt_s: centre-of-mass energy in GeV.
        seed: of the ends of trajectories.
        count: trajectories.
        points: on each trajectory.
        models: by name@version.
    """

    process: str
    sqrt_s: FiniteFloat
    seed: int
    count: int
    points: int
    models: dict[str, ModelOnTrajectories]


@dataclass(frozen=True)
class Predicted:
    """One model along the trajectories, (count, points) each; `regions` by colour."""

    amplitude: Floats
    uncertainty: Floats
    outside: NDArray[np.bool_]
    regions: Mapping[str, NDArray[np.bool_]]

    def reshaped(self, shape: tuple[int, int]) -> Predicted:
        """The same points in another shape, (count, points)."""
        regions = {name: flags.reshape(shape) for name, flags in self.regions.items()}
        return Predicted(
            self.amplitude.reshape(shape), self.uncertainty.reshape(shape), self.outside.reshape(shape), regions
        )


@dataclass(frozen=True)
class TrajectoryPoints:
    """All points: momenta (count, points, n_final, 4) in GeV; exact |M|^2 and min s_ij / s (count, points).

    The quark pair is left out of min s_ij.
    """

    momenta: Floats
    exact: Floats
    min_sij: Floats
    models: Mapping[str, Predicted]


def follow(
    predictors: Sequence[Predictor],
    count: int,
    points: int,
    seed: int,
    y_cut: float | None = None,
    on_rows: Callable[[int], None] = nothing,
) -> tuple[TrajectoryPoints, TrajectoryResult]:
    """Compare models of one process with its exact amplitudes along trajectories.

    Args:
        y_cut: for the regions; by default each model's training cut.
        on_rows: told how many points are done more, of every model.

    Raises:
        UsageError: models of different processes, energies or parameters; of no fixed energy; without a cut of their
            own where none is given; an impossible cut; no points.
    """
    if count < 1 or points < 2:
        raise UsageError(f"{setting('count')} {count} and {setting('points')} {points}: at least 1 and 2 are needed")
    if y_cut is not None and not 0 < y_cut < 0.5:
        raise UsageError(
            f"{setting('y_cut')} {y_cut:g}: a share of s between 0 and 0.5 is needed",
            "Typical values are 1e-2 to 1e-4.",
        )
    sqrt_s = _common_energy(predictors)
    first, process = predictors[0].manifest, predictors[0].process
    momenta = trajectories(count, points, process.n_final, sqrt_s, seed)
    final = momenta.reshape(-1, process.n_final, 4)
    exact = provider_of(first.provider, process).evaluate(with_beams(final, sqrt_s))
    min_sij = singular_invariant(final, process) / sqrt_s**2
    models, summaries = {}, {}
    for predictor in predictors:
        reference = predictor.manifest.reference
        models[reference], summaries[reference] = _on_trajectories(predictor, final, exact, sqrt_s, y_cut, on_rows)
    shape = (count, points)
    return (
        TrajectoryPoints(
            momenta,
            exact.reshape(shape),
            min_sij.reshape(shape),
            {reference: model.reshaped(shape) for reference, model in models.items()},
        ),
        TrajectoryResult(process=first.process, sqrt_s=sqrt_s, seed=seed, count=count, points=points, models=summaries),
    )


def _common_energy(predictors: Sequence[Predictor]) -> float:
    """sqrt(s) in GeV of models of one process and one exact amplitude, e+e- at a fixed energy."""
    first = predictors[0].manifest
    if first.sqrt_s is None or any(leg.name not in ("e-", "e+") for leg in predictors[0].process.incoming):
        raise UsageError(
            f"{first.reference} is for {first.process}", "Trajectories are for e+e- collisions at a fixed energy."
        )
    if (process := predictors[0].process).n_jets != process.n_final:
        raise UsageError(
            f"{first.reference} is for {first.process}", "Trajectories are of massless quarks and gluons alone."
        )
    for predictor in predictors[1:]:
        if (other := predictor.manifest).process != first.process or other.sqrt_s != first.sqrt_s:
            raise UsageError(
                f"{first.reference} is for {first.process} at {first.sqrt_s:g} GeV, "
                f"{other.reference} for {other.process} at {other.sqrt_s} GeV",
                "Name models of one process and energy.",
            )
        if other.provider.parameters != first.provider.parameters:
            raise UsageError(f"{first.reference} and {other.reference} learned from different amplitudes")
    return first.sqrt_s


def _on_trajectories(
    predictor: Predictor,
    final: Floats,
    exact: Floats,
    sqrt_s: float,
    y_cut: float | None,
    on_rows: Callable[[int], None],
) -> tuple[Predicted, ModelOnTrajectories]:
    """What a model predicts at points (n, n_final, 4) whose |M|^2 is `exact` (n,), and how well."""
    cut = predictor.manifest.dataset.y_cut if y_cut is None else y_cut
    if cut is None:
        raise UsageError(
            f"{predictor.manifest.reference} was trained without a cut", f"Give one with {setting('y_cut')}."
        )
    regions = unresolved_regions(final, predictor.process, Selection(sqrt_s, cut))
    found = predictor.predicted(final, on_rows=on_rows)
    amplitude, uncertainty = found.amplitude, found.uncertainty
    outside = predictor.certify(final, amplitude, uncertainty).outside
    delta = amplitude / exact - 1.0
    summary = ModelOnTrajectories(
        y_cut=cut,
        uncertainty_kind=predictor.uncertainty_kind,
        regions={name: _accuracy(delta, regions[name]) for name in REGIONS},
        certificate={"inside": _accuracy(delta, ~outside), "outside": _accuracy(delta, outside)},
    )
    return Predicted(amplitude, uncertainty, outside, regions), summary


def _accuracy(delta: Floats, rows: NDArray[np.bool_]) -> Accuracy:
    size = np.abs(delta[rows])
    return Accuracy(
        points=len(size),
        fraction=float(rows.mean()),
        median_abs_delta=float(np.median(size)) if len(size) else None,
        outside={name: proportion(size > limit) for name, limit in THRESHOLDS.items()} if len(size) else {},
        negative=int(np.count_nonzero(delta[rows] <= -1.0)),
    )


def most_varied(points: TrajectoryPoints) -> int:
    """The trajectory whose exact |M|^2 spans most orders of magnitude, of those that are resolved at a third of it."""
    resolved = np.mean([model.regions["white"].mean(axis=1) for model in points.models.values()], axis=0)
    span = np.ptp(np.log(np.abs(points.exact)), axis=1)
    return int(np.argmax(np.where(resolved >= min(1 / 3, resolved.max()), span, -np.inf)))
