"""Using trained models: momenta in, amplitudes and uncertainties out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.amplitudes.providers import provider_of
from ampcli.errors import UsageError
from ampcli.events.repair import restored
from ampcli.inference.network import TrainedNetwork
from ampcli.kinematics import (
    FloatArray,
    at_rest,
    beams_along_z,
    checked_momenta,
    plain_array,
    require_double,
    with_beams,
)
from ampcli.progress import nothing
from ampcli.registry.manifest import Manifest
from ampcli.uncertainty.certificate import Certificate, Prediction, certify, relative_size
from ampcli.uncertainty.covariance import combine_by_covariance
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.uncertainty.mean import mean_and_error
from ampcli.uncertainty.recalibration import recalibrated

#: Points per pass through the networks.
BATCH = 16384


@dataclass(frozen=True)
class Predicted:
    """What a model says of n points; |M|^2 and uncertainties (1 sigma) in GeV^(4 - 2 n_final).

    Attributes:
        amplitude: (n,).
        bare: (n,), as it was predicted; NaN where it is not known (never 0).
        uncertainty: (n,), recalibrated where the model is.
        members: amplitudes of the networks that were combined, (R, n).
    """

    amplitude: FloatArray
    bare: FloatArray
    uncertainty: FloatArray
    members: FloatArray


class Predictor:
    """A model of the registry, loaded (`ampcli.load`).

    Attributes:
        process: what it predicts; its legs are in the order in which momenta are expected.
        manifest: all that the registry knows of the model (docs/registry.md).
    """

    def __init__(self, manifest: Manifest, networks: list[TrainedNetwork], device: torch.device) -> None:
        self.manifest = manifest
        self.process = manifest.provider.described(manifest.process)
        self.networks = networks
        self.device = device

    def __repr__(self) -> str:
        energy = "" if self.manifest.sqrt_s is None else f" at {self.manifest.sqrt_s:g} GeV"
        return f"<Predictor {self.manifest.reference}: {self.process}{energy}>"

    def exact(self) -> Provider:
        """The exact amplitude that the model learned, with its parameters.

        Raises:
            UsageError: it cannot be computed here: values of a file, another version of the provider.
        """
        return provider_of(self.manifest.provider, self.process)

    def predict(self, momenta: npt.ArrayLike) -> Prediction:
        """Amplitude and uncertainty of events.

        Args:
            momenta: (n, n_final, 4) final-state momenta, or (n, n_external, 4) with the beams first, E, px, py, pz in
                GeV, legs in the order of `process`, in the frame of the training (e+e-: centre of mass, beams along
                z).  One event may leave out the first axis: it is a batch of one.  Events in float32 are put back on
                their mass shell first.

        Returns:
            |M|^2 in GeV^(4 - 2 n_final) and its uncertainty (1 sigma), (n,) each, as a pair that also knows which
            points lie outside the training region (`Prediction.outside`) and how the model knows its uncertainty
            (`Prediction.uncertainty_kind`).  An ensemble's uncertainty is the standard error of the mean of its
            members, or that of their covariance; a single network's is its own, where its kind predicts one, or else
            its amplitude times the 68 % quantile of |Delta| on the validation split.  Where the manifest has a
            recalibration, it is applied.  NaN: not known (never 0).

        Raises:
            UsageError: momenta of another shape, that are not physical, or not at the centre-of-mass energy of the
                training, or so degenerate that the amplitude is not a finite number.
        """
        final = self._checked(plain_array(momenta))
        amplitude, uncertainty = self.predict_final(final)
        if (bad := ~np.isfinite(amplitude) | np.isinf(uncertainty)).any():
            raise UsageError(
                f"event {int(np.argmax(bad))} (from 0): {self.manifest.reference} has no finite amplitude there",
                "Its legs are soft or collinear beyond all that the model was trained on: leave it out.",
            )
        certificate = partial(self.certify, final, amplitude, uncertainty)
        return Prediction(amplitude, uncertainty, self.uncertainty_kind, certificate)

    @property
    def uncertainty_kind(self) -> UncertaintyKind:
        """How this model knows its uncertainty."""
        if self.manifest.combine == "mean":
            return UncertaintyKind.ENSEMBLE
        if all(network.ansatz.predicts_uncertainty for network in self.networks):
            return UncertaintyKind.OWN
        # A covariance with one member that does not know: no better than typical.
        known = all(n.ansatz.predicts_uncertainty or n.typical > 0 for n in self.networks)
        return UncertaintyKind.TYPICAL if known else UncertaintyKind.NONE

    def certify(self, final: FloatArray, amplitude: FloatArray, uncertainty: FloatArray) -> Certificate:
        """Flags of points outside the training region, for what `predict_final` returned for `final`."""
        return certify(self.manifest, self.process, final, relative_size(amplitude, uncertainty))

    def _checked(self, momenta: npt.NDArray[Any]) -> FloatArray:
        if momenta.ndim == 2:
            momenta = momenta[None]
        n_final, n_external = self.process.n_final, self.process.n_external
        if momenta.ndim != 3 or momenta.shape[1:] not in ((n_final, 4), (n_external, 4)):
            raise UsageError(
                f"momenta of {self.process} must have the shape (events, {n_final}, 4), or (events, {n_external}, 4) "
                f"with the beams first, not {momenta.shape}",
                "Legs are ordered as in the process string, each as E, px, py, pz in GeV.",
            )
        if momenta.dtype == np.float32:
            momenta = restored(momenta, self.process, self.manifest.sqrt_s)
        require_double(momenta)
        if momenta.shape[1] == n_final:
            momenta = with_beams(momenta)
        physical = checked_momenta(momenta, self.process)
        off_axis = ~beams_along_z(physical)
        if off_axis.any():
            raise UsageError(
                f"event {int(np.argmax(off_axis))} (from 0): the beams are not massless along the z axis, leg 0 "
                "towards +z, as in the training",
                "Rotate the events so that the first incoming leg moves along +z.",
            )
        if self.manifest.sqrt_s is not None and len(physical):
            # All of it must be energy: the networks know these events in their centre-of-mass frame only.
            off = ~at_rest(physical, self.manifest.sqrt_s)
            if off.any():
                event = int(np.argmax(off))
                raise UsageError(
                    f"event {event} (from 0) has the total momentum {physical[event, 2:].sum(axis=0).tolist()} GeV; "
                    f"{self.manifest.reference} was trained at rest with E = {self.manifest.sqrt_s:g} GeV",
                    "Boost the events to their centre-of-mass frame, or use a model of their energy.",
                )
        return physical[:, 2:]

    def predict_final(self, final: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`predict` for final-state momenta that are known to be physical (a store's)."""
        found = self.predicted(final)
        return found.amplitude, found.uncertainty

    def predicted(
        self,
        final: FloatArray,
        features: Sequence[Mapping[str, Tensor] | None] | None = None,
        on_rows: Callable[[int], None] = nothing,
    ) -> Predicted:
        """All that the model says of final-state momenta (n, n_final, 4) in GeV that are known to be physical.

        Args:
            features: of each network the arrays that it reads, (n, ...), where they are known already.
            on_rows: told how many events are done more.
        """
        n = len(final)
        amplitude, bare, uncertainty = np.empty(n), np.empty(n), np.empty(n)
        members = np.empty((len(self.networks), n))
        for start in range(0, n, BATCH):
            rows = slice(start, start + BATCH)
            batch = torch.from_numpy(np.require(final[rows], requirements=["C", "W"])).to(self.device)
            each = []
            for network, known in zip(self.networks, features or [None] * len(self.networks), strict=True):
                if known is None:
                    each.append(network.predict_momenta(batch))
                else:
                    arrays = {"momenta": batch, **{name: array[rows].to(self.device) for name, array in known.items()}}
                    each.append(network.predict(arrays))
            members[:, rows] = torch.stack([values for values, _ in each]).cpu().numpy()
            combined, sigma = self._combine(each)
            amplitude[rows], bare[rows] = combined.cpu().numpy(), sigma.cpu().numpy()
            uncertainty[rows] = self._honest(combined, sigma).cpu().numpy()
            on_rows(len(batch))
        for sigmas in (bare, uncertainty):  # zero: members that agree to the last bit know no better
            sigmas[~(sigmas > 0)] = np.nan
        return Predicted(amplitude, bare, uncertainty, members)

    def _combine(self, each: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Amplitude and uncertainty of all networks together, as they predicted them: (n,) each."""
        if not self.manifest.members:
            [(amplitude, relative)] = each
            return amplitude, amplitude.abs() * relative
        amplitudes = torch.stack([values for values, _ in each])
        if self.manifest.combine == "mean":
            return mean_and_error(amplitudes)
        relatives = torch.stack([n.honest(relative) for n, (_, relative) in zip(self.networks, each, strict=True)])
        correlation = torch.tensor(self.manifest.correlation, dtype=torch.float64, device=self.device)
        combined, relative = combine_by_covariance(amplitudes, relatives, correlation)
        return combined, combined * relative

    def _honest(self, amplitude: Tensor, sigma: Tensor) -> Tensor:
        """Uncertainties (n,) by the model's own recalibration, that of an ensemble or of its one network."""
        if self.manifest.recalibration is None:
            return sigma
        size = amplitude.abs().clamp_min(torch.finfo(amplitude.dtype).tiny)
        return size * recalibrated(sigma / size, self.manifest.recalibration)

    def described_by(self, manifest: Manifest) -> Predictor:
        """The same networks with what another manifest says about their uncertainties and region."""
        networks = self.networks if manifest.members else [network.of(manifest) for network in self.networks]
        return Predictor(manifest, networks, self.device)
