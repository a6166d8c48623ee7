"""`ampcli doctor`."""

from __future__ import annotations

import typer

from ampcli.cli.command import RegistryOption, Result, command


def add(app: typer.Typer) -> None:
    command(app, "doctor", "ampcli doctor")(doctor)


def doctor(registry: RegistryOption = None) -> Result:
    """Check this installation: packages, cache, registry, devices; evaluates one amplitude."""
    from ampcli.diagnosis import diagnose
    from ampcli.registry.resolve import registry_root

    findings = diagnose(registry_root(registry))
    width = max(len(name) for name in findings)
    text = "\n".join(f"{name.ljust(width)}  {value}" for name, value in findings.items())
    return Result(findings, text)
