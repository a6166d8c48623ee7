"""`ampcli calibrate`: publish a model again with uncertainties that are honest on a store's validation points."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import torch

from ampcli.errors import UsageError
from ampcli.inference.described import require_described
from ampcli.inference.load import load_folder
from ampcli.inference.seen import require_unseen
from ampcli.inference.stored import StoredPoints
from ampcli.progress import nothing
from ampcli.provenance import git_commit, package_versions
from ampcli.publishing.publish import Validation, publish_model, with_honest_uncertainty
from ampcli.registry.manifest import Manifest, read_manifest
from ampcli.registry.naming import check_name
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry
from ampcli.registry.storage import read_probe, read_weights
from ampcli.store.measures import measures
from ampcli.store.reader import Store
from ampcli.uncertainty.kind import UncertaintyKind

log = logging.getLogger(__name__)


def publish_calibrated(
    registry: AnyRegistry,
    reference: str,
    store: Store,
    name: str | None = None,
    on_rows: Callable[[int], None] = nothing,
) -> Manifest:
    """Publish the next version of a model, which differs in its recalibration, and in what its certificate takes for
    an unusual spread.

    Args:
        name: another name for it.
        on_rows: told how many points are done more.

    Raises:
        UsageError: what cannot name a model, a store that holds something else than the model describes, too few
            validation points, or a model that has no uncertainty.
    """
    if name is not None:
        check_name(name)
    folder = resolve(registry, reference)
    manifest = read_manifest(folder)
    require_described(manifest, store)
    store, seen = require_unseen([manifest], store, "validation")
    for note in seen:
        log.warning("%s", note)
    predictor = load_folder(folder, manifest, torch.device("cpu"), registry)
    kind = predictor.uncertainty_kind
    if kind is UncertaintyKind.NONE:
        raise UsageError(f"{manifest.reference} has no uncertainty that could be calibrated")
    stored = StoredPoints(store, "validation")
    points = Validation(
        stored.exact, stored.predicted(predictor, on_rows), measures(store, "validation"), stored.errors
    )
    draft = with_honest_uncertainty(manifest, kind, points).model_copy(
        update={
            "name": name or manifest.name,
            "version": 0,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "packages": package_versions(),
            "git_commit": git_commit(),
            "parents": [manifest.reference],
        }
    )
    tensors = None if manifest.members else read_weights(folder, manifest)
    # Of a model that is in another registry there may be no version yet in the one that is written to.
    above = manifest.version if draft.name == manifest.name else 0
    probe = read_probe(folder, manifest)["momenta"].numpy()
    return publish_model(registry, draft, predictor, tensors, probe, above)
