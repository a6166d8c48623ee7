"""How an ensemble's mean gains from more members, and what its standard error covers (FAME, Sec. 2.4.2)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.evaluation.metrics import Floats, Proportion, proportion
from ampcli.records.base import Frozen


class Growth(Frozen):
    """Of the mean of the first `members` members.

    `covered`: fractions of the points whose error is within "1", "2" and "3" standard errors of that mean; a single
    member has none.

    Attributes:
        members: how many, from the first.
        median_abs_delta: median of |predicted / exact - 1|.
        mean_abs_delta: mean of |predicted / exact - 1|.
        rms_delta: root mean square of predicted / exact - 1.
        median_relative_error: standard error of their mean over the prediction; None for one member.
        covered: fractions of the points with an error within "1", "2", "3" standard errors.
    """

    members: int
    median_abs_delta: FiniteFloat
    mean_abs_delta: FiniteFloat
    rms_delta: FiniteFloat
    median_relative_error: FiniteFloat | None
    covered: dict[str, Proportion]


def growth(exact: Floats, members: NDArray[np.float64], weight: Floats | None = None) -> list[Growth]:
    """For 1, 2, ... R members.

    Args:
        exact: (n,) exact amplitudes, not 0; members: (R, n) predictions of the members, in their order.
        weight: (n,) what each point counts, >= 0; None: all alike.
    """
    found = []
    for count in range(1, len(members) + 1):
        chosen = members[:count]
        mean = chosen.mean(axis=0)
        size = np.abs(mean / exact - 1.0)
        error = chosen.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else None
        found.append(
            Growth(
                members=count,
                median_abs_delta=weighted.median(size, weight),
                mean_abs_delta=weighted.mean(size, weight),
                rms_delta=math.sqrt(weighted.mean(size**2, weight)),
                median_relative_error=None if error is None else weighted.median(error / np.abs(mean), weight),
                covered={}
                if error is None
                else {str(k): proportion(np.abs(mean - exact) <= k * error, weight) for k in (1, 2, 3)},
            )
        )
    return found
