"""Making predicted uncertainties honest after the training, from the errors on validation points.

A scale as a function of the predicted uncertainty makes one sigma hold 68.27 % of the errors at every size; for wider
intervals, the quantiles of |error| / sigma are kept, which need no Gaussian (conformal prediction: V. Vovk et al.,
"Algorithmic Learning in a Random World", 2005; A. Angelopoulos, S. Bates, 2107.07511).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.registry.manifest import Recalibration

Floats = npt.NDArray[np.float64]

ONE_SIGMA = math.erf(1 / math.sqrt(2))

#: Intervals, by their name in a manifest, and the fraction of errors that they hold.
INTERVALS = {"95": 0.95, "99": 0.99}

LEAST_POINTS = 100
_POINTS_PER_KNOT, _MOST_KNOTS = 500, 20
_TINY = 1e-100


def fit_recalibration(exact: Floats, predicted: Floats, uncertainty: Floats) -> Recalibration:
    """From n >= 100 validation points: exact and predicted amplitudes and their 1-sigma uncertainties, (n,) each.

    Raises:
        UsageError: too few points.
    """
    if len(exact) < LEAST_POINTS:
        raise UsageError(
            f"{len(exact)} validation points are too few to calibrate uncertainties: {LEAST_POINTS} are needed"
        )
    relative = np.maximum(uncertainty / np.maximum(np.abs(predicted), _TINY), _TINY)
    log_sigma = np.log(relative)
    pull = np.abs(predicted - exact) / (relative * np.maximum(np.abs(predicted), _TINY))
    knots = min(max(len(exact) // _POINTS_PER_KNOT, 1), _MOST_KNOTS)
    groups = np.array_split(np.argsort(log_sigma, kind="stable"), knots)
    centres = np.array([log_sigma[rows].mean() for rows in groups])
    quantiles = np.array([max(_conformal_quantile(pull[rows], ONE_SIGMA), _TINY) for rows in groups])
    # Larger uncertainties stay larger: thresholds on them select the same points before and after.
    honest = np.maximum.accumulate(centres + np.log(quantiles))
    distinct = np.concatenate([[True], np.diff(centres) > 1e-9])
    centres, honest = centres[distinct], honest[distinct]
    draft = Recalibration(log_sigma=centres.tolist(), log_scale=(honest - centres).tolist(), intervals={})
    scale = recalibrated(torch.from_numpy(np.exp(log_sigma)), draft).numpy() / np.exp(log_sigma)
    intervals = {name: _conformal_quantile(pull / scale, level) for name, level in INTERVALS.items()}
    return draft.model_copy(update={"intervals": intervals})


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


def _conformal_quantile(sizes: Floats, level: float) -> float:
    """What a new one of these sizes exceeds with probability 1 - level at most (n large enough for the level)."""
    rank = min(math.ceil((len(sizes) + 1) * level), len(sizes))
    return float(np.partition(sizes, rank - 1)[rank - 1])
