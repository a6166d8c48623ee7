"""Bounds on how far a mixture of exact and surrogate amplitudes may bias any distribution."""

from __future__ import annotations

import math

import numpy as np
from pydantic import FiniteFloat

from ampcli.evaluation.metrics import Floats
from ampcli.records.base import Frozen
from ampcli.speedup.certify import LEVEL


class Bounds(Frozen):
    """How far any observable can be off, from the events that surrogates decide (AS, Eqs. 20 to 24).

    Attributes:
        correlated: the largest |Delta|: if all errors were as large and of one sign.
        uncorrelated: the same, if errors are independent.
        beyond: at 95 % confidence, no larger share of unseen events is decided with a larger |Delta|.
        predicted: the largest predicted relative uncertainty (1 sigma), which is no bound.
        effective_events: that the uncorrelated one stands for.
    """

    correlated: FiniteFloat
    uncorrelated: FiniteFloat
    beyond: FiniteFloat
    predicted: FiniteFloat
    effective_events: FiniteFloat


def bounds(weights: Floats, delta: Floats, relative: Floats) -> Bounds:
    """From event weights, relative errors and predicted uncertainties (n,), 0 where the amplitude is exact."""
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    worst = float(np.abs(delta).max(initial=0.0))
    return Bounds(
        correlated=worst,
        uncorrelated=worst / np.sqrt(effective),
        beyond=-math.expm1(math.log(LEVEL) / len(delta)),
        predicted=float(relative.max(initial=0.0)),
        effective_events=effective,
    )
