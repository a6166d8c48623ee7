"""Whether models are different enough for their spread to say anything: a mean's standard error supposes it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ampcli.errors import AmpcliError, UsageError, setting
from ampcli.registry.manifest import Manifest, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry

_HINT = f"Train others with another {setting('seed')}, or with `ampcli train --replicas R`."

#: Relative difference of predictions below which two models are one.
_SAME = 1e-9


def require_different(manifests: Sequence[Manifest], predictions: npt.NDArray[np.float64]) -> None:
    """Make sure that no model is a copy of another, calibrated ones included.

    Args:
        predictions: (R, n) amplitudes of the R models at some points.

    Raises:
        UsageError: two have the same weights, or predict the same.
    """
    for (one, mine), (other, theirs) in itertools.combinations(zip(manifests, predictions, strict=True), 2):
        same_file = one.weights_sha256 is not None and one.weights_sha256 == other.weights_sha256
        if same_file or np.allclose(mine, theirs, rtol=_SAME, atol=0.0):
            raise UsageError(f"{one.reference} and {other.reference} are copies of one network", _HINT)


def require_independent(registry: AnyRegistry, manifests: Sequence[Manifest]) -> None:
    """Make sure that models were trained apart from each other.

    Raises:
        UsageError: two began with the same weights on the same points, or come from one model.
    """
    lines = [_lineage(registry, manifest) for manifest in manifests]
    for (one, mine), (other, theirs) in itertools.combinations(zip(manifests, lines, strict=True), 2):
        names = f"{one.reference} and {other.reference}"
        if shared := sorted(mine & theirs):
            raise UsageError(
                f"{names} both come from {shared[0]}: their errors are not independent",
                f"Combine them by {setting('combine')} covariance, which measures the correlation, "
                "or train one from new weights.",
            )
        if _start(one) is not None and _start(one) == _start(other):
            raise UsageError(
                f"{names} were trained with the same seed {one.seed}, network and points: their errors are not "
                "independent",
                _HINT,
            )


def _lineage(registry: AnyRegistry, manifest: Manifest) -> set[str]:
    """A model and all that it was initialised from, or is a calibrated copy of; by name where these are gone."""
    found: set[str] = set()
    waiting = [manifest]
    while waiting:
        current = waiting.pop()
        found.add(current.reference)
        for name in current.parents:
            try:
                parent = read_manifest(resolve(registry, name))
            except AmpcliError:
                found.add(name)
                continue
            if parent.reference not in found:
                waiting.append(parent)
    return found


def _start(manifest: Manifest) -> tuple[object, ...] | None:
    """What decides the first weights and the order of the points; None where they came from another model."""
    if manifest.seed is None or manifest.training is None or manifest.training.init_from is not None:
        return None
    return manifest.seed, manifest.dataset.digest, manifest.kind, manifest.features, manifest.architecture
