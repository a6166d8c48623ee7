"""Errors of predictions in standard deviations, where exact values may have statistical errors of their own."""

from __future__ import annotations

import numpy as np

from ampcli.weighted import Floats

#: How many uncertainties hold 68.27, 95 and 99 % of the errors, if these are Gaussian.
GAUSSIAN = {"68": 1.0, "95": 1.959964, "99": 2.575829}


def own_errors(difference: Floats, errors: Floats | None, deviations: float) -> Floats:
    """Sizes of predicted - exact (n,) less what statistical errors (n,) of the exact values add to it.

    |difference| is within so many standard deviations of both together if and only if this is within as many of the
    model's own: the squares of both add up.

    Args:
        errors: in the unit of the differences; None: exact values have none.
    """
    if errors is None:
        return np.abs(difference)
    return np.sqrt(np.maximum(difference**2 - (deviations * errors) ** 2, 0.0))


def informative(uncertainty: Floats, errors: Floats | None) -> Floats:
    """How many points without statistical errors would tell as much of uncertainties as each of these: (n,), 0 to 1.

    Args:
        uncertainty: (n,), NaN where it is not known.
        errors: of the exact values, (n,); None: they have none.
    """
    if errors is None:
        return np.where(np.isnan(uncertainty), 0.0, 1.0)
    share = np.nan_to_num(uncertainty) ** 2
    return np.asarray((share / (share + errors**2)) ** 2)
