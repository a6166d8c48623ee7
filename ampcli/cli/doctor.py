"""`ampcli doctor`."""

from __future__ import annotations

import typer

from ampcli.cli.command import RegistryOption, Result, command
from ampcli.text_table import aligned


def add(app: typer.Typer) -> None:
    command(app, "doctor", "ampcli doctor")(doctor)


def doctor(registry: RegistryOption = None) -> Result:
    """Check this installation: packages, cache, registry, devices; evaluates one amplitude."""
    from ampcli.diagnosis import diagnose
    from ampcli.registry.search import find_registry

    findings = diagnose(find_registry(registry))
    text = "\n".join(aligned([[name, str(value)] for name, value in findings.items()], left=None))
    return Result(findings, text)
