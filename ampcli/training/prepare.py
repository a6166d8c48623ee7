"""From a store and a recipe to a trainer and its tables."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import torch

from ampcli.device import usable_cores
from ampcli.errors import UsageError, setting
from ampcli.features.blocks import FeatureBlock
from ampcli.inference.seen import require_unseen
from ampcli.instructions import instruction_set
from ampcli.kinematics import FloatArray
from ampcli.models.ansatz import Ansatz
from ampcli.models.kinds import KINDS, ModelKind
from ampcli.models.moments import over_shares
from ampcli.models.network import NETWORKS
from ampcli.provenance import package_versions
from ampcli.records.architecture import Architecture
from ampcli.records.region import Region
from ampcli.records.training import Recipe
from ampcli.registry.manifest import Manifest
from ampcli.registry.search import AnyRegistry, as_registry
from ampcli.store.features import stored_block
from ampcli.store.reader import Store
from ampcli.training.ahead import Ahead
from ampcli.training.compiled.engine import steps
from ampcli.training.data import Points, read_training, read_validation, share_splits
from ampcli.training.loop import Trainer
from ampcli.training.peers import Peers
from ampcli.training.perturbed import PerturbedCopies
from ampcli.training.publish import training_region
from ampcli.training.shared import shared_table
from ampcli.training.start import first_parameters, parent_of
from ampcli.training.table import Table

_WITHOUT = "Start it without torchrun."


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

    @property
    def place(self) -> Path:
        """The folder that models are published in."""
        return as_registry(self.registry).top


@dataclass(frozen=True)
class Prepared:
    """All that a training runs on, and what its manifests will say."""

    store: Store
    recipe: Recipe
    block: FeatureBlock | None
    parent: Manifest | None
    architecture: Architecture
    region: Region
    trainer: Trainer
    tables: Ahead
    validation: Table
    held_out: Points
    """The validation points of this process."""


def prepare(run: TrainingRun, recipe: Recipe, peers: Peers) -> Prepared:
    """Read the store, each process its share, and start the networks.

    Raises:
        NotFoundError, UsageError: as `ampcli.training.train.train`.
    """
    parent = peers.of_first(lambda: parent_of(run.registry, recipe))
    run, recipe, block = peers.together(lambda: _checked(run, recipe, parent))
    store, kind = run.store, KINDS[recipe.kind]
    peers.require_same(_settings(run, recipe))
    share_splits(store, peers)
    training = peers.together(lambda: read_training(store, block, kind, recipe, peers))
    ansatz, region = peers.together(lambda: _fitted(store, kind, recipe, training, peers))
    architecture = Architecture(
        hidden=recipe.hidden,
        activation=recipe.activation,
        residual=recipe.residual,
        network=recipe.network,
        particles=tuple(leg.pdg for leg in store.process.legs),
        inputs=ansatz.n_inputs,
        outputs=ansatz.n_outputs,
    )
    network = NETWORKS[recipe.network].make(architecture)
    architecture = architecture.model_copy(update={"parameters": network.n_parameters})
    start = peers.of_first(lambda: first_parameters(run.registry, recipe, network, architecture, parent))

    def rest() -> tuple[Trainer, Ahead, Table, Points]:
        if peers.size > 1 and network.stochastic:
            raise UsageError(f"networks of the kind {network.kind} train in one process: points draw numbers", _WITHOUT)
        trainer = Trainer(recipe, network, ansatz, run.device, start, peers)
        tables = _tables(run, recipe, block, ansatz, training, peers)
        held_out = read_validation(store, block, kind, peers)
        validation = Table.of(ansatz, held_out.arrays, held_out.amplitude, run.device, held_out.errors)
        return trainer, tables, shared_table(validation, held_out.total, peers), held_out

    return Prepared(store, recipe, block, parent, architecture, region, *peers.together(rest))


def _checked(
    run: TrainingRun, recipe: Recipe, parent: Manifest | None
) -> tuple[TrainingRun, Recipe, FeatureBlock | None]:
    """With the splits of the parent and what the store and the registry say now, names and aliases move; the features.

    Raises:
        NotFoundError, UsageError: the store does not fit.
    """
    if not NETWORKS[recipe.network].several_at_once and len(recipe.seeds) > 1:
        raise UsageError(
            f"{setting('replicas')}: networks of the kind {recipe.network} train alone", "Run it once for each seed."
        )
    if parent is not None:
        run = replace(run, store=require_unseen([parent], run.store, "validation")[0])
    _require_learnable(KINDS[recipe.kind], run.store)
    block = None if recipe.block is None else stored_block(run.store, recipe.block)
    known: dict[str, Any] = {"split_rule": run.store.split_rule}
    if block is not None:
        known["features"] = {"version": block.version, "options": block.options}
    if parent is not None:
        known["init_from"] = parent.reference
    return run, recipe.model_copy(update=known), block


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


def _settings(run: TrainingRun, recipe: Recipe) -> dict[str, Any]:
    """What has to be the same in all processes: the last digits of steps depend on processors and libraries too."""
    return {
        **recipe.model_dump(mode="json"),
        "name": run.name,
        "part_of": run.part_of,
        "resume": run.resume,
        "seconds": run.seconds,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(run.device) if run.device.type == "cuda" else run.device.type,
        "instructions": f"{instruction_set()}{' and matrix products' if steps().halves_usable() else ''}",
        **{f"version of {package}": version for package, version in package_versions().items()},
    }


def _fitted(store: Store, kind: ModelKind, recipe: Recipe, points: Points, peers: Peers) -> tuple[Ansatz[Any], Region]:
    """The ansatz with its scales, and where the training points lie: of all processes.

    Raises:
        UsageError: shares of a batch would not add up to it, or scales come from the points of one process.
    """
    network = NETWORKS[recipe.network]
    if peers.size > 1 and not kind.ansatz.mean_of_points:
        raise UsageError(
            f"models of the kind {kind.name} train in one process: their loss is no mean over points", _WITHOUT
        )
    with over_shares(peers.gather) if peers.size > 1 else nullcontext():
        ansatz = kind.ansatz.fit(store.process, points.arrays, points.amplitude, recipe.options, network.on_particles)
        region = training_region(store, points.arrays["momenta"].numpy(), points.amplitude.numpy())
    scales = {name: tensor.tolist() for name, tensor in ansatz.scales().items()}
    if any(theirs != scales for theirs in peers.gather(scales)):
        raise UsageError(
            f"models of the kind {kind.name} find their scales from the points of one process",
            f"{_WITHOUT} (For its author: use `ampcli.models.moments`.)",
        )
    return ansatz, region


def _tables(
    run: TrainingRun, recipe: Recipe, block: FeatureBlock | None, ansatz: Ansatz[Any], points: Points, peers: Peers
) -> Ahead:
    """The training table of every epoch: the store's points, or from the second epoch on perturbed copies of them,
    each set of copies for `recipe.copy_epochs` epochs.
    """

    def table_of(arrays: dict[str, torch.Tensor], amplitude: torch.Tensor, errors: FloatArray | None = None) -> Table:
        return shared_table(Table.of(ansatz, arrays, amplitude, run.device, errors), points.total, peers)

    table = table_of(points.arrays, points.amplitude, points.errors)
    if recipe.perturb == 0:
        return Ahead(lambda epoch, over: table, recipe.epochs, second_core=False)
    copies = PerturbedCopies.of(
        run.store, recipe, block, points.arrays["momenta"], points.amplitude, points.rows.start, points.total
    )

    kept: dict[int, Table] = {}  # the set of copies that is in use, by its first epoch

    def of(epoch: int, over: Event) -> Table:
        if epoch == 0:
            return table
        first = epoch - (epoch - 1) % recipe.copy_epochs
        if first not in kept:
            moved, labels, count = copies.labelled(first, over)
            kept.clear()
            kept[first] = replace(table_of(moved, labels), labelled=count)
        # a run that goes on in the middle makes its copies again, and does not count them again
        return kept[first] if epoch == first else replace(kept[first], labelled=0)

    return Ahead(of, recipe.epochs, second_core=usable_cores() > 1)
