"""`ampcli train`: from a store to published models."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ampcli.device import tf32_products
from ampcli.interrupt import held
from ampcli.models.kinds import KINDS
from ampcli.models.network import NETWORKS
from ampcli.records.training import Recipe
from ampcli.registry.manifest import Manifest
from ampcli.registry.naming import check_name
from ampcli.training.checkpoint import State, forget
from ampcli.training.data import read_validation
from ampcli.training.finished import finished
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.peers import ALONE, Peers
from ampcli.training.prepare import Prepared, TrainingRun, prepare
from ampcli.training.publish import Publication
from ampcli.training.session import training_session
from ampcli.training.start import go_on

__all__ = ["TrainingRun", "train"]


def train(
    run: TrainingRun,
    recipe: Recipe,
    on_epoch: Callable[[State], None] = lambda state: None,
    stop: Callable[[], bool] = lambda: False,
    peers: Peers = ALONE,
) -> list[Manifest]:
    """Train one model per seed and publish each as a version of `run.name`.

    Args:
        peers: the processes that call this together, with the same arguments; each holds its share of the points.

    Returns:
        Their manifests, or those of models that the same training left for `run.part_of` before it was interrupted.

    Raises:
        NotFoundError: the store lacks the features of this kind, or there is no checkpoint to resume.
        UsageError: settings that contradict the store, the checkpoint, or those of other processes; an unknown network
            or optimiser.
        InterruptedRun: `stop` said yes, a signal came, or another process ended; the checkpoint is written.
    """
    check_name(run.name)
    _ = KINDS[recipe.kind], NETWORKS[recipe.network], OPTIMISERS[recipe.optimiser]
    prepared = prepare(run, recipe, peers)
    recipe, trainer = prepared.recipe, prepared.trainer
    with ExitStack() as stack:
        stack.enter_context(tf32_products(recipe.precision == "tf32"))
        checkpoint = peers.of_first(
            lambda: stack.enter_context(training_session(run.place, run.name, recipe, run.resume == "never"))
        )
        # the end of a step is a safe point, the middle of one or of publishing is not
        signalled = stack.enter_context(held())
        if left := peers.of_first(lambda: _left(run, recipe, checkpoint)):
            return left
        peers.of_first(lambda: go_on(trainer, recipe, checkpoint, run.resume))
        trainer.follow_first()
        with prepared.tables:
            trainer.run(
                prepared.tables,
                prepared.validation,
                checkpoint,
                run.seconds,
                on_epoch,
                lambda: stop() or signalled(),
            )

        def publish() -> list[Manifest]:
            published = _publication(run, prepared, peers).all_replicas(trainer)
            forget(checkpoint)
            return published

        return peers.of_first(publish)


def _left(run: TrainingRun, recipe: Recipe, checkpoint: Path) -> list[Manifest]:
    """What the same training published before it was interrupted, where that is all."""
    if run.resume != "auto" or checkpoint.is_file():
        return []
    return finished(run.place, run.name, run.part_of, recipe)


def _publication(run: TrainingRun, prepared: Prepared, peers: Peers) -> Publication:
    """With all validation points, of which one of several processes has but a share."""
    store, kind = prepared.store, KINDS[prepared.recipe.kind]
    points = prepared.held_out if peers.size == 1 else read_validation(store, prepared.block, kind, ALONE)
    return Publication(
        registry=run.registry,
        name=run.name,
        store=store,
        block=prepared.block,
        architecture=prepared.architecture,
        region=prepared.region,
        inherited=[] if prepared.parent is None else [prepared.parent.dataset],
        arrays=points.arrays,
        exact=points.amplitude.numpy(),
        errors=points.errors,
        device=run.device,
    )
