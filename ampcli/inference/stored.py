"""Models on the points of a store: features that the store holds are read where computing them would take longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ampcli.errors import NotFoundError
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predicted, Predictor
from ampcli.kinematics import FloatArray
from ampcli.progress import nothing
from ampcli.store.reader import Split, Store


@dataclass(frozen=True)
class StoredPoints:
    """The points of a split of a store: what all models need of them is read once, when it is asked for.

    Raises:
        UsageError: the split is empty.
        IntegrityError: damaged arrays of the store.
    """

    store: Store
    split: Split

    def __len__(self) -> int:
        return len(self.exact)

    @cached_property
    def momenta(self) -> FloatArray:
        """Of the outgoing legs, (n, n_final, 4) in GeV."""
        return self.store.read_split("momenta", self.split)

    @cached_property
    def exact(self) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final), (n,)."""
        return self.store.read_split("amplitude", self.split)

    @cached_property
    def errors(self) -> FloatArray | None:
        """Statistical errors of `exact`, (n,), where it has any."""
        return self.store.amplitude_errors(self.split)

    def predicted(self, predictor: Predictor, on_rows: Callable[[int], None] = nothing) -> Predicted:
        """All that a model says of them."""
        read: dict[str, Tensor] = {}  # networks of one ensemble often share their features
        features = [self.features(network, read) for network in predictor.networks]
        return predictor.predicted(self.momenta, features, on_rows)

    def features(self, network: TrainedNetwork, read: dict[str, Tensor] | None = None) -> dict[str, Tensor] | None:
        """The arrays that a network reads of its features, (n, ...) float64.

        None if the store holds no such features, or the compiled pass makes them sooner than they are read.

        Args:
            read: arrays that were read already, by their names in the store; others are added.
        """
        block = network.block
        if block is None or network.compiled is not None:
            return None
        try:
            held = self.store.block_attributes(block.name)
        except NotFoundError:
            return None
        if (held.get("version"), held.get("options"), held.get("store_digest")) != (
            block.version,
            block.options,
            self.store.digest,
        ):
            return None  # those of other choices
        wanted = [name for name, shape in block.shapes().items() if name in network.reads and 0 not in shape]
        places = {name: f"features/{block.name}/{name}" for name in wanted}
        read = {} if read is None else read
        for place in places.values():
            if place not in read:
                read[place] = torch.from_numpy(self.store.read_split(place, self.split))
        return {name: read[place] for name, place in places.items()}
