"""`ampcli eval`: a model against the exact amplitudes of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ampcli.errors import NotFoundError, UsageError
from ampcli.evaluation.evaluate import Evaluation, evaluate
from ampcli.evaluation.metrics import Floats
from ampcli.inference.described import require_described
from ampcli.inference.predictor import Predictor
from ampcli.inference.seen import require_unseen
from ampcli.inference.stored import StoredPoints
from ampcli.kinematics import min_invariant
from ampcli.models.kinds import KINDS
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import names, resolve
from ampcli.store.measures import Measures, measures
from ampcli.store.reader import Split, Store
from ampcli.uncertainty.certificate import relative_size
from ampcli.uncertainty.kind import UncertaintyKind


@dataclass(frozen=True)
class Comparison:
    """An evaluation and the points behind it, (n,) each.

    Attributes:
        delta: predicted/exact - 1.
        min_sij: smallest s_ij / s.
        relative: uncertainty / |predicted|, of models that know one for each point.
        measures: what the points count.
    """

    evaluation: Evaluation
    delta: Floats
    min_sij: Floats
    relative: Floats | None
    measures: Measures


def surrogates_for(store: Store, root: Path) -> list[str]:
    """The latest versions of all models of a registry that describe a store, whose test points they did not see, and
    that predict their own uncertainty.

    Raises:
        NotFoundError: there is none.
    """
    found = []
    for name in names(root):
        manifest = read_manifest(resolve(root, name))
        if manifest.members or not KINDS[manifest.kind].predicts_uncertainty:
            continue
        try:
            require_described(manifest, store)
            require_unseen([manifest], store, "test")
        except UsageError:
            continue
        found.append(manifest.reference)
    if not found:
        raise NotFoundError(
            f"the registry {root} has no surrogate of {store.plan.process} with these parameters",
            "Train one with `ampcli train --model fg1+`, or name the models.",
        )
    return found


def evaluate_model(predictor: Predictor, store: Store, split: Split) -> Comparison:
    """Compare a model with a split of a store.

    Raises:
        UsageError: the store holds another process, energy or amplitude than the model learned, or points of its
            training.
    """
    manifest = predictor.manifest
    require_described(manifest, store)
    store, seen = require_unseen([manifest], store, split)
    if split == "validation":
        seen = [
            *seen,
            f"validation points may have chosen the best epoch and the uncertainties of {manifest.reference}",
        ]
    points = StoredPoints(store, split)
    momenta, exact, found = points.momenta, points.exact, points.predicted(predictor)
    predicted, uncertainty, recalibration = found.amplitude, found.uncertainty, manifest.recalibration
    total = momenta.sum(axis=1)
    s = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1)
    min_sij = min_invariant(momenta, store.process.final_masses) / s
    cut = manifest.dataset.y_cut
    log_mean, log_std = manifest.log_moments
    counted, sampled = measures(store, split), store.plan.source.are_sampled
    kind = predictor.uncertainty_kind
    unknown = kind is UncertaintyKind.NONE
    evaluation = evaluate(
        exact,
        predicted,
        None if unknown else np.nan_to_num(uncertainty, nan=0.0),
        store.read_split("weight", split) if sampled else None,
        tried=store.tried * len(momenta) / store.rows,
        n_jets=manifest.dataset.source.jets(momenta, store.process),
        min_sij=min_sij,
        y_cut=cut,
        log_mean=log_mean,
        log_std=log_std,
        bare_uncertainty=None if recalibration is None or unknown else np.nan_to_num(found.bare, nan=0.0),
        intervals=None if recalibration is None else recalibration.intervals,
        certificate=predictor.certify(momenta, predicted, uncertainty),
        members=found.members if manifest.combine == "mean" else None,
        density=counted.points,
        share=None if sampled else counted.events,
        uncertainty_kind=kind,
    ).model_copy(update={"seen": tuple(seen)})
    relative = relative_size(predicted, uncertainty) if kind.by_point else None
    return Comparison(evaluation, predicted / exact - 1.0, min_sij, relative, counted)
