"""`ampcli train`: from a store to published models."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predictor
from ampcli.inference.seen import require_unseen
from ampcli.interrupt import held
from ampcli.kinematics import FloatArray, min_invariant
from ampcli.models.ansatz import Ansatz, Settings
from ampcli.models.kinds import ansatz_class
from ampcli.models.network import EQUIVARIANT, Network, make_network
from ampcli.process import Process
from ampcli.provenance import git_commit, hardware, package_versions
from ampcli.publishing.publish import Validation, measured, publish_model
from ampcli.records.region import Region
from ampcli.registry.manifest import Dataset, Features, Manifest, check_name, read_manifest
from ampcli.registry.resolve import resolve, versions
from ampcli.registry.storage import read_weights
from ampcli.store.features import stored_block
from ampcli.store.measures import measures
from ampcli.store.reader import Store
from ampcli.training.checkpoint import State
from ampcli.training.loop import Trainer
from ampcli.training.perturbed import PerturbedCopies
from ampcli.training.recipe import Recipe
from ampcli.training.session import training_session
from ampcli.training.table import Table, read_arrays

_PROBE_POINTS = 64
_MOST_REPLICAS = 10_000


@dataclass(frozen=True)
class TrainingRun:
    """What `train` needs besides the recipe."""

    store: Store
    name: str
    registry: Path
    device: torch.device
    resume: str = "auto"  # auto | never | path of a checkpoint
    seconds: float | None = None


def train(
    run: TrainingRun,
    recipe: Recipe,
    on_epoch: Callable[[State], None] = lambda state: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Manifest]:
    """Train one model per seed and publish each as a version of `run.name`.

    Raises:
        NotFoundError: the store lacks the features of this kind, or there is no checkpoint to resume.
        UsageError: settings that contradict the store or the checkpoint.
        InterruptedRun: `stop` said yes, or a signal came; the checkpoint is written.
    """
    check_name(run.name)
    if recipe.network not in ("mlp", "separate") and len(recipe.seeds) > 1:
        raise UsageError(f"--replicas: networks of the kind {recipe.network} train alone", "Run it once for each seed.")
    run, inherited = _unseen_by_parent(run, recipe)
    recipe = recipe.model_copy(update={"split_rule": run.store.split_rule})
    kind = ansatz_class(recipe.kind)
    process = run.store.process
    block_name = recipe.block or kind.block
    if block_name is not None:
        block = stored_block(run.store, block_name)
        recipe = recipe.model_copy(update={"features": {"version": block.version, "options": block.options}})
    if recipe.init_from is not None:  # under the version that it is now: names and aliases move
        parent = read_manifest(resolve(run.registry, recipe.init_from)).reference
        recipe = recipe.model_copy(update={"init_from": parent})
    arrays, amplitude = read_arrays(run.store, block_name, "train")
    settings = Settings(
        penalty=recipe.penalty,
        orient=recipe.orient,
        beta=recipe.beta,
        spin=recipe.spin,
        recoil=recipe.recoil,
        near=recipe.near,
        one_scale=recipe.network in EQUIVARIANT,
    )
    ansatz: Ansatz = kind.fit(process, arrays, amplitude, settings)
    widths = (ansatz.n_inputs, *recipe.hidden, ansatz.n_outputs)
    network = make_network(recipe.network, widths, recipe.activation, recipe.residual, _particles(process))
    _set_precision(recipe)
    trainer = Trainer(recipe, network, ansatz, run.device, _first_parameters(run, recipe, network))
    region = _region(run.store, arrays["momenta"].numpy(), amplitude.numpy())
    table = Table.of(ansatz, arrays, amplitude, run.device)
    tables = _tables(run, recipe, ansatz, table, arrays["momenta"], amplitude)
    del arrays
    held_out, exact = read_arrays(run.store, block_name, "validation")
    validation = Table.of(ansatz, held_out, exact, run.device)
    with (
        training_session(run.registry, run.name, recipe, run.resume == "never") as checkpoint,
        held() as signalled,  # the end of a step is a safe point, the middle of one or of publishing is not
    ):
        _resume(run, recipe, trainer, checkpoint)
        trainer.run(tables, validation, checkpoint, run.seconds, on_epoch, lambda: stop() or signalled())
        published = []
        for replica in range(len(recipe.seeds)):
            found = _found(run, trainer.state, replica)
            published.append(found or _publish(run, trainer, replica, region, inherited, held_out, exact.numpy()))
        checkpoint.unlink()
    return published


def _tables(
    run: TrainingRun, recipe: Recipe, ansatz: Ansatz, table: Table, momenta: torch.Tensor, amplitude: torch.Tensor
) -> Callable[[int], Table]:
    """The training table of every epoch: the store's points, or from the second epoch on perturbed copies of them."""
    if recipe.perturb == 0:
        return lambda epoch: table
    copies = PerturbedCopies.of(run.store, recipe, recipe.block or ansatz.block, momenta, amplitude)

    @lru_cache(maxsize=1)  # asked for again after an interruption only
    def of(epoch: int) -> Table:
        if epoch == 0:
            return table
        moved, labels, count = copies.labelled(epoch)
        return replace(Table.of(ansatz, moved, labels, run.device), labelled=count)

    return of


