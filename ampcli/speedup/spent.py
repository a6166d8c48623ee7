"""Exact amplitudes that were computed for models: events, points tried for them, perturbed copies.

What surrogates save has to pay for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import FiniteFloat

from ampcli.records.base import Frozen
from ampcli.registry.manifest import Manifest, read_manifest
from ampcli.registry.members import member_folders
from ampcli.registry.search import AnyRegistry
from ampcli.store.reader import Store

_SHARE_FROM = 8192  # events, for the share of copies that are new


class Spent(Frozen):
    """What training some models took.

    Attributes:
        events: exact amplitudes that the stored events took: those of points that became no event included.
        copies: exact amplitudes of perturbed copies.
        at_most: `events` counts points outside the cuts too, or `copies` is estimated: older stores and models say
            no more.
        seconds: of the trainings.
        unknown: parts that are not in these numbers.
    """

    events: int
    copies: int
    at_most: bool
    seconds: FiniteFloat
    unknown: list[str]


def break_even(spent: Spent, exact: float, factor: float) -> float | None:
    """Events after which exact amplitudes, at this price, and trainings are paid back; None: never."""
    saved = exact * (1 - 1 / factor)
    paid = (spent.events + spent.copies) * exact + spent.seconds
    return paid / saved if saved > 0 and math.isfinite(paid / saved) else None


def spent_on(manifests: Sequence[Manifest], store: Store) -> Spent:
    """What training some models took.

    Args:
        manifests: of all networks that are used (the members of ensembles, not the ensembles).
        store: events like those of the training, if not the same: tells how many points were tried for an event.
    """
    per_event, counted = amplitudes_per_event(store)
    datasets = {manifest.dataset.digest: manifest.dataset.points for manifest in manifests}
    unknown = [
        f"the training store of {manifest.reference}: taken to be like {store.path}"
        for manifest in manifests
        if manifest.dataset.digest != store.digest
    ]
    # Replicas of one run, and models that were recalibrated again, have its time to the last digit.
    trained = {(m.seconds, m.training and (m.training.seeds, m.training.block)): m for m in manifests}.values()
    for manifest in trained:
        if manifest.training is not None and (parent := manifest.training.init_from):
            unknown.append(f"the training of {parent}, which {manifest.reference} started from")
    copies = [labelled_points(manifest, store) for manifest in trained]
    return Spent(
        events=round(sum(datasets.values()) * per_event),
        copies=sum(count for count, _ in copies),
        at_most=not counted or not all(exact for _, exact in copies),
        seconds=sum(manifest.seconds or 0.0 for manifest in trained),
        unknown=unknown,
    )


def trained_networks(registry: AnyRegistry, manifest: Manifest) -> list[Manifest]:
    """The manifests of an ensemble's members; a single model is its own."""
    return [read_manifest(folder) for folder in member_folders(registry, manifest)] or [manifest]


def amplitudes_per_event(store: Store) -> tuple[float, bool]:
    """Exact amplitudes that each event of a store took, and whether they were counted (else: at most so many)."""
    if (known := store.attributes.get("exact_amplitudes")) is not None:
        return int(known) / store.rows, True
    return (store.tried / store.rows, False) if store.plan.source.are_unweighted else (1.0, True)


def labelled_points(manifest: Manifest, store: Store) -> tuple[int, bool]:
    """Exact amplitudes of the perturbed copies of a training, and whether they were counted (else: estimated)."""
    training = manifest.training
    if training is None:
        return 0, True
    if training.labelled_points is not None:
        return training.labelled_points, True
    if training.perturb == 0:
        return 0, True
    copied = (training.epochs_done - 1) * manifest.dataset.splits["train"]
    return round(copied * _moved(store, training.perturb)), False


def _moved(store: Store, size: float) -> float:
    """The share of perturbed copies that stay within the cuts: the others are the event itself, and cost nothing."""
    if not store.plan.source.can_be_perturbed:  # points of a file
        return 1.0
    shaken = store.plan.source.perturbation(store.process, size)
    final = store.read("momenta", slice(0, _SHARE_FROM))
    return float(shaken(final, np.random.default_rng(0))[1].mean())
