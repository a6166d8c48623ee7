"""`ampcli calibrate`: publish a model again with uncertainties that are honest on a store's validation points."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import torch

from ampcli.errors import UsageError
from ampcli.inference.certificate import relative_size, unusual_spread
from ampcli.inference.described import require_described
from ampcli.inference.predictor import check_probe, load_folder, make_probe
from ampcli.inference.recalibration import fit_recalibration
from ampcli.inference.seen import require_unseen
from ampcli.inference.uncertainty import UncertaintyKind
from ampcli.provenance import git_commit, package_versions
from ampcli.registry.manifest import Manifest, check_name, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import publish, read_probe, read_weights
from ampcli.store.measures import measures
from ampcli.store.reader import Store

log = logging.getLogger(__name__)


def publish_calibrated(root: Path, reference: str, store: Store, name: str | None = None) -> Manifest:
    """Publish the next version of a model, which differs in its recalibration, and in what its certificate takes for
    an unusual spread.

    Args:
        name: another name for it.

    Raises:
        UsageError: what cannot name a model, a store that holds something else than the model describes, too few
            validation points, or a model that has no uncertainty.
    """
    if name is not None:
        check_name(name)
    folder = resolve(root, reference)
    manifest = read_manifest(folder)
    require_described(manifest, store)
    store, seen = require_unseen([manifest], store, "validation")
    for note in seen:
        log.warning("%s", note)
    predictor = load_folder(folder, manifest, torch.device("cpu")).without_recalibration()
    kind = predictor.uncertainty_kind
    if kind is UncertaintyKind.NONE:
        raise UsageError(f"{manifest.reference} has no uncertainty that could be calibrated")
    predicted, uncertainty = predictor.predict_final(store.read_split("momenta", "validation"))
    exact, counted = store.read_split("amplitude", "validation"), measures(store, "validation")
    spread = unusual_spread(kind, relative_size(predicted, uncertainty), counted)
    draft = manifest.model_copy(
        update={
            "name": name or manifest.name,
            "version": 0,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "recalibration": fit_recalibration(exact, predicted, uncertainty, counted),
            "region": manifest.region.model_copy(update={"relative_uncertainty_999": spread}),
            "packages": package_versions(),
            "git_commit": git_commit(),
            "parents": [manifest.reference],
        }
    )
    tensors = None if manifest.members else read_weights(folder, manifest)
    probe = make_probe(predictor.described_by(draft), read_probe(folder, manifest)["momenta"].numpy())
    return publish(root, draft, tensors, probe, check_probe)
