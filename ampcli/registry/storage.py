"""Publishing a model in one step that happens or does not, and reading its tensors back.

``REGISTRY/NAME/VERSION/{manifest.json, weights.safetensors, probe.safetensors}``; versions never change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ampcli.errors import IntegrityError, UsageError
from ampcli.files import read_model_file, rename_if_free, staged, sync_folder, write_durably, writing
from ampcli.registry.manifest import (
    LAST_VERSION,
    MANIFEST,
    VERSION,
    Manifest,
    check_name,
    has_seal,
    manifest_bytes,
    manifest_sha256,
)
from ampcli.registry.sets import SurrogateSet, read_entry

WEIGHTS = "weights.safetensors"
PROBE = "probe.safetensors"

Tensors = dict[str, torch.Tensor]
Entry = TypeVar("Entry", Manifest, SurrogateSet)
Check = Callable[[Path, Manifest], None]
"""Recomputes the probe's predictions from a folder; raises IntegrityError where they disagree."""


def publish(root: Path, draft: Manifest, weights: Tensors | None, probe: Tensors, check: Check) -> Manifest:
    """Add the next version of a model to the registry.

    Args:
        root: the registry's folder, created if need be.
        draft: its version and checksums are ignored: they are found here.
        weights: the model's tensors; None for an ensemble.
        probe: inputs and the predictions that `check` compares with.
        check: called with the staged folder, laid out like a published one, before anyone can see it.

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
    home = root / draft.name
    with staged(home, "staging") as folder:
        with writing(home):
            manifest = draft.model_copy(
                update={
                    "version": next_version(home),
                    "weights_sha256": None if weights is None else _store(folder / WEIGHTS, weights),
                    "probe_sha256": _store(folder / PROBE, probe),
                }
            )
            write_durably(folder / MANIFEST, manifest_bytes(manifest))
        verify_members(root, manifest)
        check(folder, manifest)
        return appear(folder, home, manifest)


def appear(folder: Path, home: Path, entry: Entry) -> Entry:
    """Rename a staged folder to the version that its manifest says, or the next one that is free.

    Returns:
        The manifest as published.
    """
    with writing(home):
        sync_folder(folder)
        while not rename_if_free(folder, home / str(entry.version)):
            # Another process took this number since.  Numbers only grow, so this ends.
            entry = entry.model_copy(update={"version": next_version(home)})
            write_durably(folder / MANIFEST, manifest_bytes(entry))
    return entry


def publish_set(root: Path, draft: SurrogateSet) -> SurrogateSet:
    """Add the next version of a set of surrogates, whose members are in the registry.

    Args:
        draft: its version is ignored: it is found here.

    Raises:
        UsageError: what cannot name a set; no version is left for the name.
        IntegrityError: a member is missing or has changed.
        AmpcliError: the registry cannot be written.
    """
    check_name(draft.name)
    home = root / draft.name
    with staged(home, "staging") as folder:
        with writing(home):
            entry = draft.model_copy(update={"version": next_version(home)})
            write_durably(folder / MANIFEST, manifest_bytes(entry))
        verify_members(root, entry)
        return appear(folder, home, entry)


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


def verify(folder: Path, check: Check | None = None) -> list[str]:
    """Compare a version with its manifest, and members (same registry) of an ensemble or a set with theirs.

    Args:
        folder: ``REGISTRY/NAME/VERSION``.
        check: recomputes the probe's predictions as well.

    Returns:
        What was compared.

    Raises:
        IntegrityError: a missing file, a wrong checksum, a folder that is not the manifest's, a member
            that is missing or has changed, predictions that differ.
    """
    manifest = read_entry(folder)  # compares it with its seal and its folder
    compared = ["manifest" if has_seal(folder) else "manifest (of schema 1, without a seal)"]
    if isinstance(manifest, SurrogateSet):
        return compared + _verified_members(folder, manifest)
    if manifest.weights_sha256 is not None:
        read_weights(folder, manifest)
        compared.append("weights")
    elif manifest.kind != "ensemble":
        raise IntegrityError(f"{folder / MANIFEST} has no checksum of the weights")
    read_probe(folder, manifest)
    compared.append("probe")
    compared += _verified_members(folder, manifest)
    if check is not None:
        check(folder, manifest)
        compared.append("predictions")
    return compared


def _verified_members(folder: Path, entry: Manifest | SurrogateSet) -> list[str]:
    verify_members(folder.parent.parent, entry)
    return [f"member {member.model}" for member in entry.members]


def verify_members(root: Path, manifest: Manifest | SurrogateSet) -> None:
    """Check that the members of an ensemble or a set are in the registry, unchanged, with their weights and probes.

    Raises:
        IntegrityError: one is missing, is not the one that was combined, or does not verify.
    """
    for folder in member_folders(root, manifest):
        verify(folder)


def member_folders(root: Path, manifest: Manifest | SurrogateSet) -> list[Path]:
    """The folders of the members of an ensemble or a set, whose manifests are those that it was made of.

    Raises:
        IntegrityError: one is missing, or is another one.
    """
    folders = []
    for member in manifest.members:
        folder = member_folder(root, member.model)
        if not folder.is_dir():
            raise IntegrityError(f"{member.model}, a member of {manifest.reference}, is not in the registry {root}")
        # The checksum comes first: it makes a chain of members that leads back to itself impossible.
        if manifest_sha256(folder) != member.manifest_sha256:
            raise IntegrityError(
                f"{member.model} in the registry {root} is not the one that {manifest.reference} is made of",
                f"Import {manifest.reference} again into a registry of its own.",
            )
        folders.append(folder)
    return folders


def member_folder(root: Path, model: str) -> Path:
    """The folder of ``name@version`` (no alias), whether or not it exists."""
    name, _, version = model.partition("@")
    return root / name / version


def next_version(home: Path) -> int:
    """Above all that is there, even what is no folder: a name that is taken cannot be renamed to."""
    taken = (int(entry.name) for entry in home.iterdir() if re.fullmatch(VERSION, entry.name))
    if (following := max(taken, default=0) + 1) > LAST_VERSION:
        raise UsageError(
            f"{home} has the version {LAST_VERSION} already, the last that there can be", "Choose another name."
        )
    return following


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
