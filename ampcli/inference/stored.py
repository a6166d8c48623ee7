"""Models on the points of a store: features that the store holds are read, and others computed."""

from __future__ import annotations

import torch
from torch import Tensor

from ampcli.errors import NotFoundError
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predicted, Predictor
from ampcli.store.reader import Split, Store


def predicted_on(predictor: Predictor, store: Store, split: Split) -> Predicted:
    """All that a model says of the points of a split.

    Raises:
        IntegrityError: damaged arrays of the store.
    """
    features = [stored_features(network, store, split) for network in predictor.networks]
    return predictor.predicted(store.read_split("momenta", split), features)


def stored_features(network: TrainedNetwork, store: Store, split: Split) -> dict[str, Tensor] | None:
    """The arrays that a network reads of its features, (n, ...) float64; None if the store holds no such features."""
    block = network.block
    if block is None:
        return None
    try:
        held = store.block_attributes(block.name)
    except NotFoundError:
        return None
    if (held.get("version"), held.get("options"), held.get("store_digest")) != (
        block.version,
        block.options,
        store.digest,
    ):
        return None  # those of other choices
    wanted = [name for name, shape in block.shapes().items() if name in network.reads and 0 not in shape]
    return {name: torch.from_numpy(store.read_split(f"features/{block.name}/{name}", split)) for name in wanted}
