"""Publishing a model in one step that happens or does not, and reading its tensors back.

``REGISTRY/NAME/VERSION/{manifest.json, weights.safetensors, probe.safetensors}``; versions never change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ampcli.errors import AmpcliError, IntegrityError, UsageError
from ampcli.files import read_model_file, rename_if_free, staged, sync_folder, write_durably, writing
from ampcli.registry.manifest import (
    MANIFEST,
    Manifest,
    has_seal,
    manifest_bytes,
    read_manifest,
)
from ampcli.registry.members import member_folders
from ampcli.registry.naming import LAST_VERSION, VERSION, check_name
from ampcli.registry.search import AnyRegistry, Registry, as_registry, versions
from ampcli.registry.sets import SurrogateSet, read_entry

WEIGHTS = "weights.safetensors"
PROBE = "probe.safetensors"

Tensors = dict[str, torch.Tensor]
Entry = TypeVar("Entry", Manifest, SurrogateSet)
Check = Callable[[Path, Manifest], None]
"""Recomputes the probe's predictions from a folder; raises IntegrityError where they disagree."""


def publish(
    registry: AnyRegistry,
    draft: Manifest,
    weights: Tensors | None,
    probe: Tensors,
    check: Check,
    above: int = 0,
) -> Manifest:
    """Add the next version of a model to the registry.

    Args:
        registry: it goes into the first folder, which is created if need be; members may be in any.
        draft: its version and checksums are ignored: they are found here.
        weights: the model's tensors; None for an ensemble.
        probe: inputs and the predictions that `check` compares with.
        check: called with the staged folder, laid out like a published one, before anyone can see it.
        above: a version of this name that is lower than the new one, wherever it is.

    Returns:
        The manifest as published.

    Raises:
        UsageError: what cannot name a model; an ensemble with weights, or another model without; no version is left
            for the name.
        IntegrityError: a member of the ensemble is missing or has changed, or what `check` found.
        AmpcliError: the registry cannot be written.
    """
    check_name(draft.name)
    if (weights is None) != (draft.kind == "ensemble"):
        raise UsageError(f'"{draft.name}" is of kind {draft.kind}: only ensembles come without weights')
    registry = as_registry(registry)
    home = registry.top / draft.name
    with staged(home, "staging") as folder:
        with writing(home):
            manifest = draft.model_copy(
                update={
                    "version": max(next_version(registry, draft.name), above + 1),
                    "weights_sha256": None if weights is None else _store(folder / WEIGHTS, weights),
                    "probe_sha256": _store(folder / PROBE, probe),
                }
            )
            write_durably(folder / MANIFEST, manifest_bytes(manifest))
        verify_members(registry, manifest)
        check(folder, manifest)
        member_folders(registry, manifest)  # once more: `ampcli registry prune` may be at work
        return _appear(registry, folder, manifest)


def _appear(registry: Registry, folder: Path, entry: Entry) -> Entry:
    """Rename a staged folder to the version that its manifest says, or the next one that is free.

    Returns:
        The manifest as published.
    """
    home = registry.top / entry.name
    with writing(home):
        sync_folder(folder)
        while not rename_if_free(folder, home / str(entry.version)):
            # Another process took this number since.  Numbers only grow, so this ends.
            entry = entry.model_copy(update={"version": next_version(registry, entry.name)})
            write_durably(folder / MANIFEST, manifest_bytes(entry))
    return entry


def publish_set(registry: AnyRegistry, draft: SurrogateSet) -> SurrogateSet:
    """Add the next version of a set of surrogates, whose members are in the registry.

    Args:
        draft: its version is ignored: it is found here.

    Raises:
        UsageError: what cannot name a set; no version is left for the name.
        IntegrityError: a member is missing or has changed.
        AmpcliError: the registry cannot be written.
    """
    check_name(draft.name)
    registry = as_registry(registry)
    home = registry.top / draft.name
    with staged(home, "staging") as folder:
        with writing(home):
            entry = draft.model_copy(update={"version": next_version(registry, draft.name)})
            write_durably(folder / MANIFEST, manifest_bytes(entry))
        verify_members(registry, entry)
        return _appear(registry, folder, entry)


