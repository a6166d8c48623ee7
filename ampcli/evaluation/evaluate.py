"""One evaluation of a model on a split: everything the `eval` command reports, from plain arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat

from ampcli.errors import IntegrityError, UsageError
from ampcli.evaluation.calibration import Calibration, calibrate
from ampcli.evaluation.cross_section import CrossSection, integrate
from ampcli.evaluation.growth import Growth, growth
from ampcli.evaluation.metrics import Floats, Frozen, Metrics, measure
from ampcli.evaluation.regions import regions
from ampcli.inference.certificate import Certificate

_TINY = 1e-6  # s_ij / s may exceed its bounds, tried / n may miss 1, by rounding only


class Evaluation(Frozen):
    """What `evaluate` found.

    by_multiplicity: keys are numbers of exclusive k_T jets ("3", "4").
    by_certificate: points "inside" the training region, "outside" it, and those that each reason flags.
    growth: of the mean of an ensemble, with its members.
    """

    points: int
    y_cut: FiniteFloat | None
    overall: Metrics
    by_multiplicity: dict[str, Metrics]
    by_region: dict[str, Metrics]
    by_certificate: dict[str, Metrics]
    cross_section: CrossSection | None  # None where the points have no weights in pb
    calibration: Calibration | None
    before_recalibration: Calibration | None
    growth: list[Growth]


def evaluate(
    exact: ArrayLike,
    predicted: ArrayLike,
    uncertainty: ArrayLike | None,
    weight: ArrayLike | None,
    tried: float,
    n_jets: ArrayLike,
    min_sij: ArrayLike,
    y_cut: float | None,
    log_mean: float,
    log_std: float,
    bare_uncertainty: ArrayLike | None = None,
    intervals: Mapping[str, float] | None = None,
    certificate: Certificate | None = None,
    members: NDArray[np.float64] | None = None,
) -> Evaluation:
    """Compare n predictions with the exact amplitudes.

    Args:
        exact: (n,) exact |M|^2 > 0; predicted: (n,) in the same units.
        uncertainty: (n,) 1-sigma uncertainty of `predicted` (0 = not known), or None.
        weight: (n,) phase-space weight >= 0, weight * exact in pb; None for points without such weights.
        tried: phase-space points tried to get these n (points that failed the cuts count as zeros), >= n.
        n_jets: (n,) number of exclusive k_T jets.
        min_sij: (n,) smallest s_ij / s of the point, dimensionless.
        y_cut: the training points' cut on it, or None.
        log_mean, log_std: of ln A on the training split.
        bare_uncertainty: (n,) as the model predicted it, where `uncertainty` is recalibrated.
        intervals: see `calibrate`.
        certificate: of the points.
        members: (R, n) predictions of an ensemble's members whose mean is `predicted`.

    Raises:
        UsageError: no points, a wrong shape, an impossible `tried`, `y_cut` or `log_std`.
        IntegrityError: a value that cannot be right; names the array and the first such row.
    """
    a = _column("exact", exact, None)
    n = len(a)
    b = _column("predicted", predicted, n)
    u = None if uncertainty is None else _column("uncertainty", uncertainty, n)
    bare = None if bare_uncertainty is None else _column("bare_uncertainty", bare_uncertainty, n)
    w = None if weight is None else _column("weight", weight, n)
    jets = _column("n_jets", n_jets, n)
    s = _column("min_sij", min_sij, n)
    _check_numbers(n, tried, y_cut, log_mean, log_std)
    _reject("n_jets", jets, (jets < 0) | (jets != np.round(jets)), "it counts jets")
    _reject("min_sij", s, (s < -_TINY) | (s > 1 + _TINY), "s_ij / s must be between 0 and 1")
    _check_amplitudes(a, b, u, w)

    def part(rows: NDArray[np.bool_]) -> Metrics:
        return measure(a[rows], b[rows], log_mean, log_std)

    return Evaluation(
        points=n,
        y_cut=y_cut,
        overall=measure(a, b, log_mean, log_std),
        by_multiplicity={f"{k:.0f}": part(jets == k) for k in np.unique(jets)},
        by_region={name: part(rows) for name, rows in regions(s, y_cut)},
        by_certificate={} if certificate is None else _by_certificate(certificate, part),
        cross_section=None if w is None else integrate(a, b, u, w, float(tried)),
        calibration=None if u is None else calibrate(a, b, u, intervals),
        before_recalibration=None if bare is None else calibrate(a, b, bare),
        growth=[] if members is None else growth(a, members),
    )


def _by_certificate(certificate: Certificate, part: Callable[[NDArray[np.bool_]], Metrics]) -> dict[str, Metrics]:
    outside = certificate.outside
    parts = {"inside": ~outside, "outside": outside, **certificate.reasons}
    return {name: part(rows) for name, rows in parts.items() if rows.any()}


def _column(name: str, values: ArrayLike, n: int | None) -> Floats:
    """`values` as finite float64 of shape (n,), n >= 1."""
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or (n is not None and len(column) != n):
        raise UsageError(f"{name} has shape {column.shape}, not {'(n,)' if n is None else (n,)}")
    if len(column) == 0:
        raise UsageError("there are no points to evaluate: the split is empty", "Choose another split or store.")
    _reject(name, column, ~np.isfinite(column), "it must be finite")
    return column


def _reject(name: str, values: Floats, bad: NDArray[np.bool_], why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        count = int(np.count_nonzero(bad))
        raise IntegrityError(
            f"{name} is {values[row]:.6g} at row {row} ({count} of {len(values)} rows are like this): {why}"
        )


def _check_amplitudes(a: Floats, b: Floats, u: Floats | None, w: Floats | None) -> None:
    _reject("exact", a, a <= 0, "an exact |M|^2 must be positive")
    # Squares of these are summed later: what is off by 1e150 is refused here by name, not by an overflow.
    with np.errstate(over="ignore"):
        _reject("predicted / exact", b / a, ~np.isfinite((b / a) ** 2), "this prediction is meaningless")
        if u is not None:
            _reject("uncertainty", u, u < 0, "a standard deviation cannot be negative")
            pull = np.divide(b - a, u, out=np.zeros_like(a), where=u > 0)
            _reject("(predicted - exact) / uncertainty", pull, ~np.isfinite(pull**2), "it overflows")
    if w is not None:
        _check_weights(a, w)


def _check_weights(a: Floats, w: Floats) -> None:
    _reject("weight", w, w < 0, "a phase-space weight cannot be negative")
    with np.errstate(over="ignore"):
        _reject("weight * exact", w * a, ~np.isfinite((w * a) ** 2), "this cross-section is meaningless")
    if not (w * a > 0).any():
        raise IntegrityError(f"weight is zero in all {len(w)} rows: there is no cross-section")


def _check_numbers(n: int, tried: float, y_cut: float | None, log_mean: float, log_std: float) -> None:
    if not (math.isfinite(tried) and tried >= n * (1 - _TINY)):
        raise UsageError(f"tried = {tried:g} points cannot have given {n}: it must be at least that many")
    if y_cut is not None and not 0 < y_cut <= 1:
        raise UsageError(f"y_cut = {y_cut:g} is a cut on s_ij / s: it must be above 0 and at most 1")
    if not (math.isfinite(log_mean) and math.isfinite(log_std) and log_std > 0):
        raise UsageError(
            f"log_mean = {log_mean:g} and log_std = {log_std:g} cannot standardise ln A",
            "They are the mean and standard deviation of ln A on the training split; are all equal?",
        )
