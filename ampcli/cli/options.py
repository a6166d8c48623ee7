"""When options of `features` have an effect: conditions on the blocks."""

from __future__ import annotations

from ampcli.cli.effect import Values, only_if


def _undoes_emissions(values: Values) -> bool:
    from ampcli.features.blocks import default_choices

    return any(default_choices(block) for block in values["blocks"])


def _ranks_outgoing_pairs(values: Values) -> bool:
    from ampcli.features.blocks import parse_radiations

    radiations = [found for block in values["blocks"] for found in parse_radiations(block) or []]
    return any(not radiation.initial for radiation in radiations)


def _is_mirrored(values: Values) -> bool:
    from ampcli.features.radiation_inputs import mirror_symmetric
    from ampcli.store.reader import open_store

    return mirror_symmetric(open_store(values["store"]).process)


EMISSIONS = only_if(_undoes_emissions, "on {blocks}", "It is for blocks that undo emissions: fg1, ig1, fg1+ and such.")
OUTGOING = only_if(_ranks_outgoing_pairs, "on {blocks}", "It is for emissions off outgoing partons: fg1, fq1, fa1.")
MIRRORED = only_if(_is_mirrored, "on {store}: its incoming particles differ")