def _unseen_by_parent(run: TrainingRun, recipe: Recipe) -> tuple[TrainingRun, list[Dataset]]:
    """The run with its store split as the training of the model that this one starts from, and what that one saw."""
    if recipe.init_from is None:
        return run, []
    parent = read_manifest(resolve(run.registry, recipe.init_from))
    store, _ = require_unseen([parent], run.store, "validation")
    return replace(run, store=store), [parent.dataset]


def _particles(process: Process) -> list[int]:
    return [leg.pdg for leg in process.legs]


def _set_precision(recipe: Recipe) -> None:
    torch.backends.cuda.matmul.allow_tf32 = recipe.precision == "tf32"


def network_seed(seed: int) -> int:
    """The seed of a replica's first weights, apart from those of its shuffles."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _first_parameters(run: TrainingRun, recipe: Recipe, network: Network) -> torch.Tensor:
    if recipe.init_from is None:
        return network.initialise([network_seed(seed) for seed in recipe.seeds])
    folder = resolve(run.registry, recipe.init_from)
    parent = read_manifest(folder)
    ours = (recipe.kind, recipe.block, recipe.activation, recipe.residual, recipe.network)
    theirs = (
        parent.kind,
        parent.training.get("block"),
        parent.architecture.get("activation"),
        parent.architecture.get("residual", False),
        parent.architecture.get("network", "mlp"),
    )
    if ours != theirs:
        raise UsageError(
            f"--init-from {recipe.init_from}: it is {theirs}, not {ours}",
            "Kind, features, activation, residual and network must be the same.",
        )
    tensors = read_weights(folder, parent)
    if tuple(int(width) for width in tensors["widths"]) != network.widths:
        raise UsageError(
            f"--init-from {recipe.init_from}: its layers are {tensors['widths'].tolist()}, "
            f"this model's {list(network.widths)}"
        )
    return tensors["parameters"].repeat(len(recipe.seeds), 1)


def _resume(run: TrainingRun, recipe: Recipe, trainer: Trainer, checkpoint: Path) -> None:
    if run.resume == "never":
        return
    file = checkpoint if run.resume == "auto" else Path(run.resume)
    if not file.is_file():
        if run.resume != "auto":
            raise NotFoundError(f"no checkpoint {file}")
        return
    trainer.restore(file)
    if differing := recipe.differences(trainer.state.recipe):
        raise UsageError(
            f"the checkpoint {file} has other settings: " + ", ".join(differing),
            "Give the settings of that run to go on with it, or start anew with --resume never.",
        )


def _region(store: Store, momenta: FloatArray, amplitude: FloatArray) -> Region:
    """Where the training points lie: predictions beyond are extrapolations."""
    logs = np.log(amplitude)
    return Region(
        log_amplitude_mean=float(logs.mean()),
        log_amplitude_std=float(logs.std()),
        min_sij_over_s=None if store.sqrt_s is None else float(min_invariant(momenta).min()) / store.sqrt_s**2,
    )


def _found(run: TrainingRun, state: State, replica: int) -> Manifest | None:
    """A replica that this training has published before it was killed."""
    for version in reversed(versions(run.registry, run.name)):
        with suppress(IntegrityError):  # a damaged version is not one of these
            manifest = read_manifest(run.registry / run.name / str(version))
            known = (manifest.training.get("run"), manifest.training.get("epochs_done"), manifest.seed)
            if known == (state.run, state.epoch, state.recipe.seeds[replica]):
                return manifest
    return None


def _publish(
    run: TrainingRun,
    trainer: Trainer,
    replica: int,
    region: Region,
    inherited: list[Dataset],
    arrays: dict[str, torch.Tensor],
    exact: FloatArray,
) -> Manifest:
    """Publish a replica's best parameters with its metrics on the validation split, whose arrays these are."""
    state, store, recipe = trainer.state, run.store, trainer.state.recipe
    tensors = TrainedNetwork.pack(trainer.network, trainer.best[replica], trainer.ansatz)
    block_name = recipe.block or trainer.ansatz.block
    block = None if block_name is None else stored_block(store, block_name)
    architecture: dict[str, JsonValue] = {
        "hidden": list(recipe.hidden),
        "activation": recipe.activation,
        "residual": recipe.residual,
        "network": recipe.network,
        "particles": list(_particles(store.process)),
        "inputs": trainer.ansatz.n_inputs,
        "outputs": trainer.ansatz.n_outputs,
        "parameters": trainer.network.n_parameters,
    }
    network = TrainedNetwork.build(recipe.kind, block, architecture, tensors, run.device)
    progress = state.progress[replica]
    draft = Manifest(
        name=run.name,
        kind=recipe.kind,
        process=store.plan.process,
        sqrt_s=store.sqrt_s,
        provider=store.plan.provider,
        features=None
        if block is None
        else Features(block=block.name, version=block.version, options=dict(block.options)),
        architecture=architecture,
        training={
            **recipe.model_dump(mode="json"),
            "run": state.run,
            "epochs_done": state.epoch,
            "labelled_points": state.labelled_points,
            "best_epoch": progress.best_epoch + 1,
            "best_validation_loss": progress.best_loss,
        },
        seed=recipe.seeds[replica],
        dataset=Dataset(
            digest=store.digest,
            points=store.rows,
            splits={s: len(store.split_rows(s)) for s in ("train", "validation", "test")},
            source=store.plan.source,
            split_rule=store.split_rule,
            others=inherited,
        ),
        region=region,
        hardware=dict(hardware(run.device)),
        seconds=state.seconds,
        packages=package_versions(),
        git_commit=git_commit(),
        parents=[] if recipe.init_from is None else [recipe.init_from],
        card=_card(recipe, store),
    )
    predictor = Predictor(draft, [network], run.device)
    momenta = arrays["momenta"].numpy()
    points = Validation(exact, predictor.predicted(momenta, arrays), measures(store, "validation"))
    kind = predictor.uncertainty_kind
    draft = measured(draft, kind, points, recalibrate=kind.by_point)
    return publish_model(run.registry, draft, predictor, tensors, momenta[:_PROBE_POINTS])


