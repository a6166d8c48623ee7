"""Models that are straight lines, for tests of the registry."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from samples import DATASET, PROVIDER, REGION

from ampcli.errors import IntegrityError
from ampcli.registry.manifest import Manifest, Member, manifest_sha256, read_manifest
from ampcli.registry.members import member_folders
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import publish, read_probe, read_weights


def draft(name: str = "line", **entries: object) -> Manifest:
    plain = {
        "name": name,
        "kind": "plain",
        "process": "e- e+ > d d~ g",
        "provider": PROVIDER,
        "dataset": DATASET,
        "region": REGION,
    }
    return Manifest.model_validate(plain | entries)


# The models of these tests are straight lines, slope * x + offset; an ensemble is its members' mean.
def predictions(folder: Path, manifest: Manifest, x: torch.Tensor) -> torch.Tensor:
    if manifest.kind == "ensemble":
        folders = member_folders(folder.parent.parent, manifest)
        return torch.stack([predictions(f, read_manifest(f), x) for f in folders]).mean(0)
    weights = read_weights(folder, manifest)
    return weights["slope"] * x + weights["offset"]


def check(folder: Path, manifest: Manifest) -> None:
    probe = read_probe(folder, manifest)
    if not torch.equal(predictions(folder, manifest, probe["x"]), probe["prediction"]):
        raise IntegrityError("the predictions differ")


def publish_line(root: Path, name: str = "line", slope: float = 2.0, **entries: object) -> Manifest:
    weights = {"slope": torch.tensor(slope), "offset": torch.tensor(1.0)}
    x = torch.linspace(0.0, 1.0, 5)
    return publish(root, draft(name, **entries), weights, {"x": x, "prediction": slope * x + 1.0}, check)


def publish_mean(root: Path) -> Manifest:
    slopes = [1.0, 4.0]
    members = [publish_line(root, "member", slope) for slope in slopes]
    pinned = [Member(model=m.reference, manifest_sha256=manifest_sha256(resolve(root, m.reference))) for m in members]
    x = torch.tensor([0.0, 1.0, 2.0])
    return publish(
        root,
        draft("mean", kind="ensemble", members=pinned, combine="mean"),
        None,
        {"x": x, "prediction": 2.5 * x + 1.0},
        check,
    )


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that cannot be written: by its mode, or, for root, whom modes do not stop, by its mount."""
    if os.getuid() == 0:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        mode = stat.S_IMODE(folder.stat().st_mode)
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(mode)
