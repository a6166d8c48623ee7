"""`ampcli eval`: models against the exact amplitudes of a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ampcli.evaluation.compared import Claims, Sample, Trained
from ampcli.evaluation.coverage import kinematic_variables
from ampcli.evaluation.evaluation import Evaluation, evaluate
from ampcli.features.ratio import RatioBlock
from ampcli.inference.described import require_described
from ampcli.inference.predictor import Predicted, Predictor
from ampcli.inference.seen import require_unseen
from ampcli.inference.stored import StoredPoints
from ampcli.kinematics import min_invariant, with_beams
from ampcli.progress import nothing
from ampcli.registry.manifest import Manifest
from ampcli.store.measures import Measures, measures
from ampcli.store.reader import Split, Store
from ampcli.store.splits import SplitRule
from ampcli.uncertainty.certificate import relative_size
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.weighted import Floats


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


def compare(
    predictors: Sequence[Predictor], store: Store, split: Split, on_rows: Callable[[int], None] = nothing
) -> list[Comparison]:
    """Compare models with a split of a store, whose points are read once.

    Args:
        on_rows: told how many points are done more, of every model.

    Raises:
        UsageError: the store holds another process, energy or amplitude than a model learned, or points of its
            training.
    """
    split_stores = [_unseen(predictor.manifest, store, split) for predictor in predictors]
    points = {own.split_rule: StoredPoints(own, split) for own, _ in split_stores}
    known: dict[SplitRule, tuple[Sample, Measures]] = {}
    found = []
    for predictor, (own, seen) in zip(predictors, split_stores, strict=True):
        if (rule := own.split_rule) not in known:
            known[rule] = _sample(points[rule])
        found.append(_compared(predictor, points[rule], *known[rule], seen, on_rows))
    return found


def _unseen(manifest: Manifest, store: Store, split: Split) -> tuple[Store, list[str]]:
    """The store, split as the model's training did, and what has to be said about its points."""
    require_described(manifest, store)
    own, seen = require_unseen([manifest], store, split)
    if split == "validation":
        chosen = f"validation points may have chosen the best epoch and the uncertainties of {manifest.reference}"
        return own, [*seen, chosen]
    return own, seen


def _sample(points: StoredPoints) -> tuple[Sample, Measures]:
    """What is known of the points themselves."""
    store, momenta = points.store, points.momenta
    counted, sampled = measures(store, points.split), store.plan.source.are_sampled
    total = momenta.sum(axis=1)
    s = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1)
    min_sij = min_invariant(momenta, store.process.final_masses) / s
    sample = Sample(
        exact=points.exact,
        min_sij=min_sij,
        tried=store.tried * len(momenta) / store.rows,
        weight=store.read_split("weight", points.split) if sampled else None,
        density=counted.points,
        share=None if sampled else counted.events,
        variables=kinematic_variables(momenta, store.process) or {"min_sij_over_s": min_sij},
        errors=points.errors,
        signed=store.plan.provider.signed,
    )
    return sample, counted


def _compared(
    predictor: Predictor,
    points: StoredPoints,
    sample: Sample,
    counted: Measures,
    seen: Sequence[str],
    on_rows: Callable[[int], None],
) -> Comparison:
    data, (log_mean, log_std) = predictor.manifest.dataset, predictor.manifest.log_moments
    jets = data.source.jets(points.momenta, points.store.process).astype(np.float64)
    trained = Trained(jets, log_mean, log_std, data.y_cut)
    found = points.predicted(predictor, on_rows)
    evaluation = evaluate(sample, trained, _claims(predictor, points, found)).model_copy(update={"seen": tuple(seen)})
    relative = relative_size(found.amplitude, found.uncertainty) if predictor.uncertainty_kind.by_point else None
    return Comparison(evaluation, found.amplitude / sample.exact - 1.0, sample.min_sij, relative, counted)


def _reference(predictor: Predictor, points: StoredPoints) -> Floats | None:
    """Amplitudes to which a model learned the ratio, (n,); None of other models."""
    blocks = [network.block for network in predictor.networks]
    providers = [block.provider for block in blocks if isinstance(block, RatioBlock)]
    if len(providers) < len(blocks) or (provider := providers[0]) is None:
        return None
    return provider.evaluate(with_beams(points.momenta))


def _claims(predictor: Predictor, points: StoredPoints, found: Predicted) -> Claims:
    """What a model says; uncertainties that it does not know are 0."""
    manifest, kind = predictor.manifest, predictor.uncertainty_kind
    unknown, recalibration = kind is UncertaintyKind.NONE, manifest.recalibration
    return Claims(
        predicted=found.amplitude,
        uncertainty=None if unknown else np.nan_to_num(found.uncertainty, nan=0.0),
        kind=kind,
        bare=None if recalibration is None or unknown else np.nan_to_num(found.bare, nan=0.0),
        intervals=None if recalibration is None else recalibration.intervals,
        certificate=predictor.certify(points.momenta, found.amplitude, found.uncertainty),
        members=found.members if manifest.combine == "mean" else None,
        reference=_reference(predictor, points),
    )
