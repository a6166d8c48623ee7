"""How a model knows its uncertainty: one answer for predictions, certificates, evaluation and mixtures."""

from __future__ import annotations

from enum import StrEnum


class UncertaintyKind(StrEnum):
    """Where the uncertainties of a model's predictions come from.

    OWN: the networks predict one for each point (also combined by their covariance).
    ENSEMBLE: the standard error of the members' mean: how much they differ, not what all get wrong alike.
    TYPICAL: one relative size for all points, the 68 % quantile of |Delta| on validation points; it cannot tell a good
    prediction from a bad one.
    NONE: not known; the uncertainties are NaN.
    """

    OWN = "own"
    ENSEMBLE = "ensemble"
    TYPICAL = "typical"
    NONE = "none"

    @property
    def by_point(self) -> bool:
        """Whether it tells good predictions from bad ones."""
        return self in (UncertaintyKind.OWN, UncertaintyKind.ENSEMBLE)

    def described(self, calibrated: bool) -> str:
        """In words; `calibrated`: by a model's own recalibration on validation points."""
        if self is UncertaintyKind.ENSEMBLE and not calibrated:
            return "the standard error of the members' mean, not calibrated: errors that all share are not in it"
        words = {
            UncertaintyKind.OWN: "the model's own, for each point",
            UncertaintyKind.ENSEMBLE: "the standard error of the members' mean",
            UncertaintyKind.TYPICAL: "typical: the same relative size at all points, since the model predicts none",
            UncertaintyKind.NONE: "not known",
        }[self]
        return f"{words}, calibrated" if calibrated and self.by_point else words