def _card(recipe: Recipe, store: Store) -> str:
    what = {
        "fame": "Factorisation-aware emulator: coefficients of Catani-Seymour dipoles (Maître, Truong 2021).",
        "antenna": "Coefficients of colour-string antennae, with its own uncertainty: FAME with a better ansatz.",
        "plain": "Plain network on momenta, trained on log|M|^2: a baseline without factorisation.",
        "single": "One network for |M|^2 itself (Badger, Bullock 2020): earlier work, to compare with.",
        "fks": "A network for every FKS pair, one for the rest (Badger, Bullock 2020): earlier work, to compare with.",
        "factorised": f"Surrogate on the features {recipe.block}, with its own uncertainty (Beccatini et al. 2025).",
    }[recipe.kind]
    where = f"{store.plan.process} at sqrt(s) = {store.sqrt_s:g} GeV" if store.sqrt_s else store.plan.process
    cut = f", min s_ij > {store.y_cut:g} s" if store.y_cut else ""
    return (
        f"{what} Trained on {where}{cut}. Metrics are those of the validation split. Outside the training region, "
        "predictions are extrapolations."
    )


def recipe_seeds(seed: int, replicas: int) -> tuple[int, ...]:
    """Seeds of the replicas: the given one and those after it."""
    if replicas < 1:
        raise UsageError(f"--replicas {replicas}: at least one is needed")
    if replicas > _MOST_REPLICAS:
        raise UsageError(f"--replicas {replicas}: at most {_MOST_REPLICAS} train at once")
    if seed < 0:
        raise UsageError(f"--seed {seed}: seeds are non-negative integers")
    return tuple(range(seed, seed + replicas))
