"""Where a training starts: from random numbers, from another model, or from a checkpoint."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ampcli.errors import NotFoundError, UsageError, setting
from ampcli.models.network import Network
from ampcli.records.architecture import Architecture
from ampcli.records.training import Recipe
from ampcli.registry.manifest import Manifest, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry
from ampcli.registry.storage import read_weights
from ampcli.training.loop import Trainer
from ampcli.training.seeds import network_seed


def parent_of(registry: AnyRegistry, recipe: Recipe) -> Manifest | None:
    """The model that a training starts from, if it is one."""
    return None if recipe.init_from is None else read_manifest(resolve(registry, recipe.init_from))


def first_parameters(
    registry: AnyRegistry, recipe: Recipe, network: Network, architecture: Architecture, parent: Manifest | None
) -> Tensor:
    """Parameters (R, P) of the first step.

    Raises:
        UsageError: the model to start from is another kind, or has other features or layers.
    """
    if parent is None:
        return network.initialise([network_seed(seed) for seed in recipe.seeds])
    if parent.training is None or parent.architecture is None:
        raise UsageError(f"{setting('init_from')} {recipe.init_from}: it is an ensemble", "Name one of its members.")
    ours, theirs = (
        (kind, block, net.activation, net.residual, net.network)
        for kind, block, net in (
            (recipe.kind, recipe.block, architecture),
            (parent.kind, parent.training.block, parent.architecture),
        )
    )
    if ours != theirs:
        raise UsageError(
            f"{setting('init_from')} {recipe.init_from}: it is {theirs}, not {ours}",
            "Kind, features, activation, residual and network must be the same.",
        )
    if parent.architecture.widths != architecture.widths:
        raise UsageError(
            f"{setting('init_from')} {recipe.init_from}: its layers are {list(parent.architecture.widths)}, "
            f"this model's {list(architecture.widths)}"
        )
    tensors = read_weights(resolve(registry, parent.reference), parent)
    return tensors["parameters"].repeat(len(recipe.seeds), 1)


def go_on(trainer: Trainer, recipe: Recipe, checkpoint: Path, resume: str) -> None:
    """Take over a checkpoint: the one of this recipe, if there is one (auto), none (never), or that of a path.

    Raises:
        NotFoundError: there is none at the path.
        UsageError: it has other settings.
    """
    if resume == "never":
        return
    file = checkpoint if resume == "auto" else Path(resume)
    if not file.is_file():
        if resume != "auto":
            raise NotFoundError(f"no checkpoint {file}")
        return
    trainer.restore(file)
    if differing := recipe.differences(trainer.state.recipe):
        raise UsageError(
            f"the checkpoint {file} has other settings: " + ", ".join(differing),
            f"Give the settings of that run to go on with it, or start anew with {setting('resume')} never.",
        )
