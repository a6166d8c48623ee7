"""Cross-sections of the exact and the predicted amplitudes on the same points (FAME, arXiv:2107.06625).

sigma = sum_i w_i A_i / N with N the points tried: those that failed the cuts or the unweighting are zeros.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.evaluation.metrics import Floats
from ampcli.records.base import Frozen
from ampcli.store.measures import ENOUGH

_CURVE_POINTS = 50


class Curve(Frozen):
    """Agreement as the sample grows; relative to the exact cross-section of the same points.

    Attributes:
        points: sizes of the sample.
        relative_difference: predicted / exact cross section - 1, signed.
        monte_carlo_error: statistical error of the exact cross section over itself.
    """

    points: list[int]
    relative_difference: list[FiniteFloat]
    monte_carlo_error: list[FiniteFloat]


class CrossSection(Frozen):
    """Both cross-sections in pb (if the weights are) with 1-sigma errors.

    The two share their points, so `relative_difference` is known far better than either: its error comes from the
    spread of the differences, and from what points could change that are not among these: the largest |Delta| times
    the largest part of the cross section that a single point has (much, where `effective_events` is small).  The
    network's own uncertainty is given for its two extremes, the same misprediction everywhere (correlated, linear sum)
    and independent ones (uncorrelated, sum of squares).

    Attributes:
        points: that were summed.
        effective_events: as many events of equal weight fix the cross section as well (Kish).
        tried: points tried for them.
        sigma_exact: of exact amplitudes, pb.
        sigma_exact_error: its statistical error, pb.
        sigma_network: of predictions at the same points, pb.
        sigma_network_error: its statistical error, pb.
        relative_difference: sigma_network / sigma_exact - 1.
        relative_difference_error: its error.
        error_is_lower_bound: of all Monte Carlo errors: too few effective events to know the tail.
        network_error_correlated: relative, if all mispredictions have one sign; None without uncertainties.
        network_error_uncorrelated: relative, if they are independent; None without uncertainties.
        curve: the same as the sample grows.
    """

    points: int
    effective_events: FiniteFloat
    tried: FiniteFloat
    sigma_exact: FiniteFloat
    sigma_exact_error: FiniteFloat
    sigma_network: FiniteFloat
    sigma_network_error: FiniteFloat
    relative_difference: FiniteFloat
    relative_difference_error: FiniteFloat
    error_is_lower_bound: bool
    network_error_correlated: FiniteFloat | None
    network_error_uncorrelated: FiniteFloat | None
    curve: Curve


def integrate(
    exact: Floats, predicted: Floats, uncertainty: Floats | None, weight: Floats, tried: float
) -> CrossSection:
    """Cross-sections from n points in random order (the order matters for the curve only).

    Args:
        exact, predicted: (n,) amplitudes; uncertainty: (n,) of `predicted`, or None.
        weight: (n,) >= 0 with pb as the unit of weight * amplitude, not all zero (`evaluate` checks).
        tried: number of points tried for these n, >= n.
    """
    f, g = weight * exact, weight * predicted
    sigma_exact, sigma_exact_error = monte_carlo(f, tried)
    sigma_network, sigma_network_error = monte_carlo(g, tried)
    difference = _relative_difference(f, g)
    effective = weighted.effective_number(f / f.max(), len(f))
    spread = None if uncertainty is None else weight * uncertainty
    return CrossSection(
        points=len(f),
        effective_events=effective,
        tried=tried,
        sigma_exact=sigma_exact,
        sigma_exact_error=sigma_exact_error,
        sigma_network=sigma_network,
        sigma_network_error=sigma_network_error,
        relative_difference=difference,
        relative_difference_error=_relative_difference_error(f, g, difference),
        error_is_lower_bound=effective < ENOUGH,
        network_error_correlated=None if spread is None else float(spread.sum() / tried),
        network_error_uncorrelated=None if spread is None else float(np.linalg.norm(spread) / tried),
        curve=_curve(f, g, tried),
    )


def monte_carlo(f: Floats, tried: float) -> tuple[float, float]:
    """Mean of (n,) values over `tried` >= n points and its error; the tried - n missing values are zeros.

    The variance is (sum f^2 / N - mean^2) / N, summed as squares of deviations so that it cannot be negative.
    """
    mean = float(f.sum() / tried)
    squares = float(np.sum((f - mean) ** 2)) + max(tried - len(f), 0.0) * mean**2
    return mean, math.sqrt(squares) / tried


def _relative_difference(f: Floats, g: Floats) -> float:
    # The sum of differences, not the difference of sums: nothing cancels when the two agree to many digits.
    return float((g - f).sum() / f.sum())


def _relative_difference_error(f: Floats, g: Floats, difference: float) -> float:
    """To first order, residuals of the paired values around the ratio of sums; and what is unseen.

    Where few points carry the sum, others that would carry as much are not among these, and the residuals do not know
    them: one point of the largest f may be missing, and be as wrong as the worst that is there.
    """
    paired = float(np.linalg.norm(g - f - difference * f) / f.sum())
    counted = f > 0
    unseen = float(f.max() / f.sum() * np.abs(g[counted] / f[counted] - 1).max())
    return math.hypot(paired, unseen)


def _curve(f: Floats, g: Floats, tried: float) -> Curve:
    n = len(f)
    counts = sorted({max(1, n * i // _CURVE_POINTS) for i in range(1, _CURVE_POINTS + 1)})
    points, differences, errors = [], [], []
    for k in counts:
        sigma, error = monte_carlo(f[:k], tried * k / n)
        if sigma > 0:  # no cross-section yet where the first points all have weight zero
            points.append(k)
            differences.append(_relative_difference(f[:k], g[:k]))
            errors.append(error / sigma)
    return Curve(points=points, relative_difference=differences, monte_carlo_error=errors)
