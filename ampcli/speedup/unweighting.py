"""Two-stage unweighting: what a surrogate gains that proposes events, of which the exact amplitude accepts some.

K. Danziger et al., "Accelerating Monte Carlo event generation" (2021), arXiv:2109.11964.
"""

from __future__ import annotations

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats
from ampcli.phasespace.hadron_sampler import excess_threshold
from ampcli.records.base import Frozen


class Unweighting(Frozen):
    """Two-stage unweighting against unweighting with exact amplitudes alone.

    Attributes:
        exact_efficiency: accepted over tried events with exact amplitudes alone.
        first_efficiency, second_efficiency: of the surrogate's proposals, and of the exact amplitude among these.
        factor: time per unbiased event with exact amplitudes alone, over that of two stages.
    """

    exact_efficiency: FiniteFloat
    first_efficiency: FiniteFloat
    second_efficiency: FiniteFloat
    factor: FiniteFloat


def two_stage_unweighting(
    weights: Floats, delta: Floats, surrogate_seconds: float, exact_seconds: float, excess: float = 0.003
) -> Unweighting:
    """The gain of a surrogate that proposes events, which the exact amplitude then accepts.

    Args:
        weights: integrand of weighted points within the cuts, exact, in any unit, (n,).
        delta: predicted / exact - 1 of the surrogate, (n,).
        surrogate_seconds, exact_seconds: per event.
        excess: share of each stage's sum that may lie above its maximum.
    """
    proposed = weights * np.maximum(1.0 + delta, 0.0)
    ratios = np.where(proposed > 0, weights / np.maximum(proposed, np.finfo(float).tiny), 0.0)
    exact = float(weights.mean()) / excess_threshold(weights, excess)
    first = float(proposed.mean()) / excess_threshold(proposed, excess)
    second = float(weights.sum() / proposed.sum()) / excess_threshold(ratios, excess, proposed)
    return Unweighting(
        exact_efficiency=exact,
        first_efficiency=first,
        second_efficiency=second,
        factor=(exact_seconds / exact) * second / (surrogate_seconds / first + exact_seconds),
    )
