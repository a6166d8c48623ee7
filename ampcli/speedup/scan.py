"""What thresholds on the predicted uncertainty do: tolerance, speed-up, and the errors of what is decided.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Figs. 10 to 12 and 14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats
from ampcli.records.base import Frozen
from ampcli.speedup.stages import Stage, decide, outcome

_STEPS = 40
ACCURACIES = {"1%": 0.01, "3%": 0.03, "5%": 0.05}
_DECADES, _BINS = (-6, 0), 48  # of |Delta|


class Scan(Frozen):
    """Over the first threshold; a second one follows it by `ratio`.

    Attributes:
        tolerance: share of the weight decided with |Delta| above "1%", "3%", "5%", at each threshold.
        factor: speed-up at each threshold.
        thresholds: of the relative uncertainty of the first surrogate.
        ratio: second threshold over the first; None: one surrogate.
        chosen: the threshold that was chosen.
    """

    thresholds: list[FiniteFloat]
    ratio: FiniteFloat | None
    chosen: FiniteFloat
    tolerance: dict[str, list[FiniteFloat]]
    factor: list[FiniteFloat]


class SignedErrors(Frozen):
    """Points that the surrogates decide, per bin of log10|Delta|: those above and those below the exact amplitude.

    Attributes:
        edges: of bins of log10|Delta|.
        above: points predicted above the exact amplitude.
        below: points predicted below it.
    """

    edges: list[FiniteFloat]
    above: list[int]
    below: list[int]


def scan_thresholds(stages: Sequence[Stage], chosen: Sequence[float], exact_seconds: float, weights: Floats) -> Scan:
    """Move the chosen thresholds together, from hardly any point decided by the first stage to all of them."""
    sizes = np.quantile(stages[0].relative, [0.01, 1.0])
    grid = np.geomspace(max(sizes[0], 1e-12), max(sizes[1], 2e-12), _STEPS)
    ratio = chosen[1] / chosen[0] if len(chosen) == 2 and chosen[0] > 0 else None
    tolerance: dict[str, list[float]] = {name: [] for name in ACCURACIES}
    factor = []
    for first in grid:
        thresholds = [first] if len(stages) == 1 else [first, first * (1.0 if ratio is None else ratio)]
        for name, accuracy in ACCURACIES.items():
            found = outcome(stages, thresholds, accuracy, exact_seconds, weights)
            tolerance[name].append(found.tolerance)
        factor.append(found.factor)
    return Scan(thresholds=grid.tolist(), ratio=ratio, chosen=chosen[0], tolerance=tolerance, factor=factor)


def signed_errors(stages: Sequence[Stage], thresholds: Sequence[float]) -> SignedErrors:
    """Histograms of |Delta| of the decided points by the sign of Delta; what is beyond the axis is in its edge bins."""
    pieces: list[Floats] = [
        stage.delta[accepted] for stage, accepted in zip(stages, decide(stages, thresholds), strict=True)
    ]
    delta = np.concatenate(pieces)
    edges = np.linspace(*_DECADES, _BINS + 1)
    sizes = np.clip(np.log10(np.maximum(np.abs(delta), 10.0 ** _DECADES[0])), *_DECADES)
    above, below = (np.histogram(sizes[rows], edges)[0].tolist() for rows in (delta > 0, delta <= 0))
    return SignedErrors(edges=edges.tolist(), above=above, below=below)
