"""``ampcli registry show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command
from ampcli.cli.names import models
from ampcli.cli.registry.tables import printable, table, wrapped

if TYPE_CHECKING:
    from ampcli.registry.manifest import Manifest
    from ampcli.registry.sets import SurrogateSet


def add(app: typer.Typer) -> None:
    command(app, "show", "ampcli registry show ee-5jets")(show_models)


def show_models(
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="name, name@3, name@1-3 or name@alias.", autocompletion=models),
    ],
    registry: RegistryOption = None,
) -> Result:
    """Show the manifests of models or sets; with --json whole, of several as a list of "models"."""
    from ampcli.registry.manifest import Manifest
    from ampcli.registry.members import broken
    from ampcli.registry.naming import expand_ranges
    from ampcli.registry.resolve import resolve
    from ampcli.registry.search import find_registry
    from ampcli.registry.sets import read_entry

    found = find_registry(registry)
    documents, texts = [], []
    for model in expand_ranges(arguments):
        folder = resolve(found, model)
        entry = read_entry(folder)
        text = _described(entry) if isinstance(entry, Manifest) else _described_set(entry)
        why = broken(found, entry)
        texts.append("\n\n".join([text, f"in {folder.parent.parent}", *([f"broken: {printable(why)}"] if why else [])]))
        documents.append(dict(entry.document))
    document = documents[0] if len(documents) == 1 else {"models": documents}
    return Result(document, "\n\n\n".join(texts))


def _described(manifest: Manifest) -> str:
    from ampcli.registry.summary import model_of
    from ampcli.registry.words import (
        LEGEND,
        data_text,
        metric_name,
        metric_text,
        parameters_text,
        region_text,
        uncertainty_text,
    )

    features, data, provider = manifest.features, manifest.dataset, manifest.provider
    entries = {
        "model": manifest.reference,
        "kind": f"{model_of(manifest)} ({manifest.combine or manifest.kind})",
        "process": manifest.process,
        "collisions": data.source.described,
        "provider": f"{provider.name} {provider.version} ({_pairs(provider.options)})",
        "constants": parameters_text(manifest) or "-",
        "particles": ", ".join(f"{p.name} ({p.pdg}, {p.mass:g} GeV)" for p in provider.particles) or "-",
        "features": "-" if features is None else f"{features.block or 'momenta'} (version {features.version})",
        "architecture": "-" if manifest.architecture is None else _pairs(manifest.architecture.model_dump()),
        "training": "-" if manifest.training is None else _pairs(manifest.training.model_dump()),
        "seed": "-" if manifest.seed is None else str(manifest.seed),
        "data": data_text(data),
        "digest": data.digest,
        "region": region_text(manifest),
        "uncertainty": uncertainty_text(manifest) or "-",
        "members": ", ".join(member.model for member in manifest.members) or "-",
        "parents": ", ".join(manifest.parents) or "-",
        "created": manifest.created,
        "hardware": _pairs(manifest.hardware),
        "time": "-" if manifest.seconds is None else f"{manifest.seconds:.1f} s",
        "git commit": manifest.git_commit or "-",
        "packages": _pairs(manifest.packages),
    }
    parts = [_entries(entries)]
    if manifest.metrics:
        rows = [[metric_name(name), metric_text(name, found)] for name, found in manifest.metrics.items()]
        parts += [table([["metric", "value"], *rows]) + f"\n{wrapped(LEGEND)}"]
    return "\n\n".join([*parts, printable(manifest.card.strip(), and_lines=True)]).rstrip()


def _described_set(entry: SurrogateSet) -> str:
    """With all processes that each member serves, those at reflected momenta too."""
    entries = {
        "set": entry.reference,
        "process": entry.process,
        **{f"  {name}": " ".join(members) for name, members in entry.definitions.items()},
        "created": entry.created,
        "git commit": entry.git_commit or "-",
        "packages": _pairs(entry.packages),
    }
    rows = [
        [channel.name, "-" if channel.member is None else channel.member.model,
         ", ".join(each.process for each in channel.flavours)]
        for channel in entry.channels
    ]  # fmt: skip
    without = [f"{each.name} has no model: {each.reason}" for each in entry.channels if each.member is None]
    channels = table([["channel", "model", "processes"], *rows])
    return "\n".join([_entries(entries), "", channels, *map(printable, without)])


def _entries(entries: dict[str, str]) -> str:
    return "\n".join(f"{key:<14}{printable(value)}" for key, value in entries.items() if value != "-")


def _pairs(entries: object) -> str:
    if not isinstance(entries, dict):
        return str(entries)
    return ", ".join(f"{k} {f'({_pairs(v)})' if isinstance(v, dict) else v}" for k, v in entries.items()) or "-"
