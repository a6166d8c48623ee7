"""One evaluation of a model: everything the `eval` command reports, from plain arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from pydantic import FiniteFloat

from ampcli import weighted
from ampcli.evaluation.calibration import Calibration, calibrate
from ampcli.evaluation.compared import Claims, Sample, Trained
from ampcli.evaluation.coverage import CoverageBin, coverage_in_bins
from ampcli.evaluation.cross_section import CrossSection, integrate
from ampcli.evaluation.growth import Growth, growth
from ampcli.evaluation.metrics import Metrics, measure
from ampcli.evaluation.noise import LabelNoise, label_noise
from ampcli.evaluation.reference import OverReference, over_reference
from ampcli.evaluation.regions import regions
from ampcli.records.base import Frozen
from ampcli.uncertainty.certificate import Certificate, relative_size
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.weighted import Flags, Floats


class Measured(Frozen):
    """Averages in one measure (see `evaluate`).

    Attributes:
        by_multiplicity: keys are numbers of exclusive k_T jets ("3", "4").
        by_certificate: points "inside" the training region, "outside" it, and those that each reason flags.
        calibration_by_certificate: of the same points.
        coverage: in bins of the variables of `ampcli.evaluation.coverage`, of models with an uncertainty of their own.
        growth: of the mean of an ensemble, with its members.
        noise: where the exact values have statistical errors.
        over_reference: of models that learned the ratio to a reference amplitude.
        seen: what has to be said about points that the model may have seen before.
        effective_points: as many points of equal weight fix averages as well (Kish).
        overall: all points.
        by_region: white, pink, blue: nothing, one pair or more below the cut on s_ij / s.
        calibration: of predicted uncertainties; None without any.
        before_recalibration: the same without the model's recalibration; None where it has none.
    """

    effective_points: FiniteFloat
    overall: Metrics
    by_multiplicity: dict[str, Metrics]
    by_region: dict[str, Metrics]
    by_certificate: dict[str, Metrics]
    calibration: Calibration | None
    before_recalibration: Calibration | None
    calibration_by_certificate: dict[str, Calibration]
    coverage: dict[str, list[CoverageBin]]
    growth: list[Growth]
    noise: LabelNoise | None = None
    over_reference: OverReference | None = None
    seen: tuple[str, ...] = ()


class Evaluation(Measured):
    """What `evaluate` found: over points of phase space, and in `events` over the cross section.

    Attributes:
        points: that were evaluated.
        y_cut: cut on min s_ij / s that regions are relative to; None where there is none.
        uncertainty_kind: what the model's uncertainties are; None without any.
        events: the same averages over the cross section; None where nobody knows what the points are events of.
        cross_section: sums of exact and predicted amplitudes; None where there is no such sum.
    """

    points: int
    y_cut: FiniteFloat | None
    uncertainty_kind: UncertaintyKind | None
    events: Measured | None
    cross_section: CrossSection | None


def evaluate(sample: Sample, trained: Trained, claims: Claims) -> Evaluation:
    """Compare what a model says of points with their exact amplitudes, in two measures.

    *Points* of phase space count by `Sample.density`; *events* by weight * exact, their part of the cross section.

    Raises:
        UsageError: no points, a wrong shape, an impossible number.
        IntegrityError: a value that cannot be right; names the array and the first such row.
    """
    sample.require_sound()
    n = len(sample.exact)
    trained.require_sound(n)
    claims.require_sound(sample.exact)
    events = sample.events
    section = None
    if sample.weight is not None and not sample.signed:
        section = integrate(sample.exact, claims.predicted, claims.uncertainty, sample.weight, float(sample.tried))
    return Evaluation(
        **dict(measured(sample, trained, claims, sample.density)),
        points=n,
        y_cut=trained.y_cut,
        uncertainty_kind=claims.kind,
        events=None if events is None else measured(sample, trained, claims, events),
        cross_section=section,
    )


def measured(sample: Sample, trained: Trained, claims: Claims, weight: Floats | None) -> Measured:
    """Averages in which the points count as their (n,) weights say; None: all alike."""
    weight = weighted.significant(weight)
    exact, predicted, errors = sample.exact, claims.predicted, sample.errors

    def parts(groups: Iterable[tuple[str, Flags]]) -> dict[str, Metrics]:
        counted = ((name, rows) for name, rows in groups if (rows if weight is None else weight[rows]).any())
        return {name: measure(exact, predicted, *trained.log_moments, weight, rows) for name, rows in counted}

    def calibration(uncertainty: Floats | None, intervals: Mapping[str, float] | None = None) -> Calibration | None:
        return None if uncertainty is None else calibrate(exact, predicted, uncertainty, intervals, weight, errors)

    def of_part(rows: Flags) -> Calibration | None:
        if claims.uncertainty is None or not rows.any():
            return None
        own = exact[rows], predicted[rows], claims.uncertainty[rows]
        return calibrate(*own, claims.intervals, weighted.part(weight, rows), weighted.part(errors, rows))

    flags = {} if claims.certificate is None else dict(_flags(claims.certificate))
    by_flag = {name: of_part(rows) for name, rows in flags.items()}
    return Measured(
        effective_points=weighted.effective_number(weight, len(exact)),
        overall=measure(exact, predicted, *trained.log_moments, weight),
        by_multiplicity=parts((f"{k:.0f}", trained.n_jets == k) for k in np.unique(trained.n_jets)),
        by_region=parts(regions(sample.min_sij, trained.y_cut)),
        by_certificate=parts(flags.items()),
        calibration=calibration(claims.uncertainty, claims.intervals),
        before_recalibration=calibration(claims.bare),
        calibration_by_certificate={name: found for name, found in by_flag.items() if found is not None},
        coverage=_coverage(sample, claims, weight),
        growth=[] if claims.members is None else growth(exact, claims.members, weight),
        noise=None if errors is None else label_noise(exact, predicted, errors, weight),
        over_reference=None if claims.reference is None else over_reference(exact, predicted, claims.reference, weight),
    )


def _coverage(sample: Sample, claims: Claims, weight: Floats | None) -> dict[str, list[CoverageBin]]:
    if claims.uncertainty is None or claims.kind is None or not claims.kind.by_point:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):  # 0: not known
        pulls = (claims.predicted - sample.exact) / claims.uncertainty
        noise = None if sample.errors is None else sample.errors / claims.uncertainty
    own = {"log_amplitude": np.log(np.abs(sample.exact))}
    own["relative_uncertainty"] = relative_size(claims.predicted, claims.uncertainty)
    return coverage_in_bins({**sample.variables, **own}, pulls, claims.intervals, weight, noise)


def _flags(certificate: Certificate) -> Iterator[tuple[str, Flags]]:
    outside = certificate.outside
    yield from {"inside": ~outside, "outside": outside, **certificate.reasons}.items()
