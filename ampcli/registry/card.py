"""The card of a model as Markdown: what it is, what it learned, how good it is, where it ends, how to cite it."""

from __future__ import annotations

import json
from pathlib import Path

from ampcli.registry.manifest import Manifest, manifest_sha256, read_manifest
from ampcli.registry.members import member_folders
from ampcli.registry.search import AnyRegistry
from ampcli.registry.sets import SurrogateSet, read_entry
from ampcli.registry.summary import model_of
from ampcli.registry.words import data_text, metric_name, metric_text, parameters_text, region_text, uncertainty_text

_LICENCE = (
    "The manifest records none. Models that ship with ampcli are under its licence, BSD-3-Clause; "
    "those of others under what their authors say."
)


def card(registry: AnyRegistry, folder: Path) -> str:
    """The card of the model or the set in a version's folder.

    Args:
        registry: where members are.

    Raises:
        IntegrityError: it is damaged, or a member is missing.
    """
    entry = read_entry(folder)
    body = _set_card(entry) if isinstance(entry, SurrogateSet) else _model_card(entry, registry)
    packages = ", ".join(f"{name} {version}" for name, version in entry.packages.items())
    lines = [
        f"# {entry.reference}",
        "",
        *body,
        "## Licence",
        "",
        _LICENCE,
        "",
        "## How to cite",
        "",
        f"`{entry.reference}`, manifest SHA-256 `{manifest_sha256(folder)}`, made {entry.created[:10]} with "
        f"{packages or 'ampcli'}. Cite ampcli as its CITATION.cff says, and the papers of its method "
        "(docs/physics.md).",
    ]
    return "\n".join(lines) + "\n"


def _model_card(manifest: Manifest, registry: AnyRegistry) -> list[str]:
    members = [read_manifest(each) for each in member_folders(registry, manifest)]
    return [
        f"A surrogate of the exact |M|^2 of `{manifest.process}`. {manifest.card}".rstrip(),
        "",
        *_data(manifest, members),
        *(_members(manifest, members) if members else _training(manifest)),
        *_accuracy(manifest),
        *_limits(manifest),
    ]


def _data(manifest: Manifest, members: list[Manifest]) -> list[str]:
    provider = manifest.provider
    options = "".join(f", {name} {value}" for name, value in provider.options.items())
    seen = [manifest.dataset, *manifest.dataset.others, *(d for m in members for d in (m.dataset, *m.dataset.others))]
    lines = ["## Data", ""]
    for data in {each.digest: each for each in seen}.values():
        lines.append(f"- {data_text(data)}; store digest `{data.digest}`")
        lines.append(f"  - {data.source.described}")
    amplitudes = f"- exact amplitudes: {provider.name} {provider.version}{options}"
    return [*lines, amplitudes, *_constants(manifest), ""]


def _constants(manifest: Manifest) -> list[str]:
    if not manifest.provider.parameters:
        return []
    fixed = "; |M|^2 is at this alpha_s, at every scale" if "alpha_s" in manifest.provider.parameters else ""
    return [f"- constants: {parameters_text(manifest)}{fixed}"]


def _members(manifest: Manifest, members: list[Manifest]) -> list[str]:
    lines = ["## Members", "", f"Combined by their {manifest.combine}:", ""]
    for member in members:
        mean = metric_text("mean_abs_delta", member.metrics.get("mean_abs_delta"))
        seed = "" if member.seed is None else f", seed {member.seed}"
        lines.append(f"- `{member.reference}`: {model_of(member)}{seed}, mean |Delta| {mean} %")
    return [*lines, ""]


def _training(manifest: Manifest) -> list[str]:
    recipe, network = manifest.training, manifest.architecture
    if recipe is None or network is None:
        return []
    layers = ", ".join(map(str, network.hidden)) or "its own"
    lines = [
        "## Training",
        "",
        f"- `ampcli train --model {model_of(manifest)}`: network {network.network}, layers {layers}, "
        f"{network.activation}, {network.parameters} parameters",
        f"- {recipe.optimiser}, learning rate {recipe.learning_rate:g} ({recipe.schedule}), "
        f"{recipe.batch_size} points per step, {recipe.epochs_done} of {recipe.epochs} epochs, seed {manifest.seed}",
    ]
    if own := recipe.options.model_dump():
        lines.append(f"- options: {', '.join(f'{name} {json.dumps(value)}' for name, value in own.items())}")
    if recipe.init_from is not None:
        lines.append(f"- started from `{recipe.init_from}`")
    if manifest.seconds is not None:
        machine = ", ".join(f"{name} {value}" for name, value in manifest.hardware.items())
        lines.append(f"- {manifest.seconds:.0f} s on {machine or 'a machine that is not recorded'}")
    return [*lines, ""]


def _accuracy(manifest: Manifest) -> list[str]:
    lines = ["## Accuracy", ""]
    if manifest.metrics:
        lines += [
            "On the validation split; Delta = predicted/exact - 1, in % (MSE(log): a number).",
            "",
            "| | |",
            "|---|---|",
            *(f"| {metric_name(name)} | {metric_text(name, found)} |" for name, found in manifest.metrics.items()),
            "",
        ]
    else:
        lines += ["It was not measured when it was made: `ampcli eval` does it.", ""]
    coverage = uncertainty_text(manifest) or "not calibrated (`ampcli calibrate`)"
    return [*lines, f"Uncertainties: {coverage}.", ""]


def _limits(manifest: Manifest) -> list[str]:
    return [
        "## Limits",
        "",
        f"- for `{manifest.process}` and what has its |M|^2, with the constants above; no other energy or cuts",
        f"- training region: {region_text(manifest)}",
        "- outside of it predictions are extrapolations, and `ampcli predict` flags them",
        "",
    ]


def _set_card(entry: SurrogateSet) -> list[str]:
    lines = [f"A set of surrogates of the exact |M|^2 of `{entry.process}`, one for each channel.", ""]
    lines += ["| channel | process | model |", "|---|---|---|"]
    for channel in entry.channels:
        model = f"none: {channel.reason}" if channel.member is None else f"`{channel.member.model}`"
        lines.append(f"| {channel.name} | `{channel.process}` | {model} |")
    return [*lines, "", "`ampcli registry card` says of each member what it learned and how good it is.", ""]
