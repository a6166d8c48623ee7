"""`ampcli ensemble`: publish the combination of published models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch

from ampcli.errors import UsageError, setting
from ampcli.inference.described import require_described
from ampcli.inference.load import load_folder
from ampcli.inference.predictor import Predicted, Predictor
from ampcli.inference.seen import require_unseen
from ampcli.inference.stored import StoredPoints
from ampcli.progress import nothing
from ampcli.provenance import git_commit, package_versions
from ampcli.publishing.independence import require_different, require_independent
from ampcli.publishing.publish import Validation, measured, publish_model
from ampcli.registry.manifest import Dataset, Manifest, Member, manifest_sha256, read_manifest
from ampcli.registry.naming import expand_ranges
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry
from ampcli.registry.storage import read_probe
from ampcli.store.measures import measures
from ampcli.store.reader import Store
from ampcli.uncertainty.covariance import combine_by_covariance, error_correlation

log = logging.getLogger(__name__)

_CPU = torch.device("cpu")

Combination = Literal["mean", "covariance"]

_CARDS = {
    "mean": "Mean of {} models; the uncertainty is the standard error of the mean.",
    "covariance": "Combination of {} models by their covariance: uncertainties and correlation of errors.",
}


def build_ensemble(
    registry: AnyRegistry,
    name: str,
    references: list[str],
    combine: Combination,
    data: Store | None = None,
    device: torch.device = _CPU,
    on_rows: Callable[[int], None] = nothing,
) -> Manifest:
    """Publish the combination of the referenced models under `name`.

    Args:
        data: measures the ensemble on this store's validation split, for its manifest, and the correlation of the
            members' errors, which a combination by covariance needs.
        device: where members predict.
        on_rows: told how many points of `data` are done more, of every member.

    Raises:
        UsageError: fewer than two members, one named twice, members that do not belong together, or a store of
            something else, or none where the combination needs one; members that predict negative amplitudes, or that
            are copies of each other, or (combined by their mean) not independent.
    """
    folders = [resolve(registry, reference) for reference in expand_ranges(references)]
    manifests = [read_manifest(folder) for folder in folders]
    if len(folders) < 2:
        raise UsageError("an ensemble needs at least two members", "Train more with `ampcli train --replicas R`.")
    if len(set(folders)) < len(folders):
        raise UsageError(f"a member is named twice: {', '.join(m.reference for m in manifests)}")
    first = manifests[0]
    for manifest in manifests:
        if manifest.kind == "ensemble":
            raise UsageError(f"{manifest.reference} is an ensemble itself", "Name its members.")
        if (manifest.process, manifest.sqrt_s) != (first.process, first.sqrt_s):
            raise UsageError(
                f"{manifest.reference} is for {manifest.process}{_energy(manifest)}, "
                f"{first.reference} for {first.process}{_energy(first)}"
            )
        if manifest.provider != first.provider:
            raise UsageError(f"{manifest.reference} and {first.reference} learned from different amplitudes")
    if combine == "mean":
        require_independent(registry, manifests)
    settings: dict[str, object] = {
        "name": name,
        "kind": "ensemble",
        "process": first.process,
        "sqrt_s": first.sqrt_s,
        "provider": first.provider,
        "dataset": first.dataset.model_copy(update={"others": _others(manifests)}),
        "region": first.region.model_copy(update={"relative_uncertainty_999": None}),
        "members": [
            Member(model=manifest.reference, manifest_sha256=manifest_sha256(folder))
            for manifest, folder in zip(manifests, folders, strict=True)
        ],
        "combine": combine,
        "packages": package_versions(),
        "git_commit": git_commit(),
        "card": _CARDS[combine].format(len(folders)),
    }
    if data is not None:
        require_described(first, data)
        data, seen = require_unseen(manifests, data, "validation")
        for note in seen:
            log.warning("%s", note)
    elif combine == "covariance":
        raise UsageError(
            "a combination by covariance needs the correlation of errors", f"Give a store with {setting('data')}."
        )
    members = [load_folder(f, m, device) for f, m in zip(folders, manifests, strict=True)]
    probe = read_probe(folders[0], first)["momenta"].numpy()
    require_different(manifests, np.stack([member.predict_final(probe)[0] for member in members]))
    points = None if data is None else StoredPoints(data, "validation")
    combined: Predicted | None = None
    if combine == "covariance" and points is not None:
        correlation, combined = _by_covariance(members, points, on_rows)
        settings["correlation"] = correlation
    draft = Manifest.model_validate(settings)
    predictor = Predictor(draft, [member.networks[0] for member in members], device)
    if points is not None:
        found = points.predicted(predictor, on_rows) if combined is None else combined
        validation = Validation(points.exact, found, measures(points.store, points.split), points.errors)
        draft = measured(draft, predictor.uncertainty_kind, validation, recalibrate=combine == "covariance")
    return publish_model(registry, draft, predictor, None, probe)


def _others(manifests: list[Manifest]) -> list[Dataset]:
    """What the members were trained on, besides the data of the first one."""
    datasets = [dataset for m in manifests for dataset in (m.dataset, *m.dataset.others)]
    return [data for i, data in enumerate(datasets) if i and data not in datasets[:i]]


def _by_covariance(
    members: Sequence[Predictor], points: StoredPoints, on_rows: Callable[[int], None]
) -> tuple[list[list[float]], Predicted]:
    """Correlation of the members' errors at points, (R, R), and what their combination says of these.

    Each member predicts once: what the combination would ask them is known then.
    """
    points.store.require_exact()
    each = [points.predicted(member, on_rows) for member in members]
    for member, found in zip(members, each, strict=True):
        if not (found.amplitude > 0).all():
            raise UsageError(
                f"{member.manifest.reference} predicts negative amplitudes",
                f"Combine it by {setting('combine')} mean.",
            )
    amplitudes = np.stack([found.amplitude for found in each])
    relatives = torch.from_numpy(np.stack([found.uncertainty for found in each]) / amplitudes)
    correlation = error_correlation(torch.from_numpy(np.log(amplitudes / points.exact)), relatives)
    amplitude, relative = combine_by_covariance(torch.from_numpy(amplitudes), relatives, correlation)
    sigma = (amplitude * relative).numpy()
    return correlation.tolist(), Predicted(amplitude.numpy(), sigma, sigma, amplitudes)


def _energy(manifest: Manifest) -> str:
    """Of the training points, for messages; nothing where it varies."""
    return "" if manifest.sqrt_s is None else f" at {manifest.sqrt_s:g} GeV"
