"""When options of `train` and `features` have an effect: conditions on the model and on the blocks."""

from __future__ import annotations

from ampcli.cli.effect import Values, only_if


def _has_layers(values: Values) -> bool:
    from ampcli.models.kinds import chosen
    from ampcli.models.network import NETWORKS

    return not NETWORKS[chosen(values["model"])[1].networks[0]].on_particles


def _can_be_bayesian(values: Values) -> bool:
    from ampcli.models.kinds import chosen

    return "bayesian" in chosen(values["model"])[1].networks


def _has_products_to_round(values: Values) -> bool:
    from ampcli.device import choose_device

    return values["precision"] != "tf32" or choose_device(values["device"]).type == "cuda"


LAYERS = only_if(_has_layers, "for --model {model}: it has layers of its own")
BAYESIAN = only_if(_can_be_bayesian, "for --model {model}", "It is for models such as fg1 and nofa.")
COPIES = only_if(lambda values: values["epochs"] > 1, "with --epochs 1: the first epoch takes the store's own points")
TF32 = only_if(_has_products_to_round, "without CUDA")


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


EMISSIONS = only_if(_undoes_emissions, "on {blocks}", "It is for blocks of emissions, such as fg1, ig1, fg1+.")
OUTGOING = only_if(_ranks_outgoing_pairs, "on {blocks}", "It is for emissions off outgoing partons: fg1, fq1, fa1.")
MIRRORED = only_if(_is_mirrored, "on {store}: its incoming particles differ")
