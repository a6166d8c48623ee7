"""Making predicted uncertainties honest after the training, from the errors on validation points.

A scale as a function of the predicted uncertainty makes one sigma hold 68.27 % of the errors at every size, of points
of phase space and of events alike; for wider intervals, the quantiles of |error| / sigma are kept, which need no
Gaussian (conformal prediction: V. Vovk et al.,
"Algorithmic Learning in a Random World", 2005; A. Angelopoulos, S. Bates, 2107.07511).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ampcli import weighted
from ampcli.errors import UsageError
from ampcli.registry.manifest import Recalibration
from ampcli.store.measures import Measures, balanced
from ampcli.uncertainty.pulls import GAUSSIAN, informative, own_errors
from ampcli.weighted import ONE_SIGMA, Floats

#: Intervals, by their name in a manifest, and the fraction of errors that they hold.
INTERVALS = {"95": 0.95, "99": 0.99}

LEAST_POINTS = 100
_POINTS_PER_KNOT, _MOST_EQUAL = 500, 20
_ENDS = (0.01, 0.02)
"""Shares of the weight that have knots of their own at both ends, where the factor changes most."""
_TINY = 1e-100


def fit_recalibration(
    exact: Floats,
    predicted: Floats,
    uncertainty: Floats,
    counted: Measures | None = None,
    errors: Floats | None = None,
) -> Recalibration:
    """From n >= 100 validation points: exact and predicted amplitudes and their 1-sigma uncertainties, (n,) each.

    Args:
        errors: statistical errors of the exact amplitudes, (n,): squares of uncertainties and of these add up, and what
            is found are the uncertainties alone.  None: they have none.
        counted: what the points count.  Points of phase space and events get the same weight together, so that one
            sigma holds for both: they have uncertainties of different sizes, and the factor depends on the size.

    Raises:
        UsageError: too few points, or too few of known uncertainty.
    """
    rows = len(exact)
    known = (counted or Measures()).known(rows)
    weight = balanced(known, rows)
    usable = uncertainty > 0
    if np.count_nonzero(usable) < LEAST_POINTS:
        raise UsageError(
            f"{np.count_nonzero(usable)} validation points are too few to calibrate uncertainties: "
            f"{LEAST_POINTS} are needed"
        )
    exact, predicted, uncertainty = exact[usable], predicted[usable], uncertainty[usable]
    errors = None if errors is None else errors[usable]
    weight = weighted.significant(weighted.part(weight, usable))
    told = informative(uncertainty, errors)
    if told.sum() < LEAST_POINTS:
        raise UsageError(
            f"the statistical errors of these {len(told)} validation points hide the model's own: they are worth "
            f"{told.sum():.0f} points without errors, and {LEAST_POINTS} are needed to calibrate uncertainties"
        )
    relative = np.maximum(uncertainty / np.maximum(np.abs(predicted), _TINY), _TINY)
    log_sigma = np.log(relative)
    sigma = relative * np.maximum(np.abs(predicted), _TINY)
    pull = own_errors(predicted - exact, errors, GAUSSIAN["68"]) / sigma
    groups = _groups(log_sigma, weight, float(told.mean()))
    centres = np.array([weighted.mean(log_sigma[rows], _of(weight, rows)) for rows in groups])
    quantiles = np.array([max(_conformal_quantile(pull[rows], ONE_SIGMA, _of(weight, rows)), _TINY) for rows in groups])
    # Larger uncertainties stay larger: thresholds on them select the same points before and after.
    honest = np.maximum.accumulate(centres + np.log(quantiles))
    distinct = np.concatenate([[True], np.diff(centres) > 1e-9])
    centres, honest = centres[distinct], honest[distinct]
    draft = Recalibration(log_sigma=centres.tolist(), log_scale=(honest - centres).tolist(), intervals={})
    scale = recalibrated(torch.from_numpy(np.exp(log_sigma)), draft).numpy() / np.exp(log_sigma)
    intervals = {
        name: _conformal_quantile(
            own_errors(predicted - exact, errors, GAUSSIAN[name]) / (sigma * scale), level, weight
        )
        for name, level in INTERVALS.items()
    }
    return draft.model_copy(update={"intervals": intervals, "measures": list(known)})


def _groups(log_sigma: Floats, weight: Floats | None, told: float) -> list[npt.NDArray[np.int64]]:
    """Rows in groups of the same weight and ascending uncertainty; with weights, each with enough effective rows.

    Args:
        told: how much a row says of uncertainties, 0 to 1 (`informative`).
    """
    order = np.argsort(log_sigma, kind="stable")
    effective = weighted.effective_number(weight, len(order)) * told
    levels = _levels(effective)
    if weight is None:
        return np.split(order, np.round(len(order) * levels).astype(np.int64))
    below = np.cumsum(weight[order])
    ends = np.searchsorted(below, below[-1] * levels)
    groups: list[npt.NDArray[np.int64]] = []
    for rows in np.split(order, ends):
        thin = bool(groups) and weighted.effective_number(weight[groups[-1]], len(groups[-1])) < LEAST_POINTS
        groups[-1:] = [np.concatenate([groups[-1], rows])] if thin else [*groups[-1:], rows]
    if len(groups) > 1 and weighted.effective_number(weight[groups[-1]], len(groups[-1])) < LEAST_POINTS:
        groups[-2:] = [np.concatenate(groups[-2:])]
    return groups


def _levels(effective: float) -> Floats:
    """Shares of the weight below the edges of groups with enough effective rows each."""
    groups = min(max(int(effective) // _POINTS_PER_KNOT, 1), _MOST_EQUAL)
    ends = [share for share in _ENDS if groups > 1 and effective * _ENDS[0] >= _POINTS_PER_KNOT]
    return np.unique([*ends, *(np.arange(1, groups) / groups), *(1.0 - share for share in ends)])


def _of(weight: Floats | None, rows: npt.NDArray[np.int64]) -> Floats | None:
    return None if weight is None else weight[rows]


def recalibrated(relative: Tensor, recalibration: Recalibration) -> Tensor:
    """Honest relative uncertainties for predicted ones, both (n,) float64; beyond the knots the last scale holds."""
    knots = torch.tensor(recalibration.log_sigma, dtype=torch.float64, device=relative.device)
    scales = torch.tensor(recalibration.log_scale, dtype=torch.float64, device=relative.device)
    if len(knots) == 1:
        return relative * scales.exp()
    log = relative.clamp_min(_TINY).log().contiguous()
    right = torch.bucketize(log, knots).clamp(1, len(knots) - 1)
    fraction = ((log - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0.0, 1.0)
    return relative * torch.lerp(scales[right - 1], scales[right], fraction).exp()


def _conformal_quantile(sizes: Floats, level: float, weight: Floats | None) -> float:
    """What a new one of these sizes exceeds with probability 1 - level at most (n large enough for the level)."""
    if weight is not None:
        n = weighted.effective_number(weight, len(sizes))
        return weighted.quantile(sizes, min(level * (1 + 1 / n), 1.0), weight)
    rank = min(math.ceil((len(sizes) + 1) * level), len(sizes))
    return float(np.partition(sizes, rank - 1)[rank - 1])
