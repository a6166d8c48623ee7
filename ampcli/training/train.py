"""`ampcli train`: from a store to published models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import torch

from ampcli.device import tf32_products, usable_cores
from ampcli.errors import UsageError, setting
from ampcli.features.blocks import FeatureBlock
from ampcli.inference.seen import require_unseen
from ampcli.interrupt import held
from ampcli.models.ansatz import Ansatz
from ampcli.models.kinds import KINDS, ModelKind
from ampcli.models.network import NETWORKS
from ampcli.records.architecture import Architecture
from ampcli.records.training import Recipe
from ampcli.registry.manifest import Manifest
from ampcli.registry.naming import check_name
from ampcli.registry.search import AnyRegistry, as_registry
from ampcli.store.features import stored_block
from ampcli.store.reader import Store
from ampcli.training.ahead import Ahead
from ampcli.training.checkpoint import State
from ampcli.training.finished import finished
from ampcli.training.loop import Trainer
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.perturbed import PerturbedCopies
from ampcli.training.publish import Publication, training_region
from ampcli.training.session import training_session
from ampcli.training.start import first_parameters, go_on, parent_of
from ampcli.training.table import Table, read_arrays


@dataclass(frozen=True)
class TrainingRun:
    """What `train` needs besides the recipe."""

    store: Store
    name: str
    registry: AnyRegistry
    device: torch.device
    resume: str = "auto"  # auto | never | path of a checkpoint
    seconds: float | None = None
    part_of: str | None = None
    """The set that the models are going to be in: what an interrupted run left for it is not trained again."""


def train(
    run: TrainingRun,
    recipe: Recipe,
    on_epoch: Callable[[State], None] = lambda state: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Manifest]:
    """Train one model per seed and publish each as a version of `run.name`.

    Returns:
        Their manifests, or those of models that the same training left for `run.part_of` before it was interrupted.

    Raises:
        NotFoundError: the store lacks the features of this kind, or there is no checkpoint to resume.
        UsageError: settings that contradict the store or the checkpoint; an unknown network or optimiser.
        InterruptedRun: `stop` said yes, or a signal came; the checkpoint is written.
    """
    check_name(run.name)
    kind, network_kind, _ = KINDS[recipe.kind], NETWORKS[recipe.network], OPTIMISERS[recipe.optimiser]
    if not network_kind.several_at_once and len(recipe.seeds) > 1:
        raise UsageError(
            f"{setting('replicas')}: networks of the kind {recipe.network} train alone", "Run it once for each seed."
        )
    parent = parent_of(run.registry, recipe)
    if parent is not None:
        run = replace(run, store=require_unseen([parent], run.store, "validation")[0])
    store = run.store
    _require_learnable(kind, store)
    block = None if recipe.block is None else stored_block(store, recipe.block)
    recipe = _resolved(recipe, store, block, parent)
    arrays, amplitude = read_arrays(store, block, kind.reads, "train")
    taken = _taken(recipe, len(amplitude))
    arrays, amplitude = {name: array[taken] for name, array in arrays.items()}, amplitude[taken]
    errors = store.amplitude_errors("train")
    ansatz = kind.ansatz.fit(store.process, arrays, amplitude, recipe.options, network_kind.on_particles)
    architecture = Architecture(
        hidden=recipe.hidden,
        activation=recipe.activation,
        residual=recipe.residual,
        network=recipe.network,
        particles=tuple(leg.pdg for leg in store.process.legs),
        inputs=ansatz.n_inputs,
        outputs=ansatz.n_outputs,
    )
    network = network_kind.make(architecture)
    architecture = architecture.model_copy(update={"parameters": network.n_parameters})
    start = first_parameters(run.registry, recipe, network, architecture, parent)
    trainer = Trainer(recipe, network, ansatz, run.device, start)
    region = training_region(store, arrays["momenta"].numpy(), amplitude.numpy())
    table = Table.of(ansatz, arrays, amplitude, run.device, None if errors is None else errors[taken])
    tables = _tables(run, recipe, block, ansatz, table, arrays["momenta"], amplitude)
    del arrays
    held_out, exact = read_arrays(store, block, kind.reads, "validation")
    held_out_errors = store.amplitude_errors("validation")
    validation = Table.of(ansatz, held_out, exact, run.device, held_out_errors)
    publication = Publication(
        registry=run.registry,
        name=run.name,
        store=store,
        block=block,
        architecture=architecture,
        region=region,
        inherited=[] if parent is None else [parent.dataset],
        arrays=held_out,
        exact=exact.numpy(),
        errors=held_out_errors,
        device=run.device,
    )
    with (
        tf32_products(recipe.precision == "tf32"),
        training_session(as_registry(run.registry).top, run.name, recipe, run.resume == "never") as checkpoint,
        held() as signalled,  # the end of a step is a safe point, the middle of one or of publishing is not
    ):
        if (
            run.resume == "auto"
            and not checkpoint.is_file()
            and (left := finished(as_registry(run.registry).top, run.name, run.part_of, recipe))
        ):
            return left
        go_on(trainer, recipe, checkpoint, run.resume)
        with tables:
            trainer.run(tables, validation, checkpoint, run.seconds, on_epoch, lambda: stop() or signalled())
        published = publication.all_replicas(trainer)
        checkpoint.unlink()
    return published


def _taken(recipe: Recipe, events: int) -> slice:
    """Which of the training events are used.

    Raises:
        UsageError: there are fewer than asked for.
    """
    if recipe.training_points is not None and recipe.training_points > events:
        raise UsageError(
            f"{setting('training_points')} {recipe.training_points}: the store has {events} training events",
            "Take fewer, or a larger store.",
        )
    return slice(recipe.training_points)


def _require_learnable(kind: ModelKind, store: Store) -> None:
    """Make sure that a kind of model can learn the values of a store.

    Raises:
        UsageError: it needs squared amplitudes, or knows no statistical errors.
    """
    if store.plan.provider.signed and not kind.ansatz.takes_signs:
        able = ", ".join(each.models[0] for each in KINDS if each.ansatz.takes_signs)
        raise UsageError(
            f"{setting('model')}: models of the kind {kind.name} learn squared amplitudes; the values of {store.path} "
            "may have either sign",
            f"Kinds for these: {able}.",
        )
    if "amplitude_error" in store.plan.arrays and not kind.ansatz.takes_errors:
        able = ", ".join(each.models[0] for each in KINDS if each.ansatz.takes_errors)
        raise UsageError(
            f"{setting('model')}: models of the kind {kind.name} know no statistical errors of their values, which "
            f"{store.path} has",
            f"Kinds for these: {able}.",
        )


def _resolved(recipe: Recipe, store: Store, block: FeatureBlock | None, parent: Manifest | None) -> Recipe:
    """With what the store and the registry say now: names and aliases move."""
    known: dict[str, Any] = {"split_rule": store.split_rule}
    if block is not None:
        known["features"] = {"version": block.version, "options": block.options}
    if parent is not None:
        known["init_from"] = parent.reference
    return recipe.model_copy(update=known)


def _tables(
    run: TrainingRun,
    recipe: Recipe,
    block: FeatureBlock | None,
    ansatz: Ansatz[Any],
    table: Table,
    momenta: torch.Tensor,
    amplitude: torch.Tensor,
) -> Ahead:
    """The training table of every epoch: the store's points, or from the second epoch on perturbed copies of them,
    each set of copies for `recipe.copy_epochs` epochs.
    """
    if recipe.perturb == 0:
        return Ahead(lambda epoch, over: table, recipe.epochs, second_core=False)
    copies = PerturbedCopies.of(run.store, recipe, block, momenta, amplitude)

    kept: dict[int, Table] = {}  # the set of copies that is in use, by its first epoch

    def of(epoch: int, over: Event) -> Table:
        if epoch == 0:
            return table
        first = epoch - (epoch - 1) % recipe.copy_epochs
        if first not in kept:
            moved, labels, count = copies.labelled(first, over)
            kept.clear()
            kept[first] = replace(Table.of(ansatz, moved, labels, run.device), labelled=count)
        # a run that goes on in the middle makes its copies again, and does not count them again
        return kept[first] if epoch == first else replace(kept[first], labelled=0)

    return Ahead(of, recipe.epochs, second_core=usable_cores() > 1)
