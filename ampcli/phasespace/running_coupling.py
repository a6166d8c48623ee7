"""The running of alpha_s: by the beta function of QCD, or along the values that a set of parton densities brings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray

_ZETA3 = 1.2020569031595943
_STEP = 0.05  # in ln mu^2, of the integration
_LOWEST, _HIGHEST = 0.5, 1e6  # GeV
_STRONG = 1.0  # the perturbative running ends there

#: Loops of the beta function that are known here.
LOOPS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Running:
    """How alpha_s runs from its value at m_z; the default is one loop with five flavours.

    Attributes:
        loops: of the beta function.
        m_z: where the value is given, GeV.
        flavours: the largest number of them.
        thresholds: scales in GeV from which there are 4, 5, 6 flavours; none: `flavours` at all scales.
        scales: GeV, of a set's own values, ascending; a scale that stands there twice is a threshold.
        values: alpha_s at these scales, which then replace the beta function.
    """

    loops: int = 1
    m_z: float = 91.188
    flavours: int = 5
    thresholds: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


ONE_LOOP = Running()


def beta_coefficients(loops: int, flavours: int) -> tuple[float, ...]:
    """b_0, b_1, ... of d alpha_s / d ln mu^2 = - sum_k b_k alpha_s^(k + 2) in the MS-bar scheme.

    T. van Ritbergen, J. Vermaseren, S. Larin, Phys. Lett. B400 (1997) 379.
    """
    n = flavours
    four = 149753 / 6 + 3564 * _ZETA3 - (1078361 / 162 + 6508 / 27 * _ZETA3) * n
    four += (50065 / 162 + 6472 / 81 * _ZETA3) * n**2 + 1093 / 729 * n**3
    sums = (11 - 2 * n / 3, 102 - 38 * n / 3, 2857 / 2 - 5033 * n / 18 + 325 * n**2 / 54, four)
    return tuple(value / (4 * math.pi) ** (k + 1) for k, value in enumerate(sums[:loops]))


def running_alpha_s(scale: FloatArray, at_z: float, running: Running = ONE_LOOP) -> FloatArray:
    """alpha_s at scales (n,) in GeV; `at_z` is its value at M_Z (a set's own values have theirs).

    Raises:
        UsageError: a scale below which the coupling is not perturbative.
    """
    if running.loops == 1 and not running.thresholds and not running.scales:
        slope = (33 - 2 * running.flavours) / (12 * math.pi)
        inverse = 1 + at_z * slope * np.log(scale**2 / running.m_z**2)
        if (inverse <= at_z / _STRONG).any():
            raise _too_low(float(scale.min()))
        return np.asarray(at_z / inverse)
    pieces = _tabulated(running) if running.scales else _integrated(at_z, running)
    first, last = pieces[0], pieces[-1]
    log2 = 2 * np.log(scale)
    inside = _cubic(np.clip(log2, first[0], last[1]), pieces)
    if not running.scales:
        if (log2 < first[0]).any():
            raise _too_low(float(scale.min()))
        return inside
    # beyond its values as LHAPDF: a power of the scale below, frozen above
    power = math.log(first[3] / first[2]) / (first[1] - first[0])
    return np.asarray(inside * np.exp(power * np.minimum(log2 - first[0], 0)))


def _too_low(scale: float) -> UsageError:
    return UsageError(
        f"alpha_s is not perturbative at {scale:.3g} GeV", f"Give a larger {setting('scale')} or {setting('pt_min')}."
    )


# Cubic pieces (k, 6) in ln mu^2, ascending: both ends, both values, both slopes.


def _cubic(at: FloatArray, pieces: FloatArray) -> FloatArray:
    """Values of Hermite's cubics."""
    piece = np.maximum(np.searchsorted(pieces[:, 0], at, side="right") - 1, 0)
    start, end, low, high, slope, slope_end = pieces[piece].T
    width = end - start
    t = (at - start) / width
    one, other, rise = slope * width, slope_end * width, high - low
    return np.asarray(low + t * (one + t * (3 * rise - 2 * one - other + t * (one + other - 2 * rise))))


@lru_cache
def _tabulated(running: Running) -> FloatArray:
    """Through a set's values as LHAPDF: slopes are the mean of the differences to both sides, or that of one side."""
    pieces = []
    edges = [0, *(k for k in range(1, len(running.scales)) if running.scales[k] == running.scales[k - 1])]
    for begin, stop in zip(edges, [*edges[1:], len(running.scales)], strict=True):
        log2, value = 2 * np.log(running.scales[begin:stop]), np.array(running.values[begin:stop])
        difference = np.diff(value) / np.diff(log2)
        slope = np.concatenate([difference[:1], (difference[1:] + difference[:-1]) / 2, difference[-1:]])
        pieces.append(np.stack([log2[:-1], log2[1:], value[:-1], value[1:], slope[:-1], slope[1:]], axis=1))
    return np.concatenate(pieces)


@lru_cache
def _integrated(at_z: float, running: Running) -> FloatArray:
    """The solution of the renormalisation group equation (Runge-Kutta), from M_Z both ways."""
    down = [(end, start, high, low, slope_end, slope) for start, end, low, high, slope, slope_end in
            _march(at_z, running, _LOWEST)]  # fmt: skip
    return np.array([*reversed(down), *_march(at_z, running, _HIGHEST)])


def _march(at_z: float, running: Running, until: float) -> Iterator[tuple[float, ...]]:
    """Pieces from M_Z to a scale, or to where the coupling is strong."""
    t, value, end = 2 * math.log(running.m_z), at_z, 2 * math.log(until)
    sign = math.copysign(1, end - t)
    thresholds = [2 * math.log(q) for q in running.thresholds]
    stops = sorted((edge for edge in thresholds if t * sign < edge * sign < end * sign), key=lambda edge: edge * sign)
    for stop in [*stops, end]:
        light = 3 + sum(edge < (t + stop) / 2 for edge in thresholds) if thresholds else running.flavours
        coefficients = beta_coefficients(running.loops, min(light, running.flavours))
        steps = max(1, math.ceil(abs(stop - t) / _STEP))
        h = (stop - t) / steps
        for _ in range(steps):
            before, slope = value, _slope(value, coefficients)
            two = _slope(value + h / 2 * slope, coefficients)
            three = _slope(value + h / 2 * two, coefficients)
            value += h / 6 * (slope + 2 * two + 2 * three + _slope(value + h * three, coefficients))
            if not 0 < value < _STRONG:
                return
            yield t, t + h, before, value, slope, _slope(value, coefficients)
            t += h


def _slope(alpha: float, coefficients: tuple[float, ...]) -> float:
    return -sum(b * alpha ** (k + 2) for k, b in enumerate(coefficients))
