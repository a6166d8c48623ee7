"""The bundle of a trained model, which ampcli/inference/compiled/surrogate.h reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ampcli.amplitudes.native.bundled import bundle_arrays
from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.provider import NATIVE, Native
from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.collisions.given import GivenEvents
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import UsageError
from ampcli.inference.compiled.engine import bundle_of
from ampcli.library.bundle import Value
from ampcli.library.contents import EXACT, description, sealed
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.uncertainty.recalibration import recalibrated

if TYPE_CHECKING:
    from ampcli.inference.network import TrainedNetwork
    from ampcli.inference.predictor import Predictor
    from ampcli.registry.manifest import Manifest, Recalibration

_OTHERWISE = "Export its process, or the model as an ONNX file (--onnx), which holds those without a reduced amplitude."


def surrogate_content(predictor: Predictor, first_alone: float | None = None) -> dict[str, Value]:
    """All of a trained model, with the exact amplitude that it learned.

    Args:
        first_alone: of networks that are combined by their covariance, the largest relative uncertainty of events that
            are left to the first one alone.

    Raises:
        UsageError: libraries cannot hold a model of its kind, with its amplitude or its cuts; it has no first network.
    """
    manifest, exact = predictor.manifest, _exact(predictor)
    content = description(
        name=manifest.reference,
        kind="surrogate",
        process=exact.process,
        sqrt_s=manifest.sqrt_s or 0.0,
        alpha_s=exact.parameters.alpha_s,
        alpha_s_power=len(exact.line.gluons),
        parameters=exact.parameters.as_dict(),
    )
    content |= {
        "members": np.array(len(predictor.networks), dtype=np.int32),
        "combination": manifest.combine or "single",
        **_recalibration(manifest.recalibration),
        **{f"region/{name}": value for name, value in _region(predictor).items()},
        **bundle_arrays(exact, EXACT),
    }
    if manifest.combine == "covariance":
        content["inverse_correlation"] = np.linalg.inv(np.array(manifest.correlation, dtype=np.float64))
    if first_alone is not None:
        if manifest.combine != "covariance":
            raise UsageError(
                f"{manifest.reference} is no pair of networks that are combined by their covariance: none is the first",
                "Leave out the threshold of the first one.",
            )
        content["first_alone"] = np.array(first_alone, dtype=np.float64)
    for number, network in enumerate(predictor.networks):
        content |= {f"member/{number}/{name}": value for name, value in _member(network, manifest).items()}
    return sealed(content)


def _exact(predictor: Predictor) -> Native:
    """The amplitude that the model learned, whose couplings it has."""
    record = predictor.manifest.provider
    if record.name == NATIVE.name and find_quark_line(predictor.process):
        provider = Native(predictor.process, Parameters.of(record.parameters))
        if provider.identity() == record:
            return provider
    raise UsageError(
        f"{predictor.manifest.reference} learned amplitudes of {record.name} {record.version}"
        f"{f' {record.options}' if record.options else ''}; libraries hold models of native ones of this version",
        _OTHERWISE,
    )


def _member(network: TrainedNetwork, manifest: Manifest) -> dict[str, Value]:
    parts = bundle_of(network.network, network.ansatz, network.block)
    if parts is None or not isinstance(network.ansatz, FactorisedAnsatz):
        raise UsageError(f"libraries cannot hold models of the kind of {manifest.reference}", _OTHERWISE)
    return {**parts, "parameters": network.parameters.cpu().numpy(), **_recalibration(network.recalibration)}


def _recalibration(recalibration: Recalibration | None) -> dict[str, Value]:
    if recalibration is None:
        return {}
    knots = {"log_sigma": recalibration.log_sigma, "log_scale": recalibration.log_scale}
    return {f"recalibration/{name}": np.array(values, dtype=np.float64) for name, values in knots.items()}


def _region(predictor: Predictor) -> dict[str, Value]:
    """What `certify` looks at: the cuts of the training's events, and the largest usual uncertainty."""
    manifest = predictor.manifest
    source, found = manifest.dataset.source, dict[str, Value]()
    if isinstance(source, ProtonCollisions):
        if source.leptons is not None:
            raise UsageError(
                f"{manifest.reference} was trained on events with cuts on leptons, which libraries do not know",
                _OTHERWISE,
            )
        found["cuts"] = np.array([source.pt_min, source.eta_max, source.delta_r], dtype=np.float64)
        found["jets"] = np.array(predictor.process.jet_legs, dtype=np.int32)
    elif isinstance(source, LeptonCollisions) and source.cuts != "durham":
        smallest = source.y_cut or manifest.region.min_sij_over_s
        if smallest is not None:
            found["least_sij"] = np.array(smallest * source.sqrt_s**2)
    elif isinstance(source, GivenEvents):
        smallest = manifest.region.min_sij_over_s
        if source.sqrt_s is not None and smallest is not None:
            found["least_sij"] = np.array(smallest * source.sqrt_s**2)
    else:
        raise UsageError(
            f"{manifest.reference} was trained on events with a number of exclusive jets, which libraries cannot count",
            _OTHERWISE,
        )
    largest = manifest.region.relative_uncertainty_999
    if largest is not None:
        if manifest.recalibration is not None:
            largest = float(recalibrated(torch.tensor([largest], dtype=torch.float64), manifest.recalibration))
        found["spread"] = np.array(largest, dtype=np.float64)
    return found
