"""``ampcli registry verify``."""

from __future__ import annotations

import typer

from ampcli.cli.command import RegistryOption, Result, command, show
from ampcli.cli.output import flag
from ampcli.cli.registry.arguments import Models
from ampcli.errors import IntegrityError, NotFoundError


def add(app: typer.Typer) -> None:
    command(app, "verify", "ampcli registry verify")(verify_models)


def verify_models(models: Models = None, registry: RegistryOption = None) -> Result:
    """Check seals, checksums, aliases, members and predictions (by default of all versions of all models and sets)."""
    from functools import partial

    from ampcli.inference.probe import check_probe
    from ampcli.registry.naming import expand_ranges
    from ampcli.registry.resolve import aliases, references, resolve
    from ampcli.registry.search import Registry, find_registry
    from ampcli.registry.storage import verify

    found_in = find_registry(registry)
    if models:
        folders = [resolve(found_in, model) for model in expand_ranges(models)]
    else:
        folders = [resolve(Registry((root,)), each) for root in found_in.own for each in references(root)]
    check = partial(check_probe, registry=found_in)
    found: list[dict[str, object]] = []
    lines = []
    errors = []
    for folder in folders:
        model = f"{folder.parent.name}@{folder.name}"
        try:
            compared = verify(folder, check, found_in)
        except IntegrityError as error:
            errors.append(f"{model}: {error.told(flag)}")
            found.append({"model": model, "ok": False, "compared": [], "error": error.told(flag).splitlines()[0]})
        else:
            lines.append(f"{model}: {', '.join(compared)} ok")
            found.append({"model": model, "ok": True, "compared": compared, "error": None})
    for home in dict.fromkeys(folder.parent for folder in folders):
        try:
            for alias in aliases(home.parent, home.name):
                resolve(found_in, f"{home.name}@{alias}")
        except (IntegrityError, NotFoundError) as error:
            errors.append(f"aliases of {home.name}: {error.told(flag)}")
    result = Result({"models": found}, "\n".join(lines) if found else f"no models in {found_in}")
    if errors:
        show(result)
        raise IntegrityError("\n".join(errors))
    return result
