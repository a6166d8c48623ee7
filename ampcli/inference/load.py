"""From the registry to a model that predicts."""

from __future__ import annotations

from pathlib import Path

import torch

from ampcli.device import choose_device
from ampcli.errors import IntegrityError, UsageError
from ampcli.features.blocks import FeatureBlock, make_block
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predictor
from ampcli.inference.tensors import network_parameters, restored_ansatz
from ampcli.process import Process
from ampcli.registry.manifest import Features, Manifest, read_manifest
from ampcli.registry.members import member_folders
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry, find_registry
from ampcli.registry.storage import read_weights


def load_predictor(name: str, registry: AnyRegistry | str | None = None, device: str = "auto") -> Predictor:
    """Load ``name``, ``name@3`` or ``name@alias`` (see `ampcli.load`)."""
    found = find_registry(registry)
    folder = resolve(found, name)
    return load_folder(folder, read_manifest(folder), choose_device(device), found)


def load_folder(
    folder: Path, manifest: Manifest, device: torch.device, registry: AnyRegistry | None = None
) -> Predictor:
    """Load the model in a version's folder.

    Args:
        registry: where the members of an ensemble are; None: beside it.

    Raises:
        IntegrityError: files that are missing, damaged, or do not fit each other.
    """
    if not manifest.members:
        return Predictor(manifest, [_network(folder, manifest, device)], device)
    networks = []
    for path in member_folders(folder.parent.parent if registry is None else registry, manifest):
        member = read_manifest(path)
        if (member.process, member.sqrt_s, member.members) != (manifest.process, manifest.sqrt_s, []):
            raise IntegrityError(f"{member.reference} cannot be a member of {manifest.reference}: {member.process}")
        networks.append(_network(path, member, device))
    return Predictor(manifest, networks, device)


def _network(folder: Path, manifest: Manifest, device: torch.device) -> TrainedNetwork:
    tensors = read_weights(folder, manifest)
    architecture, training = manifest.architecture, manifest.training
    try:
        if architecture is None or training is None or training.kind != manifest.kind:
            raise IntegrityError(f"the manifest of {manifest.reference} describes no network of its kind")
        process = manifest.provider.described(manifest.process)
        block = _block(manifest.features, process)
        parameters = network_parameters(architecture, process, tensors)
        ansatz = restored_ansatz(manifest.kind, training.options, process, block, tensors)
        network = TrainedNetwork.build(ansatz, architecture, block, parameters, device)
    except (UsageError, IntegrityError) as error:
        raise IntegrityError(f"{folder}: its manifest and its weights do not fit: {error.what}", error.hint) from None
    return network.of(manifest)


def _block(recorded: Features | None, process: Process) -> FeatureBlock | None:
    """The features that a network was trained on.

    Raises:
        UsageError: they do not apply to the process.
        IntegrityError: this ampcli computes another version of them, or their options are none.
    """
    if recorded is None or recorded.block is None:
        return None
    try:
        block = make_block(recorded.block, process, dict(recorded.options), recorded.version)
    except (TypeError, ValueError, KeyError) as error:  # options go to the block's class as they are
        raise IntegrityError(f"the features {recorded.block} have no such options: {error}") from None
    if recorded.version != block.version:
        raise IntegrityError(
            f"it was trained on version {recorded.version} of the features {block.name}; "
            f"this ampcli computes version {block.version}",
            "Use the ampcli version named in its manifest, or train it again.",
        )
    return block
