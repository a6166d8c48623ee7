"""When options of leptons have an effect."""

from __future__ import annotations

from ampcli.cli.effect import Values

_CHARGED = {f"{name}{sign}" for name in ("e", "mu", "ta") for sign in "+-"}


def has_charged_leptons(values: Values) -> bool:
    """Whether a charged lepton is among the outgoing particles of the process, as it was typed."""
    from ampcli.channels.multiparticles import named_definitions

    known = named_definitions(values["define"] or [])
    outgoing = str(values["process"]).lower().rpartition(">")[2].split()
    return any(member in _CHARGED for name in outgoing for member in known.get(name, (name,)))
