"""Using trained models: momenta in, amplitudes and uncertainties out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ampcli.device import choose_device
from ampcli.ensembles.covariance import combine_by_covariance
from ampcli.ensembles.mean import mean_and_error
from ampcli.errors import IntegrityError, UsageError
from ampcli.features.blocks import FeatureBlock, make_block
from ampcli.inference.certificate import Certificate, Prediction, certify, relative_size
from ampcli.inference.recalibration import recalibrated
from ampcli.inference.tensors import PARAMETERS, SCALE, network_parameters, require_probe, restored_ansatz
from ampcli.inference.uncertainty import UncertaintyKind
from ampcli.kinematics import FloatArray, at_rest, beams_along_z, checked_momenta, plain_array, with_beams
from ampcli.models.ansatz import Ansatz
from ampcli.models.bayesian import MEMBERS, mixture
from ampcli.models.network import NETWORKS
from ampcli.models.network import Network as Layers
from ampcli.process import Process, described_process
from ampcli.records.architecture import Architecture
from ampcli.registry.manifest import Manifest, Recalibration, read_manifest
from ampcli.registry.resolve import registry_root, resolve
from ampcli.registry.storage import member_folder, read_probe, read_weights, verify_members
from ampcli.repair import restored

#: Points per pass through the networks.
BATCH = 16384

#: Largest relative change of a probe's prediction between machines: single precision, amplified where the terms
#: of an ansatz cancel.
PROBE_TOLERANCE = 1e-3


@dataclass
class Network:
    """One trained network with its ansatz and features, ready on a device."""

    network: Layers
    layers: Any
    ansatz: Ansatz[Any]
    block: FeatureBlock | None
    typical: float = math.nan
    """68 % quantile of |Delta| on the validation split: the uncertainty of kinds that predict none."""
    recalibration: Recalibration | None = None

    @classmethod
    def build(
        cls,
        ansatz: Ansatz[Any],
        architecture: Architecture,
        block: FeatureBlock | None,
        parameters: Tensor,
        device: torch.device,
    ) -> Network:
        """The network of an architecture with its parameters (P,).

        Several networks that predict together (Bayesian ones) are one `Network`.

        Raises:
            UsageError: an unknown kind of network.
            IntegrityError: the architecture does not fit the ansatz, or the parameters are not as many as it has.
        """
        if (architecture.inputs, architecture.outputs) != (ansatz.n_inputs, ansatz.n_outputs):
            raise IntegrityError(
                f"a network with {architecture.inputs} inputs and {architecture.outputs} outputs does not fit "
                f"{ansatz.n_inputs} inputs and {ansatz.n_outputs} outputs"
            )
        network = NETWORKS[architecture.network].make(architecture)
        if len(parameters) != network.n_parameters:
            raise IntegrityError(
                f"its tensor {PARAMETERS} has {len(parameters)} numbers, its layers {network.n_parameters}"
            )
        return cls(network, network.members(parameters.to(device)), ansatz.to(device), block)

    @staticmethod
    def pack(parameters: Tensor, ansatz: Ansatz[Any]) -> dict[str, Tensor]:
        """The tensors of a model, of its network and of its ansatz (`ampcli.inference.tensors`)."""
        return {
            PARAMETERS: parameters.detach().cpu().contiguous(),
            **{SCALE + name: t.cpu().contiguous() for name, t in ansatz.scales().items()},
        }

    def of(self, manifest: Manifest) -> Network:
        """With the uncertainties that a manifest describes."""
        quantile = manifest.metrics.get("quantile68_abs_delta")
        typical = math.nan if quantile is None else quantile.value
        return replace(self, typical=typical, recalibration=manifest.recalibration)

    @property
    def n_members(self) -> int:
        """How many networks predict together."""
        return MEMBERS if self.network.stochastic else 1

    @torch.no_grad()
    def predict(self, momenta: Tensor) -> tuple[Tensor, Tensor]:
        """|M|^2 of final-state momenta (n, n_final, 4), float64, and its relative uncertainty: (n,) each."""
        arrays = {"momenta": momenta, **(self.block.compute(momenta) if self.block else {})}
        inputs = self.ansatz.inputs(arrays)
        outputs = self.network.forward(self.layers, inputs.expand(self.n_members, -1, -1))
        amplitude, own = self.ansatz.amplitude(outputs, arrays), self.ansatz.relative_uncertainty(outputs)
        if self.n_members > 1 and own is not None:
            amplitude, own = mixture(amplitude, own)
        amplitude = amplitude[0]
        relative = torch.full_like(amplitude, self.typical) if own is None else own[0]
        return amplitude, relative if self.recalibration is None else recalibrated(relative, self.recalibration)


class Predictor:
    """A model of the registry, loaded."""

    def __init__(self, manifest: Manifest, networks: list[Network], device: torch.device) -> None:
        self.manifest = manifest
        self.process = _process(manifest)
        self.networks = networks
        self.device = device

    def predict(self, momenta: npt.ArrayLike) -> Prediction:
        """Amplitude and uncertainty of events.

        Args:
            momenta: (n, n_final, 4) final-state momenta, or (n, n_external, 4) with the beams first; GeV, in the frame
                of the training (e+e-: centre of mass, beams along z).  Events in float32 are put back on their mass
                shell first.

        Returns:
            |M|^2 in GeV^(4 - 2 n_final) and its uncertainty (1 sigma), (n,) each, as a pair that also knows which
            points lie outside the training region (`Prediction.outside`) and how the model knows its uncertainty
            (`Prediction.uncertainty_kind`).  An ensemble's uncertainty is the standard error of the mean of its
            members, or that of their covariance; a single network's is its own, where its kind predicts one, or else
            its amplitude times the 68 % quantile of |Delta| on the validation split.  Where the manifest has a
            recalibration, it is applied.  NaN: not known (never 0).

        Raises:
            UsageError: momenta that are not physical, or not at the centre-of-mass energy of the training, or so
                degenerate that the amplitude is not a finite number.
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
        if momenta.dtype == np.float32:
            momenta = restored(momenta, self.process, self.manifest.sqrt_s)
        if momenta.ndim == 3 and momenta.shape[1:] == (self.process.n_final, 4) and momenta.dtype == np.float64:
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
        amplitude, uncertainty, _ = self.predict_members(final)
        return amplitude, uncertainty

    def predict_members(self, final: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Amplitude and uncertainty (n,) of `predict_final`, and the amplitudes of all members (R, n).

        An uncertainty that is not known is NaN: also one of zero, which members that agree to the last bit would give.
        """
        amplitude, uncertainty = np.empty(len(final)), np.empty(len(final))
        members = np.empty((len(self.networks), len(final)))
        for start in range(0, len(final), BATCH):
            rows = slice(start, start + BATCH)
            batch = torch.from_numpy(np.require(final[rows], requirements=["C", "W"])).to(self.device)
            predicted = [network.predict(batch) for network in self.networks]
            mean, error = self._combine(predicted)
            amplitude[rows], uncertainty[rows] = mean.cpu().numpy(), error.cpu().numpy()
            members[:, rows] = torch.stack([a for a, _ in predicted]).cpu().numpy()
        uncertainty[~(uncertainty > 0)] = np.nan
        return amplitude, uncertainty, members

    def _combine(self, members: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        amplitudes, relatives = (torch.stack(values) for values in zip(*members, strict=True))
        if self.manifest.combine == "mean":
            return self._honest(*mean_and_error(amplitudes))
        if self.manifest.combine == "covariance":
            correlation = torch.tensor(self.manifest.correlation, dtype=torch.float64, device=self.device)
            combined, relative = combine_by_covariance(amplitudes, relatives, correlation)
            return self._honest(combined, combined * relative)
        return amplitudes[0], amplitudes[0].abs() * relatives[0]

    def _honest(self, combined: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
        """An ensemble's own recalibration."""
        if self.manifest.recalibration is None:
            return combined, error
        size = combined.abs().clamp_min(torch.finfo(combined.dtype).tiny)
        return combined, size * recalibrated(error / size, self.manifest.recalibration)

    def without_recalibration(self) -> Predictor:
        """The same model with the uncertainties as they were predicted (those of an ensemble's members stay)."""
        return self.described_by(self.manifest.model_copy(update={"recalibration": None}))

    def described_by(self, manifest: Manifest) -> Predictor:
        """The same networks with what another manifest says about their uncertainties and region."""
        networks = self.networks if manifest.members else [network.of(manifest) for network in self.networks]
        return Predictor(manifest, networks, self.device)


def load_predictor(name: str, registry: str | Path | None = None, device: str = "auto") -> Predictor:
    """Load ``name``, ``name@3`` or ``name@alias`` (see `ampcli.load`)."""
    root = registry_root(Path(registry) if registry is not None else None)
    folder = resolve(root, name)
    return load_folder(folder, read_manifest(folder), choose_device(device))


def load_folder(folder: Path, manifest: Manifest, device: torch.device) -> Predictor:
    """Load the model in a version's folder; the members of an ensemble come from the same registry.

    Raises:
        IntegrityError: files that are missing, damaged, or do not fit each other.
    """
    root = folder.parent.parent
    verify_members(root, manifest)
    if not manifest.members:
        return Predictor(manifest, [_load_network(folder, manifest, device)], device)
    networks = []
    for path in [member_folder(root, member.model) for member in manifest.members]:
        member = read_manifest(path)
        if (member.process, member.sqrt_s, member.members) != (manifest.process, manifest.sqrt_s, []):
            raise IntegrityError(f"{member.reference} cannot be a member of {manifest.reference}: {member.process}")
        networks.append(_load_network(path, member, device))
    return Predictor(manifest, networks, device)


def _process(manifest: Manifest) -> Process:
    return described_process(manifest.process, manifest.provider.parameters)


def _load_network(folder: Path, manifest: Manifest, device: torch.device) -> Network:
    tensors = read_weights(folder, manifest)
    process, architecture, training = _process(manifest), manifest.architecture, manifest.training
    try:
        if architecture is None or training is None or training.kind != manifest.kind:
            raise IntegrityError(f"the manifest of {manifest.reference} describes no network of its kind")
        block = _block(manifest)
        parameters = network_parameters(architecture, process, tensors)
        ansatz = restored_ansatz(manifest.kind, training.options, process, block, tensors)
        network = Network.build(ansatz, architecture, block, parameters, device)
    except (UsageError, IntegrityError) as error:
        raise IntegrityError(f"{folder}: its manifest and its weights do not fit: {error.what}", error.hint) from None
    return network.of(manifest)


def _block(manifest: Manifest) -> FeatureBlock | None:
    """The features that a network was trained on.

    Raises:
        UsageError: they do not apply to the process.
        IntegrityError: this ampcli computes another version of them, or their options are none.
    """
    recorded = manifest.features
    if recorded is None or recorded.block is None:
        return None
    try:
        block = make_block(recorded.block, _process(manifest), dict(recorded.options), recorded.version)
    except (TypeError, ValueError, KeyError) as error:  # options go to the block's class as they are
        raise IntegrityError(f"the features {recorded.block} have no such options: {error}") from None
    if recorded.version != block.version:
        raise IntegrityError(
            f"it was trained on version {recorded.version} of the features {block.name}; "
            f"this ampcli computes version {block.version}",
            "Use the ampcli version named in its manifest, or train it again.",
        )
    return block


def make_probe(predictor: Predictor, final: FloatArray) -> dict[str, Tensor]:
    """Momenta and predictions kept beside the weights, so that any machine can check that it reproduces them."""
    amplitude, uncertainty = predictor.predict_final(final)
    return {
        "momenta": torch.from_numpy(np.ascontiguousarray(final)),
        "amplitude": torch.from_numpy(amplitude),
        "uncertainty": torch.from_numpy(uncertainty),
        "outside": torch.from_numpy(predictor.certify(final, amplitude, uncertainty).outside),
    }


def check_probe(folder: Path, manifest: Manifest) -> None:
    """Reload a model and compare its predictions with its probe (of older models: amplitudes alone).

    Raises:
        IntegrityError: they differ by more than `PROBE_TOLERANCE`, or flags do.
    """
    probe = read_probe(folder, manifest)
    predictor = load_folder(folder, manifest, torch.device("cpu"))
    try:
        require_probe(probe, predictor.process)
    except IntegrityError as error:
        raise IntegrityError(f"{folder}: its probe does not fit its manifest: {error.what}") from None
    final, expected = probe["momenta"].numpy(), probe["amplitude"].numpy()
    amplitude, uncertainty = predictor.predict_final(final)
    # Kinds that predict |M|^2 itself have values near zero, where a relative difference means nothing.
    size = np.maximum(np.abs(expected), np.median(np.abs(expected)))
    difference = np.abs(amplitude - expected)
    if not (worst := float(np.max(difference / size))) <= PROBE_TOLERANCE:
        raise IntegrityError(f"{folder}: its predictions differ from those it was published with by {worst:.2g}")
    if "uncertainty" not in probe:
        return
    known = probe["uncertainty"].numpy()
    # The spread of members that agree to five digits has two digits left in single precision.
    allowed = PROBE_TOLERANCE * np.abs(known) + 2.0 * difference + 1e-6 * size
    far = np.abs(uncertainty - known) > allowed
    if (far | (np.isnan(uncertainty) != np.isnan(known))).any():
        raise IntegrityError(f"{folder}: its uncertainties differ from those it was published with")
    if (predictor.certify(final, expected, known).outside != probe["outside"].numpy()).any():
        raise IntegrityError(f"{folder}: other points lie outside its region than when it was published")
