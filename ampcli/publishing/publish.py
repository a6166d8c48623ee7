"""What every published model goes through: it is measured on validation points, and checked before it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ampcli.evaluation.summary import summary_metrics
from ampcli.inference.predictor import Predicted, Predictor
from ampcli.inference.probe import check_probe, make_probe
from ampcli.kinematics import FloatArray
from ampcli.registry.manifest import Manifest
from ampcli.registry.search import AnyRegistry
from ampcli.registry.storage import publish
from ampcli.store.measures import Measures
from ampcli.uncertainty.certificate import relative_size, unusual_spread
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.uncertainty.pulls import informative
from ampcli.uncertainty.recalibration import LEAST_POINTS, fit_recalibration


@dataclass(frozen=True)
class Validation:
    """Points that a model was not trained on: exact amplitudes (n,), what the model says of them, what they count, and
    statistical errors of the amplitudes (n,), if these have any.
    """

    exact: FloatArray
    predicted: Predicted
    counted: Measures
    errors: FloatArray | None = None


def measured(draft: Manifest, kind: UncertaintyKind, points: Validation, recalibrate: bool) -> Manifest:
    """A draft with its metrics, the spread that is usual, and a recalibration, from validation points.

    Args:
        kind: how the model knows its uncertainty.
        recalibrate: make its uncertainties honest, if there are points enough.
    """
    predicted, errors = points.predicted, points.errors
    metrics = summary_metrics(points.exact, predicted.amplitude, draft.log_moments, points.counted, errors)
    honest = recalibrate and informative(predicted.bare, errors).sum() >= LEAST_POINTS
    described = with_honest_uncertainty(draft, kind, points) if honest else with_usual_spread(draft, kind, points)
    return described.model_copy(update={"metrics": metrics})


def with_usual_spread(draft: Manifest, kind: UncertaintyKind, points: Validation) -> Manifest:
    """A draft whose certificate knows which uncertainties are unusually large."""
    relative = relative_size(points.predicted.amplitude, points.predicted.bare)
    spread = unusual_spread(kind, relative, points.counted)
    return draft.model_copy(
        update={"region": draft.region.model_copy(update={"relative_uncertainty_999": spread}), "recalibration": None}
    )


def with_honest_uncertainty(draft: Manifest, kind: UncertaintyKind, points: Validation) -> Manifest:
    """`with_usual_spread`, and recalibrated.

    Raises:
        UsageError: too few points, or too few of known uncertainty.
    """
    predicted = points.predicted
    recalibration = fit_recalibration(points.exact, predicted.amplitude, predicted.bare, points.counted, points.errors)
    return with_usual_spread(draft, kind, points).model_copy(update={"recalibration": recalibration})


def publish_model(
    registry: AnyRegistry,
    draft: Manifest,
    predictor: Predictor,
    weights: dict[str, Tensor] | None,
    probe: FloatArray,
    above: int = 0,
) -> Manifest:
    """Publish a model as the next version of its name.

    Args:
        predictor: the model as it is in memory.
        weights: its tensors; None for an ensemble.
        probe: final-state momenta (n, n_final, 4) in GeV of the points whose predictions are kept.
        above: a version of this name that is lower than the new one, wherever it is.

    Raises:
        IntegrityError: the model that was written does not predict what the one in memory does.
        AmpcliError: the registry cannot be written.
    """
    kept = make_probe(predictor.described_by(draft), probe)
    return publish(registry, draft, weights, kept, partial(check_probe, registry=registry), above)
