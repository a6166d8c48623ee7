"""Whether a prediction interpolates: flags of points outside the region that a model was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from ampcli import weighted
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.registry.manifest import Manifest
from ampcli.store.measures import Measures
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.uncertainty.recalibration import recalibrated

BoolArray = npt.NDArray[np.bool_]

_SPREAD_QUANTILE = 0.999


@dataclass(frozen=True)
class Certificate:
    """Flags of n points, each (n,), by reason; reasons that a manifest says nothing about are left out.

    min_sij: some s_ij is below the training's cut (without a cut, below the smallest of the training points);
    jets: fewer exclusive jets than the training's selection asked for;
    cuts: a jet fails the training's cuts on pT, eta or Delta R;
    spread: the predicted relative uncertainty (an ensemble's: the standard error of its members) is larger than those
    of 99.9 % of the validation points, and of 99.9 % of the cross section where the validation points know it.
    """

    reasons: dict[str, BoolArray]
    points: int

    @property
    def outside(self) -> BoolArray:
        """Points that any reason flags, (n,): there a prediction is an extrapolation."""
        flagged = np.zeros(self.points, dtype=bool)
        for flags in self.reasons.values():
            flagged |= flags
        return flagged


class Prediction(tuple[FloatArray, FloatArray]):
    """Amplitude and uncertainty, (n,) each, of n points, with their certificate, which is found when asked for.

    Attributes:
        uncertainty_kind: how the model knows its uncertainty.
    """

    def __new__(
        cls,
        amplitude: FloatArray,
        uncertainty: FloatArray,
        uncertainty_kind: UncertaintyKind,
        certify: Callable[[], Certificate],
    ) -> Self:
        pair = super().__new__(cls, (amplitude, uncertainty))
        pair.uncertainty_kind = uncertainty_kind
        pair._certify = certify
        return pair

    uncertainty_kind: UncertaintyKind
    _certify: Callable[[], Certificate]

    @property
    def amplitude(self) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final)."""
        return self[0]

    @property
    def uncertainty(self) -> FloatArray:
        """One sigma of the amplitude, in its unit; NaN where it is not known."""
        return self[1]

    @cached_property
    def certificate(self) -> Certificate:
        """Why points are extrapolations."""
        return self._certify()

    @property
    def outside(self) -> BoolArray:
        """Which points are extrapolations, (n,)."""
        return self.certificate.outside


def relative_size(amplitude: FloatArray, uncertainty: FloatArray) -> FloatArray:
    """Relative uncertainties (n,)."""
    return np.asarray(uncertainty / np.maximum(np.abs(amplitude), np.finfo(float).tiny))


def certify(manifest: Manifest, process: Process, final: FloatArray, relative: FloatArray) -> Certificate:
    """Flags of final-state momenta (n, n_final, 4) in GeV with predicted relative uncertainties (n,)."""
    reasons = manifest.dataset.source.outside(final, process, manifest.region)
    largest = largest_usual(manifest)
    if largest is not None:
        reasons["spread"] = ~(relative <= largest)  # and where it is not known
    return Certificate(reasons, len(final))


def largest_usual(manifest: Manifest) -> float | None:
    """The relative uncertainty that 99.9 % of points and events do not exceed, recalibrated; None: not known."""
    largest = manifest.region.relative_uncertainty_999
    if largest is None or manifest.recalibration is None:
        return largest
    return float(recalibrated(torch.tensor([largest], dtype=torch.float64), manifest.recalibration))


def unusual_spread(kind: UncertaintyKind, relative: FloatArray, counted: Measures | None = None) -> float | None:
    """`Region.relative_uncertainty_999` from bare relative uncertainties (n,) predicted for validation points.

    Args:
        counted: what the points count.
    """
    if len(relative) == 0 or not kind.by_point:
        return None
    known = (counted or Measures()).known(len(relative))
    return max(weighted.quantile(relative, _SPREAD_QUANTILE, weight) for weight in known.values())
