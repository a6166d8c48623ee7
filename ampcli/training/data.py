"""What a process holds of a store while it trains: its share of the training and of the validation points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ampcli.errors import UsageError, setting
from ampcli.features.blocks import FeatureBlock
from ampcli.kinematics import FloatArray
from ampcli.models.kinds import ModelKind
from ampcli.records.training import Recipe
from ampcli.store.reader import Split, Store
from ampcli.training.peers import Peers
from ampcli.training.table import read_arrays


@dataclass(frozen=True)
class Points:
    """Consecutive rows of a split."""

    arrays: dict[str, Tensor]
    """Momenta and those of the features that the kind reads: (n, ...) float64."""
    amplitude: Tensor
    """(n,)."""
    errors: FloatArray | None
    """Statistical errors of the amplitudes, (n,), if they have any."""
    rows: slice
    total: int
    """Where they are among all points, of all processes."""


def share_splits(store: Store, peers: Peers) -> None:
    """Find out which rows are in which split; each process reads the momenta of its share of the parts."""
    if peers.size == 1 or store.split_rule == "rows":
        return
    share = peers.share(store.plan.parts)
    codes = peers.together(lambda: store.event_codes(share))
    store.know_event_codes(np.concatenate(peers.gather(codes)))


def read_training(store: Store, block: FeatureBlock | None, kind: ModelKind, recipe: Recipe, peers: Peers) -> Points:
    """This process's share of the training points.

    Raises:
        UsageError: there are fewer points than asked for, or than processes.
    """
    total = len(store.split_rows("train"))
    if recipe.training_points is not None and recipe.training_points > total:
        raise UsageError(
            f"{setting('training_points')} {recipe.training_points}: the store has {total} training events",
            "Take fewer, or a larger store.",
        )
    if recipe.training_points is not None:
        total = recipe.training_points
    if 0 < min(total, recipe.batch_size) < peers.size:
        raise UsageError(
            f"a batch of {min(total, recipe.batch_size)} points for {peers.size} processes",
            f"Start fewer, or give a larger {setting('batch_size')}.",
        )
    return _read(store, block, kind, "train", peers.share(total), total)


def read_validation(store: Store, block: FeatureBlock | None, kind: ModelKind, peers: Peers) -> Points:
    """This process's share of the validation points.

    Raises:
        UsageError: there are fewer than processes.
    """
    total = len(store.split_rows("validation"))
    if 0 < total < peers.size:
        raise UsageError(f"{store.path} has {total} validation points for {peers.size} processes", "Start fewer.")
    return _read(store, block, kind, "validation", peers.share(total), total)


def _read(store: Store, block: FeatureBlock | None, kind: ModelKind, split: Split, rows: slice, total: int) -> Points:
    arrays, amplitude = read_arrays(store, block, kind.reads, split, rows)
    return Points(arrays, amplitude, store.amplitude_errors(split, rows), rows, total)
