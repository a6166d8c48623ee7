"""What an evaluation compares: points whose exact amplitudes are known, and what a model says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ampcli.amplitudes.values import usable
from ampcli.errors import IntegrityError, UsageError
from ampcli.uncertainty.certificate import Certificate
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.weighted import Flags, Floats

_TINY = 1e-6  # s_ij / s may exceed its bounds, tried / n may miss 1, by rounding only


@dataclass(frozen=True)
class Sample:
    """n points of phase space.

    Attributes:
        exact: (n,) exact |M|^2 > 0; values of either sign, but not 0, where they are `signed`.
        errors: (n,) statistical errors of these, if they have any.
        min_sij: (n,) smallest s_ij / s of the point, dimensionless.
        tried: phase-space points tried to get these n (points that failed the cuts count as zeros), >= n.
        weight: (n,) phase-space weight >= 0, weight * exact in pb; None for points without such weights.
        density: (n,) what a row counts as a point of phase space, >= 0; None: all alike.
        share: (n,) what it counts as an event, >= 0, where that is known without weights in pb.
        variables: (n,) each, in whose bins coverage is shown (`ampcli.evaluation.coverage`).
    """

    exact: Floats
    min_sij: Floats
    tried: float
    weight: Floats | None = None
    density: Floats | None = None
    share: Floats | None = None
    variables: Mapping[str, Floats] = field(default_factory=dict)
    errors: Floats | None = None
    signed: bool = False

    @property
    def events(self) -> Floats | None:
        """(n,) what the points count as events: their parts of the cross section, which are positive."""
        return self.share if self.weight is None or self.signed else self.weight * self.exact

    def require_sound(self) -> None:
        """Refuse what cannot be right.

        Raises:
            UsageError: no points, a wrong shape, an impossible `tried`.
            IntegrityError: an impossible value; names the array and the first such row.
        """
        n = len(self.exact)
        columns = {"exact": self.exact, "min_sij": self.min_sij, "weight": self.weight, "errors": self.errors}
        columns |= {"density": self.density, "share": self.share, **self.variables}
        for name, column in columns.items():
            if column is not None:
                _require_column(name, column, None if name == "exact" else n)
        if not (math.isfinite(self.tried) and self.tried >= n * (1 - _TINY)):
            raise UsageError(f"tried = {self.tried:g} points cannot have given {n}: it must be at least that many")
        _reject(
            "min_sij",
            self.min_sij,
            (self.min_sij < -_TINY) | (self.min_sij > 1 + _TINY),
            "s_ij / s must be between 0 and 1",
        )
        bad = ~usable(self.exact, self.signed)
        _reject("exact", self.exact, bad, "it must not be 0" if self.signed else "an exact |M|^2 must be positive")
        for name, counts in (("density", self.density), ("share", self.share)):
            if counts is not None:
                _reject(name, counts, counts < 0, "a point cannot count less than nothing")
                if not counts.any():
                    raise IntegrityError(f"{name} is zero in all {n} rows: no point counts")
        if self.weight is not None:
            _require_weights(np.abs(self.exact), self.weight)


@dataclass(frozen=True)
class Trained:
    """The points as the training of a model sees them.

    Attributes:
        n_jets: (n,) number of exclusive k_T jets by its cuts.
        log_mean, log_std: of ln A on the training split.
        y_cut: the cut on s_ij / s, or None.
    """

    n_jets: Floats
    log_mean: float
    log_std: float
    y_cut: float | None = None

    @property
    def log_moments(self) -> tuple[float, float]:
        return self.log_mean, self.log_std

    def require_sound(self, n: int) -> None:
        """Refuse what cannot be right of n points.

        Raises:
            UsageError: a wrong shape, an impossible `y_cut` or `log_std`.
            IntegrityError: an impossible number of jets.
        """
        _require_column("n_jets", self.n_jets, n)
        if self.y_cut is not None and not 0 < self.y_cut <= 1:
            raise UsageError(f"y_cut = {self.y_cut:g} is a cut on s_ij / s: it must be above 0 and at most 1")
        if not (math.isfinite(self.log_mean) and math.isfinite(self.log_std) and self.log_std > 0):
            raise UsageError(
                f"log_mean = {self.log_mean:g} and log_std = {self.log_std:g} cannot standardise ln A",
                "They are the mean and standard deviation of ln A on the training split; are all equal?",
            )
        _reject("n_jets", self.n_jets, (self.n_jets < 0) | (self.n_jets != np.round(self.n_jets)), "it counts jets")


@dataclass(frozen=True)
class Claims:
    """What a model says of n points.

    Attributes:
        predicted: (n,) |M|^2 in the units of the exact one.
        uncertainty: (n,) 1-sigma uncertainty of `predicted` (0 = not known), or None.
        kind: how the model knows it.
        bare: (n,) as the model predicted it, where `uncertainty` is recalibrated.
        intervals: how many uncertainties hold "95" and "99" % of the errors, where that is known better.
        certificate: of the points.
        members: (R, n) predictions of an ensemble's members whose mean is `predicted`.
        reference: (n,) amplitudes to which the model learned the ratio, > 0, if it did.
    """

    predicted: Floats
    uncertainty: Floats | None = None
    kind: UncertaintyKind | None = None
    bare: Floats | None = None
    intervals: Mapping[str, float] | None = None
    certificate: Certificate | None = None
    members: NDArray[np.float64] | None = None
    reference: Floats | None = None

    def require_sound(self, exact: Floats) -> None:
        """Refuse what cannot be right of points of these amplitudes.

        Raises:
            UsageError: a wrong shape.
            IntegrityError: an impossible value; names the array and the first such row.
        """
        columns = {"predicted": self.predicted, "uncertainty": self.uncertainty, "bare uncertainty": self.bare}
        columns["reference"] = self.reference
        for name, column in columns.items():
            if column is not None:
                _require_column(name, column, len(exact))
        # Squares of these are summed later: what is off by 1e150 is refused here by name, not by an overflow.
        with np.errstate(over="ignore"):
            ratio, u = self.predicted / exact, self.uncertainty
            _reject("predicted / exact", ratio, ~np.isfinite(ratio**2), "this prediction is meaningless")
            if u is not None:
                _reject("uncertainty", u, u < 0, "a standard deviation cannot be negative")
                pull = np.divide(self.predicted - exact, u, out=np.zeros_like(exact), where=u > 0)
                _reject("(predicted - exact) / uncertainty", pull, ~np.isfinite(pull**2), "it overflows")


def _require_column(name: str, column: Floats, n: int | None) -> None:
    """Finite numbers of shape (n,), n >= 1."""
    if column.ndim != 1 or (n is not None and len(column) != n):
        raise UsageError(f"{name} has shape {column.shape}, not {'(n,)' if n is None else (n,)}")
    if len(column) == 0:
        raise UsageError("there are no points to evaluate: the split is empty", "Choose another split or store.")
    _reject(name, column, ~np.isfinite(column), "it must be finite")


def _require_weights(exact: Floats, weight: Floats) -> None:
    _reject("weight", weight, weight < 0, "a phase-space weight cannot be negative")
    with np.errstate(over="ignore"):
        part = weight * exact
        _reject("weight * exact", part, ~np.isfinite(part**2), "this cross-section is meaningless")
    if not (part > 0).any():
        raise IntegrityError(f"weight is zero in all {len(weight)} rows: there is no cross-section")


def _reject(name: str, values: Floats, bad: Flags, why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        count = int(np.count_nonzero(bad))
        raise IntegrityError(
            f"{name} is {values[row]:.6g} at row {row} ({count} of {len(values)} rows are like this): {why}"
        )
