"""From a trained replica to a version of a model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from ampcli.errors import IntegrityError, UsageError
from ampcli.features.blocks import FeatureBlock
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray, min_invariant
from ampcli.models.kinds import KINDS
from ampcli.provenance import git_commit, hardware, package_versions
from ampcli.publishing.publish import Validation, measured, publish_model
from ampcli.records.architecture import Architecture
from ampcli.records.region import Region
from ampcli.records.training import Recipe, Training
from ampcli.registry.manifest import Dataset, Features, Manifest, read_manifest
from ampcli.registry.search import AnyRegistry, as_registry, versions
from ampcli.store.measures import measures
from ampcli.store.reader import Store
from ampcli.training.checkpoint import State
from ampcli.training.loop import Trainer

_PROBE_POINTS = 64


@dataclass(frozen=True)
class Publication:
    """What the manifests of all replicas of a training share."""

    registry: AnyRegistry
    name: str
    store: Store
    block: FeatureBlock | None
    architecture: Architecture
    region: Region
    """Without what validation points say."""
    inherited: list[Dataset]
    """What the model that the training started from saw."""
    arrays: dict[str, torch.Tensor]
    """Of the validation points, momenta and those of the features that the kind reads: (n, ...) float64."""
    exact: FloatArray
    """Amplitudes of these points, (n,)."""
    errors: FloatArray | None
    """Their statistical errors, (n,), if they have any."""
    device: torch.device

    def all_replicas(self, trainer: Trainer) -> list[Manifest]:
        """Publish the best parameters of each, but for those that this training published before it was killed."""
        replicas = range(len(trainer.state.recipe.seeds))
        return [self._found(trainer.state, n) or self._published(trainer, n) for n in replicas]

    def _found(self, state: State, replica: int) -> Manifest | None:
        top = as_registry(self.registry).top
        for version in reversed(versions(top, self.name)):
            with suppress(IntegrityError, UsageError):  # a damaged version, or a set, is not one of these
                manifest = read_manifest(top / self.name / str(version))
                training = manifest.training
                known = training and (training.run, training.epochs_done, manifest.seed)
                if known == (state.run, state.epoch, state.recipe.seeds[replica]):
                    return manifest
        return None

    def _published(self, trainer: Trainer, replica: int) -> Manifest:
        """With its metrics on the validation split."""
        parameters = trainer.best[replica]
        network = TrainedNetwork.build(trainer.ansatz, self.architecture, self.block, parameters, self.device)
        draft = self._draft(trainer.state, replica)
        predictor = Predictor(draft, [network], self.device)
        momenta = self.arrays["momenta"].numpy()
        predicted = predictor.predicted(momenta, [self.arrays])
        kind = predictor.uncertainty_kind
        points = Validation(self.exact, predicted, measures(self.store, "validation"), self.errors)
        draft = measured(draft, kind, points, recalibrate=kind.by_point)
        tensors = TrainedNetwork.pack(parameters, trainer.ansatz)
        return publish_model(self.registry, draft, predictor, tensors, momenta[:_PROBE_POINTS])

    def _draft(self, state: State, replica: int) -> Manifest:
        store, recipe, progress = self.store, state.recipe, state.progress[replica]
        return Manifest(
            name=self.name,
            kind=recipe.kind,
            process=store.plan.process,
            sqrt_s=store.sqrt_s,
            provider=store.plan.provider,
            features=None
            if self.block is None
            else Features(block=self.block.name, version=self.block.version, options=dict(self.block.options)),
            architecture=self.architecture,
            training=Training(
                **recipe.model_dump(),
                run=state.run,
                epochs_done=state.epoch,
                labelled_points=state.labelled_points,
                best_epoch=progress.best_epoch + 1,
                best_validation_loss=progress.best_loss,
            ),
            seed=recipe.seeds[replica],
            dataset=Dataset(
                digest=store.digest,
                points=store.rows,
                splits={s: len(store.split_rows(s)) for s in ("train", "validation", "test")},
                source=store.plan.source,
                split_rule=store.split_rule,
                others=self.inherited,
            ),
            region=self.region,
            hardware=dict(hardware(self.device)),
            seconds=state.seconds,
            packages=package_versions(),
            git_commit=git_commit(),
            parents=[] if recipe.init_from is None else [recipe.init_from],
            card=_card(recipe, store),
        )


def training_region(store: Store, momenta: FloatArray, amplitude: FloatArray) -> Region:
    """Where the training points lie: predictions beyond are extrapolations."""
    logs = np.log(np.abs(amplitude))
    return Region(
        log_amplitude_mean=float(logs.mean()),
        log_amplitude_std=float(logs.std()),
        min_sij_over_s=None if store.sqrt_s is None else float(min_invariant(momenta).min()) / store.sqrt_s**2,
    )


def _card(recipe: Recipe, store: Store) -> str:
    what = KINDS[recipe.kind].card.format(block=recipe.block)
    where = f"{store.plan.process} at sqrt(s) = {store.sqrt_s:g} GeV" if store.sqrt_s else store.plan.process
    cut = f", min s_ij > {store.y_cut:g} s" if store.y_cut else ""
    return (
        f"{what} Trained on {where}{cut}. Metrics are those of the validation split. Outside the training region, "
        "predictions are extrapolations."
    )
