"""Which models a process allows: radiations of its legs, antennae, ratios to an amplitude that is known, invariants."""

from __future__ import annotations

from dataclasses import dataclass

from ampcli.amplitudes.providers import by_place, choose_kind
from ampcli.errors import AmpcliError, UsageError
from ampcli.models.kinds import recipe_settings
from ampcli.process import Process
from ampcli.store.features import new_block
from ampcli.store.reader import Store

_RADIATIONS = ("fg1+", "fq1+", "fa1+", "ig1+", "iq1+")


@dataclass(frozen=True)
class Ansaetze:
    """Names for ``train --model`` with their features, and why others are not among them."""

    features: dict[str, str]
    refused: dict[str, str]


def ansaetze(store: Store) -> Ansaetze:
    """What can be tried on the events of a store.

    Massive particles emit nothing that is undone here: their radiations are not among those of a process.
    """
    allowed: dict[str, str] = {}
    refused: dict[str, str] = {}
    for model in (*_RADIATIONS, "fame+", "nofa+", "ratio"):
        block = str(recipe_settings(model)["block"])
        try:
            _require_sense(model, store)
            new_block(store, block, {})
        except UsageError as error:
            refused[model] = error.what
        else:
            allowed[model] = block
    return Ansaetze(allowed, refused)


def _require_sense(model: str, store: Store) -> None:
    """Make sure that a model is not another one, and that its reference is not what is to be learned.

    Raises:
        UsageError: it is of no use.
    """
    process = store.process
    if model == "fa1+" and len(_emitters(process)) < 2:
        raise UsageError("its emitters are all of one kind: fg1+ or fq1+ is the same")
    if model == "ratio" and (reference := _reference(process)) in (None, store.plan.provider.exact_name):
        known = "no other amplitude is known" if reference is None else f"{reference} computes the exact one"
        raise UsageError(f"{known}, so that there is nothing to compare with")


def _emitters(process: Process) -> set[str]:
    """Kinds of outgoing massless particles that emit gluons."""
    kinds = {process.legs[leg].kind for leg in process.jet_legs}
    return {"quark" if kind == "antiquark" else kind for kind in kinds}


def _reference(process: Process) -> str | None:
    """The name of the amplitude that would be taken, if it is there without minutes of preparation."""
    for kind in by_place():
        try:
            if kind.covers(process) is None and kind.at_once(process):
                return choose_kind(kind.name, process).name
        except AmpcliError:
            continue
    return None
