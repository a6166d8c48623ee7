"""``ampcli registry``: the trained models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command, show
from ampcli.cli.output import flag
from ampcli.errors import BarNotMetError, IntegrityError, NotFoundError
from ampcli.text_table import aligned

if TYPE_CHECKING:
    from ampcli.registry.manifest import Manifest, Metric
    from ampcli.registry.sets import SurrogateSet

HEADLINE = "median_abs_delta"

app = typer.Typer(no_args_is_help=True, help="Trained models: list, show, compare, verify, share.")

Reference = Annotated[str, typer.Argument(metavar="MODEL", help="name, name@3 or name@alias.")]
References = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="name, name@3 or name@alias.")]


@command(app, "list", "ampcli registry list")
def list_models(registry: RegistryOption = None) -> Result:
    """List the models: versions, aliases, and what the newest version is."""
    from ampcli.registry.manifest import Manifest
    from ampcli.registry.resolve import aliases, names, registry_root, resolve, versions
    from ampcli.registry.sets import read_entry

    root = registry_root(registry)
    models = []
    rows = []
    for name in names(root):
        newest = read_entry(resolve(root, name))
        metric = newest.metrics.get(HEADLINE) if isinstance(newest, Manifest) else None
        numbers, movable = versions(root, name), aliases(root, name)
        models.append(
            {
                "name": name,
                "versions": numbers,
                "aliases": movable,
                "kind": newest.kind,
                "process": newest.process,
                HEADLINE: None if metric is None else metric.model_dump(),
            }
        )
        pointers = ", ".join(f"{alias} = {version}" for alias, version in movable.items())
        listed = ", ".join(map(str, numbers))
        rows.append([name, listed, pointers or "-", newest.kind, newest.process, _measured(metric)])
    text = _table(["name", "versions", "aliases", "kind", "process", HEADLINE], rows)
    return Result({"registry": str(root), "models": models}, text if rows else f"no models in {root}")


@command(app, "show", "ampcli registry show ee-4jets@best")
def show_model(model: Reference, registry: RegistryOption = None) -> Result:
    """Show the manifest of a model or a set."""
    from ampcli.registry.manifest import Manifest
    from ampcli.registry.resolve import registry_root, resolve
    from ampcli.registry.sets import read_entry

    entry = read_entry(resolve(registry_root(registry), model))
    text = _described(entry) if isinstance(entry, Manifest) else _described_set(entry)
    return Result(dict(entry.document), text)


@command(app, "compare", "ampcli registry compare ee-4jets@1 ee-4jets@2 --require 'median_abs_delta<=0.01'")
def compare_models(
    models: References = None,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="BAR", help="METRIC<=VALUE or METRIC>=VALUE; repeatable. Exit code 3 if missed."),
    ] = None,
    registry: RegistryOption = None,
) -> Result:
    """Compare models side by side: of sets their members (by default the newest version of every model)."""
    from dataclasses import asdict

    from ampcli.registry.compare import compare, parse_requirement
    from ampcli.registry.resolve import names, registry_root
    from ampcli.registry.sets import manifests_of

    bars = [parse_requirement(text) for text in require or []]
    root = registry_root(registry)
    manifests = [each for model in models or [] for each in manifests_of(root, model)]
    if not models:
        manifests = [each for name in names(root) for each in manifests_of(root, name, of_sets=False)]
    if not manifests:  # no model meets a bar, either
        raise NotFoundError(f"there are no models to compare in the registry {root}")
    rows = compare(manifests)
    missed = [why for bar in bars for manifest in manifests if (why := bar.missed_by(manifest)) is not None]
    metrics = list(rows[0].metrics)
    text = _table(
        ["model", "kind", "process", "points", "seconds", *metrics],
        [
            [r.model, r.kind, r.process, str(r.training_points), _number(r.seconds)]
            + [_measured(r.metrics[name]) for name in metrics]
            for r in rows
        ],
    )
    document = [
        asdict(row) | {"metrics": {k: None if m is None else m.model_dump() for k, m in row.metrics.items()}}
        for row in rows
    ]
    result = Result({"models": document, "missed": missed}, text)
    if missed:
        show(result)
        raise BarNotMetError("; ".join(missed))
    return result


@command(app, "verify", "ampcli registry verify")
def verify_models(models: References = None, registry: RegistryOption = None) -> Result:
    """Check seals, checksums, aliases, members and predictions (by default of all versions of all models and sets)."""
    from ampcli.inference.probe import check_probe
    from ampcli.registry.resolve import aliases, references, registry_root, resolve
    from ampcli.registry.storage import verify

    root = registry_root(registry)
    folders = [resolve(root, model) for model in models or references(root)]
    found: list[dict[str, object]] = []
    lines = []
    errors = []
    for folder in folders:
        model = f"{folder.parent.name}@{folder.name}"
        try:
            compared = verify(folder, check_probe)
        except IntegrityError as error:
            errors.append(f"{model}: {error.told(flag)}")
            found.append({"model": model, "ok": False, "compared": [], "error": error.told(flag).splitlines()[0]})
        else:
            lines.append(f"{model}: {', '.join(compared)} ok")
            found.append({"model": model, "ok": True, "compared": compared, "error": None})
    for name in dict.fromkeys(folder.parent.name for folder in folders):
        try:
            for alias in aliases(root, name):
                resolve(root, f"{name}@{alias}")
        except (IntegrityError, NotFoundError) as error:
            errors.append(f"aliases of {name}: {error.told(flag)}")
    result = Result({"models": found}, "\n".join(lines) if found else f"no models in {root}")
    if errors:
        show(result)
        raise IntegrityError("\n".join(errors))
    return result


@command(app, "alias", "ampcli registry alias ee-4jets@3 best")
def alias_model(
    model: Reference,
    alias: Annotated[str, typer.Argument(help="The name to move to this version, such as best.")],
    registry: RegistryOption = None,
) -> Result:
    """Let NAME@ALIAS mean this version from now on."""
    from ampcli.registry.resolve import registry_root, resolve, set_alias

    root = registry_root(registry)
    folder = resolve(root, model)
    name, version = folder.parent.name, int(folder.name)
    set_alias(root, name, alias, version)
    return Result({"name": name, "alias": alias, "version": version}, f"{name}@{alias} is {name}@{version}")


@command(app, "join", "ampcli registry join zjj-best zjj-fg1 zjj-nofa")
def join(
    name: Annotated[str, typer.Argument(help="Name of the new set.")],
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Sets, and models of single channels.")],
    registry: RegistryOption = None,
) -> Result:
    """Make one set of several: for each channel the model of the first that has one."""
    from ampcli.publishing.sets import join_sets
    from ampcli.registry.resolve import registry_root

    joined = join_sets(registry_root(registry), name, models)
    without = [channel.name for channel in joined.channels if channel.member is None]
    text = f"{joined.reference}: a set of {len(joined.members)} models for {joined.process}"
    return Result(dict(joined.document), "; without a model: ".join([text, *([", ".join(without)] if without else [])]))


@command(app, "export", "ampcli registry export ee-4jets@best ee-4jets.tar")
def export_file(
    model: Reference,
    file: Annotated[Path, typer.Argument(help="The tar file to write.")],
    registry: RegistryOption = None,
) -> Result:
    """Write a model or a set, with its members, to one file."""
    from ampcli.registry.archive import export_model
    from ampcli.registry.resolve import registry_root, resolve

    exported = export_model(resolve(registry_root(registry), model), file)
    return Result({"file": str(file), "models": exported}, f"{', '.join(exported)} -> {file}")


@command(app, "import", "ampcli registry import ee-4jets.tar")
def import_file(
    file: Annotated[Path, typer.Argument(help="What `ampcli registry export` wrote.")],
    registry: RegistryOption = None,
) -> Result:
    """Add the models of an exported file, verified first; versions never change."""
    from ampcli.inference.probe import check_probe
    from ampcli.registry.archive import import_model
    from ampcli.registry.resolve import registry_root

    root = registry_root(registry)
    imported = import_model(root, file, check_probe)
    return Result({"registry": str(root), "models": imported}, f"{', '.join(imported)} -> {root}")


def _described(manifest: Manifest) -> str:
    features = manifest.features
    data = manifest.dataset
    entries = {
        "model": manifest.reference,
        "kind": manifest.kind,
        "process": manifest.process,
        "sqrt(s)": "varies" if manifest.sqrt_s is None else f"{manifest.sqrt_s:g} GeV",
        "provider": _pairs(manifest.provider.model_dump(exclude={"particles"})),
        "particles": ", ".join(f"{p.name} ({p.pdg}, {p.mass:g} GeV)" for p in manifest.provider.particles) or "-",
        "features": "-" if features is None else f"{features.block or 'momenta'} (version {features.version})",
        "architecture": "-" if manifest.architecture is None else _pairs(manifest.architecture.model_dump()),
        "training": "-" if manifest.training is None else _pairs(manifest.training.model_dump()),
        "seed": "-" if manifest.seed is None else str(manifest.seed),
        "data": f"{data.points} points ({_pairs(data.splits)}), y_cut {_number(data.y_cut)}",
        "digest": data.digest,
        "region": _pairs(manifest.region.model_dump()),
        "members": ", ".join(member.model for member in manifest.members) or "-",
        "parents": ", ".join(manifest.parents) or "-",
        "created": manifest.created,
        "hardware": _pairs(manifest.hardware),
        "time": "-" if manifest.seconds is None else f"{manifest.seconds:.1f} s",
        "git commit": manifest.git_commit or "-",
        "packages": _pairs(manifest.packages),
    }
    text = "\n".join(f"{key:<14}{_printable(value)}" for key, value in entries.items() if value != "-")
    if manifest.metrics:
        text += "\n\n" + _table(["metric", "value"], [[k, _measured(m)] for k, m in manifest.metrics.items()])
    return f"{text}\n\n{_printable(manifest.card.strip(), and_lines=True)}".rstrip()


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
    text = "\n".join(f"{key:<14}{_printable(value)}" for key, value in entries.items() if value != "-")
    rows = [
        [channel.name, "-" if channel.member is None else channel.member.model,
         ", ".join(each.process for each in channel.flavours)]
        for channel in entry.channels
    ]  # fmt: skip
    without = [f"{each.name} has no model: {each.reason}" for each in entry.channels if each.member is None]
    return "\n".join([text, "", _table(["channel", "model", "processes"], rows), *map(_printable, without)])


def _printable(text: str, and_lines: bool = False) -> str:
    """Without the sequences that command a terminal: a model may come from anywhere."""
    return "".join(c if c.isprintable() or (and_lines and c == "\n") else ascii(c)[1:-1] for c in text)


def _pairs(entries: object) -> str:
    if not isinstance(entries, dict):
        return str(entries)
    return ", ".join(f"{k} {f'({_pairs(v)})' if isinstance(v, dict) else v}" for k, v in entries.items()) or "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _measured(metric: Metric | None) -> str:
    if metric is None or metric.error is None:
        return _number(None if metric is None else metric.value)
    return f"{metric.value:.4g} ± {metric.error:.1g}"


def _table(headings: list[str], rows: list[list[str]]) -> str:
    """A table whose cells may come from anywhere."""
    printable = [[_printable(cell) for cell in row] for row in rows]
    return "\n".join(aligned([headings, *printable], left=None, ruled=True))
