"""When options of `train` have an effect: conditions on the model."""

from __future__ import annotations

from typing import Any

from ampcli.cli.effect import Values, only_if


def _settings(values: Values) -> dict[str, Any]:
    from ampcli.training.recipe import model_settings

    return model_settings(values["model"])


def _has_layers(values: Values) -> bool:
    from ampcli.models.network import EQUIVARIANT

    return _settings(values).get("network") not in EQUIVARIANT


def _is_uncertain(values: Values) -> bool:
    from ampcli.models.kinds import WITH_UNCERTAINTY

    return _settings(values)["kind"] in WITH_UNCERTAINTY


def _can_be_bayesian(values: Values) -> bool:
    return _settings(values)["kind"] == "factorised" and _has_layers(values)


def _has_products_to_round(values: Values) -> bool:
    from ampcli.device import choose_device

    return values["precision"] != "tf32" or choose_device(values["device"]).type == "cuda"


LAYERS = only_if(_has_layers, "for --model {model}: it has layers of its own")
BAYESIAN = only_if(_can_be_bayesian, "for --model {model}", "It is for fg1, nofa and such.")
UNCERTAIN = only_if(
    _is_uncertain, "for --model {model}, which predicts no uncertainty", "It is for fame+, fg1, nofa and such."
)
ORIENTED = only_if(
    lambda values: not _is_uncertain(values),
    "for --model {model}",
    "It is for fame, plain, single and fks-ensemble; features of better models are oriented: fame+, fg1+ and such.",
)
FAME = only_if(lambda values: _settings(values)["kind"] == "fame", "for --model {model}", "It is for fame.")
FKS = only_if(lambda values: _settings(values)["kind"] == "fks", "for --model {model}", "It is for fks-ensemble.")
COPIES = only_if(lambda values: values["epochs"] > 1, "with --epochs 1: the first epoch takes the store's own points")
TF32 = only_if(_has_products_to_round, "without CUDA")