def read_weights(folder: Path, manifest: Manifest) -> Tensors:
    """The tensors of a model, on the CPU.

    Raises:
        UsageError: an ensemble, which has none.
        IntegrityError: the file is missing or is not the one that the manifest describes.
    """
    if manifest.weights_sha256 is None:
        raise UsageError(f"{manifest.reference} is an ensemble: its weights are its members'")
    return _read(folder / WEIGHTS, manifest.weights_sha256)


def read_probe(folder: Path, manifest: Manifest) -> Tensors:
    """The probe's inputs and predictions, on the CPU.

    Raises:
        IntegrityError: the file is missing or is not the one that the manifest describes.
    """
    return _read(folder / PROBE, manifest.probe_sha256)


def verify(folder: Path, check: Check | None = None, registry: AnyRegistry | None = None) -> list[str]:
    """Compare a version with its manifest, and members of an ensemble or a set with theirs.

    Args:
        folder: ``REGISTRY/NAME/VERSION``.
        check: recomputes the probe's predictions as well.
        registry: where members are; None: beside it.

    Returns:
        What was compared.

    Raises:
        IntegrityError: a missing file, a wrong checksum, a folder that is not the manifest's, a member
            that is missing or has changed, predictions that differ.
    """
    registry = folder.parent.parent if registry is None else registry
    manifest = read_entry(folder)  # compares it with its seal and its folder
    compared = ["manifest" if has_seal(folder) else "manifest (of schema 1, without a seal)"]
    if isinstance(manifest, SurrogateSet):
        return compared + verify_members(registry, manifest)
    if manifest.weights_sha256 is not None:
        read_weights(folder, manifest)
        compared.append("weights")
    elif manifest.kind != "ensemble":
        raise IntegrityError(f"{folder / MANIFEST} has no checksum of the weights")
    read_probe(folder, manifest)
    compared.append("probe")
    compared += verify_members(registry, manifest)
    if check is not None:
        check(folder, manifest)
        compared.append("predictions")
    return compared


def verify_members(registry: AnyRegistry, entry: Manifest | SurrogateSet) -> list[str]:
    """Check that the members of an ensemble or a set are there, unchanged, with their weights and probes.

    Returns:
        What was compared.

    Raises:
        IntegrityError: one is missing, is not the one that was combined, or does not verify.
    """
    for folder in member_folders(registry, entry):
        verify(folder, registry=registry)
    return [f"member {member.model}" for member in entry.members]


def next_version(registry: Registry, name: str) -> int:
    """Above all that the named registries have or have had, even what is no folder: what is taken cannot be renamed to.

    Names of models that ship with ampcli are free: what has one of these stands before it.
    """
    homes = [home for folder in registry.named if (home := folder / name).is_dir()]
    taken = (int(entry.name) for home in homes for entry in home.iterdir() if re.fullmatch(VERSION, entry.name))
    if (following := max(taken, default=0) + 1) > LAST_VERSION:
        raise UsageError(
            f"{registry.top / name} has the version {LAST_VERSION} already, the last that there can be",
            "Choose another name.",
        )
    return following


def same_weights(registry: AnyRegistry, manifest: Manifest) -> str | None:
    """The first other version of a model that has the same weights, ``name@version``; None: there is none."""
    if manifest.weights_sha256 is None:
        return None
    for folder in as_registry(registry).folders:
        for version in versions(folder, manifest.name):
            if version == manifest.version:
                continue
            with suppress(AmpcliError):  # a damaged version, or a set
                if read_manifest(folder / manifest.name / str(version)).weights_sha256 == manifest.weights_sha256:
                    return f"{manifest.name}@{version}"
    return None


def _store(path: Path, tensors: Tensors) -> str:
    """Write tensors; returns the checksum of the file."""
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    write_durably(path, data)
    return hashlib.sha256(data).hexdigest()


def _read(path: Path, sha256: str) -> Tensors:
    data = read_model_file(path)  # read once: the bytes that are used are the bytes that were compared
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise IntegrityError(
            f"{path} has changed: its SHA-256 is {found[:12]}..., the manifest says {sha256[:12]}...",
            "Import the model again, or take another version.",
        )
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, OverflowError) as error:  # types and sizes that torch has not
        raise IntegrityError(f"{path} is not a safetensors file: {error}") from None
