"""Predictions kept beside the weights, so that any machine can check that it reproduces them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ampcli.errors import IntegrityError
from ampcli.inference.load import load_folder
from ampcli.inference.predictor import Predictor
from ampcli.inference.tensors import require_probe
from ampcli.kinematics import FloatArray
from ampcli.registry.manifest import Manifest
from ampcli.registry.search import AnyRegistry
from ampcli.registry.storage import read_probe

#: Largest relative change of a probe's prediction between machines: single precision, amplified where the terms
#: of an ansatz cancel.
PROBE_TOLERANCE = 1e-3


def make_probe(predictor: Predictor, final: FloatArray) -> dict[str, Tensor]:
    """Momenta and predictions kept beside the weights, so that any machine can check that it reproduces them."""
    amplitude, uncertainty = predictor.predict_final(final)
    return {
        "momenta": torch.from_numpy(np.ascontiguousarray(final)),
        "amplitude": torch.from_numpy(amplitude),
        "uncertainty": torch.from_numpy(uncertainty),
        "outside": torch.from_numpy(predictor.certify(final, amplitude, uncertainty).outside),
    }


def check_probe(folder: Path, manifest: Manifest, registry: AnyRegistry | None = None) -> None:
    """Reload a model and compare its predictions with its probe (of older models: amplitudes alone).

    Args:
        registry: where the members of an ensemble are; None: beside it.

    Raises:
        IntegrityError: they differ by more than `PROBE_TOLERANCE`, or flags do.
    """
    probe = read_probe(folder, manifest)
    predictor = load_folder(folder, manifest, torch.device("cpu"), registry)
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
