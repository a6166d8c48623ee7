"""A surrogate trained within a minute on weighted points: it proposes events, so it need not be good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.errors import UsageError
from ampcli.features.blocks import FeatureBlock, make_block, new_options
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.tensors import PARAMETERS, restored_ansatz
from ampcli.kinematics import FloatArray
from ampcli.models.ansatz import Ansatz, Batch
from ampcli.models.declared import FACTORISED
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.mlp import Mlp
from ampcli.models.options import LikelihoodOptions
from ampcli.process import Process
from ampcli.progress import Bars, unseen
from ampcli.records.architecture import Architecture
from ampcli.records.training import Recipe
from ampcli.training.checkpoint import forget
from ampcli.training.loop import Trainer
from ampcli.training.seeds import network_seed
from ampcli.training.table import Table

#: The first one that the process has.
_BLOCKS = ("fg1+", "fq1+", "iq1+", "ig1+", "invariants")
_HIDDEN = (96, 96, 96)
_EPOCHS, _BATCH = 25, 512
_OPTIONS = LikelihoodOptions(beta=0.5)
_CHUNK = 16384
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class QuickSurrogate:
    """Amplitudes of events, positive and finite whatever the network says."""

    network: TrainedNetwork
    lowest: float
    highest: float

    def __call__(self, momenta: FloatArray) -> FloatArray:
        """|M|^2 of events (n, n_external, 4), (n,)."""
        found = np.empty(len(momenta))
        for start in range(0, len(momenta), _CHUNK):
            rows = slice(start, start + _CHUNK)
            final = torch.from_numpy(np.ascontiguousarray(momenta[rows, 2:]))
            amplitude, _ = self.network.predict_momenta(final)
            found[rows] = amplitude.numpy()
        # Beyond what exact amplitudes support there is nothing to be learned: any bound keeps the events unbiased.
        bounded: FloatArray = np.clip(np.nan_to_num(found, nan=self.lowest), self.lowest, self.highest)
        return bounded

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], process: Process, provider: Provider) -> QuickSurrogate:
        """From what `train_quick_surrogate` returned."""
        lowest, highest = tensors["range"].tolist()
        saved = {name: tensor for name, tensor in tensors.items() if name != "range"}
        block = proposal_block(process, provider)
        ansatz = restored_ansatz(FACTORISED.name, _OPTIONS, process, block, saved)
        network = TrainedNetwork.build(ansatz, _architecture(ansatz), block, saved[PARAMETERS], _CPU)
        return cls(network, lowest, highest)


def train_quick_surrogate(
    process: Process,
    provider: Provider,
    momenta: FloatArray,
    amplitude: FloatArray,
    seed: int,
    scratch: Path,
    bars: Bars = unseen,
) -> dict[str, Tensor]:
    """Train on events (n, n_external, 4) with their exact amplitudes (n,).

    Args:
        scratch: a folder for the checkpoint while it trains.
    """
    block = proposal_block(process, provider)
    final = torch.from_numpy(np.ascontiguousarray(momenta[:, 2:]))
    exact = torch.from_numpy(np.ascontiguousarray(amplitude))
    arrays = {"momenta": final, **block.compute(final)}
    recipe = Recipe(
        kind=FACTORISED.name,
        block=block.name,
        preset="custom",
        hidden=_HIDDEN,
        activation="gelu",
        residual=True,
        seeds=(seed,),
        epochs=_EPOCHS,
        batch_size=_BATCH,
        learning_rate=1e-2,
        optimiser="soap",
        schedule="one-cycle",
        options=_OPTIONS,
        dataset_digest="adaptation",
    )
    ansatz = FactorisedAnsatz.fit(process, arrays, exact, _OPTIONS)
    network = Mlp.of(_architecture(ansatz))
    trainer = Trainer(recipe, network, ansatz, _CPU, network.initialise([network_seed(seed)]))
    held_out = len(final) // 10
    whole = Table.of(ansatz, arrays, exact, _CPU)
    train, validation = (_rows(whole, rows) for rows in (slice(held_out, None), slice(0, held_out)))
    checkpoint = scratch / "surrogate.draft"
    with bars("epochs", _EPOCHS) as advance:
        trainer.run(lambda epoch: train, validation, checkpoint, None, lambda state: advance(1))
    forget(checkpoint)
    bounds = torch.tensor([float(exact.min()) * 1e-3, float(exact.max()) * 10], dtype=torch.float64)
    return TrainedNetwork.pack(trainer.best[0], ansatz) | {"range": bounds}


def _architecture(ansatz: Ansatz[Any]) -> Architecture:
    return Architecture(
        hidden=_HIDDEN, activation="gelu", residual=True, inputs=ansatz.n_inputs, outputs=ansatz.n_outputs
    )


def _rows(table: Table, rows: slice) -> Table:
    return Table(Batch(table.rows.inputs[rows], table.rows.terms[rows], table.rows.target[rows]))


def proposal_block(process: Process, provider: Provider) -> FeatureBlock:
    """The features of a process's quick surrogate, the same for every version that finishes a store."""
    identity = provider.identity()
    for name in _BLOCKS:
        try:
            return make_block(name, process, new_options(name, identity, {"kernel": "corrected"}))
        except UsageError:  # the process has no such radiation
            continue
    raise AssertionError("invariants are those of any process")
