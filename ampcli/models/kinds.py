"""The kinds of models, by name."""

from __future__ import annotations

from ampcli.errors import UsageError
from ampcli.models.ansatz import Ansatz
from ampcli.models.antenna import AntennaAnsatz
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.fame import FameAnsatz
from ampcli.models.fks import FksAnsatz
from ampcli.models.plain import PlainAnsatz
from ampcli.models.single import SingleAnsatz

KINDS: dict[str, type[Ansatz]] = {
    "fame": FameAnsatz,
    "antenna": AntennaAnsatz,
    "plain": PlainAnsatz,
    "single": SingleAnsatz,
    "fks": FksAnsatz,
    "factorised": FactorisedAnsatz,
}

#: Kinds whose networks predict an uncertainty for each point.
WITH_UNCERTAINTY = tuple(name for name, kind in KINDS.items() if kind.predicts_uncertainty)


def ansatz_class(kind: str) -> type[Ansatz]:
    """The class of a model kind.

    Raises:
        UsageError: an unknown kind.
    """
    if kind not in KINDS:
        raise UsageError(f'unknown kind of model "{kind}"', f"Known: {', '.join(KINDS)}.")
    return KINDS[kind]
