"""When options of leptons have an effect."""

from __future__ import annotations

from ampcli.cli.effect import Values

_CHARGED = {f"{name}{sign}" for name in ("e", "mu", "ta") for sign in "+-"}


def has_charged_leptons(values: Values) -> bool:
    """Whether a charged lepton is among the outgoing particles of the process, as it was typed."""
    return any(name.lower() in _CHARGED for name in str(values["process"]).rpartition(">")[2].split())
