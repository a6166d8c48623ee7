"""Which models a process allows: radiations of its legs, antennae, ratios to an amplitude that is known, invariants."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ampcli.amplitudes.providers import AUTO, choose_kind
from ampcli.errors import UsageError
from ampcli.features.blocks import make_block, new_options
from ampcli.models.kinds import recipe_settings
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

_RADIATIONS = ("fg1+", "fq1+", "fa1+", "ig1+", "iq1+")


@dataclass(frozen=True)
class Ansaetze:
    """Names for ``train --model`` with their features, and why others are not among them."""

    features: dict[str, str]
    refused: dict[str, str]


def ansaetze(process: Process, exact: ProviderRecord) -> Ansaetze:
    """What can be tried for a process.

    Massive particles emit nothing that is undone here: their radiations are not among those of a process.

    Args:
        exact: the provider of its amplitudes.
    """
    allowed: dict[str, str] = {}
    refused: dict[str, str] = {}
    for model in (*_RADIATIONS, "fame+", "nofa+", "ratio"):
        block = str(recipe_settings(model)["block"])
        try:
            _require_sense(model, process, exact, allowed)
            make_block(block, process, new_options(block, exact))
        except UsageError as error:
            refused[model] = error.what
        else:
            allowed[model] = block
    return Ansaetze(allowed, refused)


def _require_sense(model: str, process: Process, exact: ProviderRecord, allowed: Collection[str]) -> None:
    """Make sure that a model is not another one, and that its reference is not what is to be learned.

    Raises:
        UsageError: it is of no use.
    """
    if model == "fa1+" and not {"fg1+", "fq1+"} <= set(allowed):
        raise UsageError("its emitters are all of one kind: fg1+ or fq1+ is the same")
    if model == "ratio":
        reference = choose_kind(AUTO, process)
        if reference.name == exact.exact_name:
            raise UsageError(f"{reference.name} computes the exact amplitude, and there is nothing to compare with")
        if not reference.at_once(process):
            raise UsageError(f"{reference.name} would have to make its code first")
