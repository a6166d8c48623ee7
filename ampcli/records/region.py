"""Where the points lie that a model was trained on."""

from __future__ import annotations

from ampcli.records.base import Frozen


class Region(Frozen):
    """What training and validation points say about where a model interpolates.

    Attributes:
        log_amplitude_std: standard deviation of ln|M|^2 over the training split.
    """

    log_amplitude_mean: float
    """Of ln|M|^2 over the training split."""
    log_amplitude_std: float
    min_sij_over_s: float | None = None
    """The smallest of the training points; None where their energy varies."""
    relative_uncertainty_999: float | None = None
    """What 99.9 % of the validation points' relative uncertainties do not exceed, before the recalibration, which keeps
    their order; the share is one of points of phase space and one of events.  None where they tell no points apart."""
