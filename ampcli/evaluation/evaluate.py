"""One evaluation of a model on a split: everything the `eval` command reports, from plain arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.errors import IntegrityError, UsageError
from ampcli.evaluation.calibration import Calibration, calibrate
from ampcli.evaluation.cross_section import CrossSection, integrate
from ampcli.evaluation.growth import Growth, growth
from ampcli.evaluation.metrics import Metrics, measure
from ampcli.evaluation.regions import regions
from ampcli.records.base import Frozen
from ampcli.uncertainty.certificate import Certificate
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.weighted import Flags, Floats

_TINY = 1e-6  # s_ij / s may exceed its bounds, tried / n may miss 1, by rounding only


class Measured(Frozen):
    """Averages in one measure (see `evaluate`).

    by_multiplicity: keys are numbers of exclusive k_T jets ("3", "4").
    by_certificate: points "inside" the training region, "outside" it, and those that each reason flags.
    growth: of the mean of an ensemble, with its members.
    seen: what has to be said about points that the model may have seen before.
    """

    effective_points: FiniteFloat  # Kish: as many of equal weight would fix averages as well
    overall: Metrics
    by_multiplicity: dict[str, Metrics]
    by_region: dict[str, Metrics]
    by_certificate: dict[str, Metrics]
    calibration: Calibration | None
    before_recalibration: Calibration | None
    growth: list[Growth]
    seen: tuple[str, ...] = ()


class Evaluation(Measured):
    """What `evaluate` found: over points of phase space, and in `events` over the cross section."""

    points: int
    y_cut: FiniteFloat | None
    uncertainty_kind: UncertaintyKind | None
    events: Measured | None  # None where nobody knows what the points are events of
    cross_section: CrossSection | None


@dataclass(frozen=True)
class _Points:
    """Everything that is averaged, (n,) each; members (R, n)."""

    exact: Floats
    predicted: Floats
    uncertainty: Floats | None
    bare: Floats | None
    jets: Floats
    regions: list[tuple[str, Flags]]
    certificate: Certificate | None
    members: NDArray[np.float64] | None
    log_moments: tuple[float, float]
    intervals: Mapping[str, float] | None

    def measured(self, weight: Floats | None) -> Measured:
        weight = weighted.significant(weight)

        def parts(groups: Iterable[tuple[str, Flags]]) -> dict[str, Metrics]:
            counted = ((name, rows) for name, rows in groups if (rows if weight is None else weight[rows]).any())
            return {
                name: measure(self.exact, self.predicted, *self.log_moments, weight, rows) for name, rows in counted
            }

        def calibration(uncertainty: Floats | None, intervals: Mapping[str, float] | None = None) -> Calibration | None:
            if uncertainty is None:
                return None
            return calibrate(self.exact, self.predicted, uncertainty, intervals, weight)

        return Measured(
            effective_points=weighted.effective_number(weight, len(self.exact)),
            overall=measure(self.exact, self.predicted, *self.log_moments, weight),
            by_multiplicity=parts((f"{k:.0f}", self.jets == k) for k in np.unique(self.jets)),
            by_region=parts(self.regions),
            by_certificate={} if self.certificate is None else parts(_flags(self.certificate)),
            calibration=calibration(self.uncertainty, self.intervals),
            before_recalibration=calibration(self.bare),
            growth=[] if self.members is None else growth(self.exact, self.members, weight),
        )


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
    density: ArrayLike | None = None,
    share: ArrayLike | None = None,
    uncertainty_kind: UncertaintyKind | None = None,
) -> Evaluation:
    """Compare n predictions with the exact amplitudes, in two measures.

    *Points* of phase space count by `density`; *events* by weight * exact, their part of the cross section.

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
        density: (n,) what a row counts as a point of phase space, >= 0; None: all alike.
        share: (n,) what it counts as an event, >= 0, where that is known without weights in pb.
        uncertainty_kind: how the model knows `uncertainty`.

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
    d = None if density is None else _column("density", density, n)
    e = None if share is None else _column("share", share, n)
    jets = _column("n_jets", n_jets, n)
    s = _column("min_sij", min_sij, n)
    _check_numbers(n, tried, y_cut, log_mean, log_std)
    _reject("n_jets", jets, (jets < 0) | (jets != np.round(jets)), "it counts jets")
    _reject("min_sij", s, (s < -_TINY) | (s > 1 + _TINY), "s_ij / s must be between 0 and 1")
    _check_amplitudes(a, b, u, w)
    for name, counts in (("density", d), ("share", e)):
        if counts is not None:
            _reject(name, counts, counts < 0, "a point cannot count less than nothing")
            if not counts.any():
                raise IntegrityError(f"{name} is zero in all {n} rows: no point counts")
    if w is not None:
        e = w * a
    points = _Points(a, b, u, bare, jets, list(regions(s, y_cut)), certificate, members, (log_mean, log_std), intervals)
    return Evaluation(
        **dict(points.measured(d)),
        points=n,
        y_cut=y_cut,
        uncertainty_kind=uncertainty_kind,
        events=None if e is None else points.measured(e),
        cross_section=None if w is None else integrate(a, b, u, w, float(tried)),
    )


def _flags(certificate: Certificate) -> Iterator[tuple[str, Flags]]:
    outside = certificate.outside
    yield from {"inside": ~outside, "outside": outside, **certificate.reasons}.items()


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
