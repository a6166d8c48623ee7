"""The mean of several networks and its standard error (FAME, Sec. 2.4.2)."""

from __future__ import annotations

import math

from torch import Tensor


def mean_and_error(members: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over R >= 2 members and the standard error of the mean; (R, n) -> (n,), (n,)."""
    return members.mean(0), members.std(0, correction=1) / math.sqrt(len(members))
