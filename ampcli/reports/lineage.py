"""Where results come from: the data, the models, the command, the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ampcli.evaluation.about import conditions
from ampcli.provenance import git_commit, hardware, package_versions
from ampcli.registry.manifest import Dataset, Manifest, manifest_sha256
from ampcli.reports.page import Section
from ampcli.store.reader import Store
from ampcli.store.record import BOOKS


def data_section(store: Store) -> Section:
    """A store: digest, process, exact amplitudes, what was asked of its points, and the command that made it."""
    fields = {
        "store": str(store.path),
        "digest": store.digest,
        "process": store.plan.process,
        "points": f"{store.rows} of {store.tried} tried",
        "made by": f"ampcli {store.attributes.get('ampcli_version', '(unknown version)')}",
        "provider": _said(store.plan.provider.model_dump(mode="json", exclude={"particles"})),
        "collisions": _said(store.plan.source.model_dump(mode="json")),
    }
    code = {}
    with suppress(OSError):
        settings = (store.path / BOOKS / "gen.toml").read_text(errors="replace")
        code["ampcli gen --config gen.toml, with gen.toml:"] = settings
    return Section("Data", fields=fields, code=code)


def model_section(folder: Path, manifest: Manifest) -> Section:
    """A model: the checksum of its manifest, what it learned from, how, and what it is made of.

    Args:
        folder: of the version.
    """
    features, training = manifest.features, manifest.training
    fields = {
        "manifest (SHA-256)": manifest_sha256(folder),
        "weights (SHA-256)": manifest.weights_sha256 or "those of its members",
        "kind": manifest.kind,
        "process": manifest.process,
        **_dataset("trained on", manifest.dataset),
        "provider": _said(manifest.provider.model_dump(mode="json", exclude={"particles"})),
        "features": "" if features is None else f"{features.block or 'momenta'}, version {features.version}",
        "architecture": _said({} if manifest.architecture is None else manifest.architecture.model_dump(mode="json")),
        "training": _said({} if training is None else training.model_dump(mode="json", exclude={"features"})),
        "seed": "" if manifest.seed is None else str(manifest.seed),
        "parents": ", ".join(manifest.parents),
        "combined by": manifest.combine or "",
        **{f"member {member.model} (SHA-256)": member.manifest_sha256 for member in manifest.members},
        "trained for": "" if manifest.seconds is None else f"{manifest.seconds:.4g} s",
        "created": manifest.created,
        "git commit": manifest.git_commit or "",
        "machine": _said(manifest.hardware),
        "packages": _said(manifest.packages),
    }
    text = [manifest.card.strip()] if manifest.card.strip() else []
    known = {name: value for name, value in fields.items() if value}
    return Section(f"Model {manifest.reference}", text, fields=known)


def made_section(command: str, configuration: str, device: torch.device) -> Section:
    """How this page was made.

    Args:
        command: the name of the subcommand, as in "registry compare".
        configuration: its arguments and options, as TOML.
    """
    fields = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "git commit": git_commit() or "",
        "machine": _said(hardware(device)),
        "packages": _said(package_versions()),
    }
    file = f"{command.split()[-1]}.toml"
    code = {f"ampcli {command} --config {file}, with {file}:": configuration}
    return Section("How this was made", fields={name: value for name, value in fields.items() if value}, code=code)


def _dataset(name: str, data: Dataset) -> dict[str, str]:
    splits = ", ".join(f"{points} {split}" for split, points in data.splits.items())
    found = {
        name: f"{data.points} points ({splits}); {conditions(data.source)}",
        f"{name}, digest": data.digest,
    }
    for number, other in enumerate(data.others, 1):
        found |= _dataset(f"and on ({number})", other)
    return found


def _said(value: Any) -> str:
    """A document in words, without what is empty: name native, options (colour full)."""
    if isinstance(value, Mapping):
        said = {key.replace("_", " "): each for key, each in value.items() if each not in (None, "", [], {}, ())}
        return ", ".join(
            f"{key} {f'({_said(each)})' if isinstance(each, Mapping) else _said(each)}" for key, each in said.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_said, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
