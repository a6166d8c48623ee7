"""When options of `train` have an effect: conditions on the model."""

from __future__ import annotations

from ampcli.cli.effect import Values, only_if


def _has_layers(values: Values) -> bool:
    from ampcli.models.kinds import chosen
    from ampcli.models.network import NETWORKS

    return not NETWORKS[chosen(values["model"])[1].networks[0]].on_particles


def _has_products_to_round(values: Values) -> bool:
    from ampcli.device import choose_device

    return values["precision"] != "tf32" or choose_device(values["device"]).type == "cuda"


LAYERS = only_if(_has_layers, "for --model {model}: it has layers of its own")
COPIES = only_if(lambda values: values["epochs"] > 1, "with --epochs 1: the first epoch takes the store's own points")
TF32 = only_if(_has_products_to_round, "without CUDA")
