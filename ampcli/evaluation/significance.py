"""Whether one model is better than another, or was only luckier: both are asked about the same points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np

from ampcli.errors import UsageError, setting
from ampcli.evaluation.comparison import Comparison
from ampcli.text_table import with_error
from ampcli.weighted import Floats

_CLEAR = 3.0  # standard errors from which on a difference is called one


@dataclass(frozen=True)
class Paired:
    """|Delta| of a first model minus that of a second one, point by point; their common scatter drops out.

    Attributes:
        difference: the mean of |Delta_1| - |Delta_2|; negative: the first is better.
        error: its standard error, from the scatter of the differences.
        closer: share of the points where the first is closer to the exact amplitude (half of those where both are
            alike); closer_error: its standard error.
        closer_sigma: how far this is from a half, in standard errors that it would have there (a sign test).
    """

    difference: float
    error: float
    closer: float
    closer_error: float
    closer_sigma: float

    @property
    def sigma(self) -> float:
        """The difference in standard errors; 0 where there is none."""
        return self.difference / self.error if self.error > 0 else 0.0


def paired(first: Floats, second: Floats, weight: Floats | None = None) -> Paired:
    """Compare two models on the same n points.

    Args:
        first, second: (n,) predicted/exact - 1.
        weight: (n,) what the points count, >= 0; None: all alike.

    Raises:
        UsageError: fewer than two points.
    """
    if len(first) < 2:
        raise UsageError("one point says nothing about a difference", "Take a store with more test points.")
    share = np.full(len(first), 1.0) if weight is None else weight
    share = share / share.sum()
    one, other = np.abs(first), np.abs(second)
    sign = np.sign(other - one)

    def mean_and_error(values: Floats) -> tuple[float, float]:
        mean = float(share @ values)
        return mean, sqrt(float(share**2 @ (values - mean) ** 2))

    ahead, error = mean_and_error(sign)
    chance = sqrt(float(share**2 @ sign**2))  # the error of `ahead`, if it were 0
    return Paired(*mean_and_error(one - other), (1 + ahead) / 2, error / 2, ahead / chance if chance > 0 else 0.0)


@dataclass(frozen=True)
class Pair:
    """Two models on the same points.

    Attributes:
        measure: what the points count as: "points" of phase space, or "events".
    """

    first: str
    second: str
    measure: str
    found: Paired

    @property
    def document(self) -> dict[str, Any]:
        """With the names of both."""
        both = {"first": self.first, "second": self.second, "measure": self.measure}
        return both | asdict(self.found) | {"sigma": self.found.sigma}

    @property
    def text(self) -> str:
        """In a line, in per cent."""
        found = self.found
        if abs(found.sigma) < _CLEAR:
            verdict = "no clear difference"
        else:
            verdict = f"{self.first if found.difference < 0 else self.second} is better"
        return (
            f"{self.first} and {self.second}, {self.measure}: {verdict}; mean |Delta| differs by "
            f"{with_error(abs(found.difference), found.error, 100)} % ({abs(found.sigma):.1f} sigma, paired); "
            f"{self.first} is closer at {with_error(found.closer, found.closer_error, 100)} % of them "
            f"({abs(found.closer_sigma):.1f} sigma)"
        )


def pairs(comparisons: Mapping[str, Comparison]) -> list[Pair]:
    """The first model with each of the others, by what the points count, where that is known well.

    Raises:
        UsageError: one model alone, or models whose test points are others.
    """
    (first, one), *others = comparisons.items()
    if not others:
        raise UsageError(
            f"{first} alone: nothing to compare it with", "Name two models or more, or take `ampcli eval`."
        )
    found = []
    for second, other in others:
        if not np.array_equal(one.min_sij, other.min_sij):
            raise UsageError(
                f"{first} and {second} split this store in different ways: their test points are not the same",
                f"Compare them on a store that neither was trained on, with {setting('split')} all.",
            )
        for measure, weight in one.measures.known(len(one.delta)).items():
            found.append(Pair(first, second, measure, paired(one.delta, other.delta, weight)))
    return found
